"""``docker compose`` for the dashboard: docker's own plug-in, which speaks to the engine of the dashboard."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from moby_tui.api.client.protocol import Client
from moby_tui.cli import plug_ins, session
from moby_tui.cli.commands.plug_in import CALLER, global_options
from moby_tui.screens.onboarding.composing import up_line

#: Bytes of what the plug-in says of which the end is kept.
_KEPT = 16 << 10


class PluggedIn:
    """``screens.onboarding.composing.Compose``."""

    def missing(self) -> str:
        if self._path() is None:
            return "docker's compose plug-in is not here: put docker-compose into ~/.docker/cli-plugins"
        return ""

    async def up(self, client: Client, *files: str, before: Sequence[str] = (), after: Sequence[str] = ()) -> tuple[int, str]:
        """Where the engine is this process, it answers the plug-in on a socket of its own meanwhile."""
        path = self._path()
        if path is None:
            return 1, self.missing()
        host, tls = session.current().chosen()
        words = ["compose", *up_line(files, before, after)]
        if host:
            return await _execute(path, [*global_options(host, tls), *words])
        from moby_tui.api.server.serve import serving_privately

        async with serving_privately(client) as socket:
            return await _execute(path, [*global_options(f"unix://{socket}", None), *words])

    def _path(self) -> Path | None:
        return plug_ins.find("compose", session.current().login_folder)


async def _execute(path: Path, words: list[str]) -> tuple[int, str]:
    """Runs the plug-in to its end; cancelled, ends it as ctrl-c does."""
    process = await asyncio.create_subprocess_exec(
        path,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, CALLER: sys.argv[0]},
        start_new_session=True,
    )
    assert process.stdout is not None
    output = b""
    try:
        while piece := await process.stdout.read(_KEPT):
            output = (output + piece)[-_KEPT:]
        code = await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            await asyncio.shield(process.wait())
    return code if code >= 0 else 128 - code, output.decode("utf-8", "replace")
