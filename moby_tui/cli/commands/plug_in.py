"""The plug-ins of docker's command line as commands of moby: ``moby compose`` and ``moby buildx`` are docker's own programs.

A plug-in speaks to an engine's socket. Where no other engine is named, the engine in this process answers on a socket of its own for as
long as the plug-in runs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from moby_tui.cli import session

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.api.client.tls import Tls

#: By which a plug-in knows who called it (docker/cli, cli-plugins/metadata).
CALLER = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"


def run(path: Path, words: Sequence[str]) -> int:
    """Runs the plug-in, with an engine to talk to; returns its exit code. ``words`` are its name and all behind it."""
    host, tls = session.current().chosen()
    # ctrl-c reaches the plug-in too, which may need the engine to end what it has begun
    former = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        if host:
            return asyncio.run(_execute(path, [*global_options(host, tls), *words]))
        return session.call(lambda client: _serve(client, path, words))
    finally:
        signal.signal(signal.SIGINT, former)


async def _serve(client: Client, path: Path, words: Sequence[str]) -> int:
    from moby_tui.api.server.serve import serving_privately

    async with serving_privately(client) as socket:
        return await _execute(path, [*global_options(f"unix://{socket}", None), *words])


def global_options(host: str, tls: Tls | None) -> list[str]:
    """docker's global options, which every plug-in knows."""
    options = ["--host", host]
    if tls is not None:
        files = (("--tlscacert", tls.authority), ("--tlscert", tls.certificate), ("--tlskey", tls.key))
        options += ["--tlsverify" if tls.verify else "--tls", *(word for pair in files if pair[1] for word in pair)]
    return options


async def _execute(path: Path, words: Sequence[str]) -> int:
    process = await asyncio.create_subprocess_exec(path, *words, env={**os.environ, CALLER: sys.argv[0]})
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, process.terminate)
    try:
        code = await process.wait()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
    return code if code >= 0 else 128 - code
