"""What the tests of the API share: a served fake engine, and the real docker CLI."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import NamedTuple

from api.fake_engine import FakeClient
from moby_tui.api.server.app import App


class Served:
    """A server of a fake engine, and its socket."""

    def __init__(self, engine: FakeClient, app: App, path: Path) -> None:
        self.engine = engine
        self.app = app
        self.path = path


class Done(NamedTuple):
    status: int
    out: str
    err: str


class Docker:
    """The real docker CLI, pointed at our socket."""

    def __init__(self, path: Path, home: Path) -> None:
        self.env = {**os.environ, "DOCKER_HOST": f"unix://{path}", "HOME": str(home), "DOCKER_BUILDKIT": "0"}

    async def start(self, *arguments: str, **options: object) -> asyncio.subprocess.Process:
        pipes = {"stdin": asyncio.subprocess.DEVNULL, "stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
        return await asyncio.create_subprocess_exec("docker", *arguments, env=self.env, **(pipes | options))  # type: ignore[arg-type]

    async def __call__(self, *arguments: str, stdin: bytes | None = None, check: bool = True) -> Done:
        process = await self.start(*arguments, stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE)
        try:
            out, err = await asyncio.wait_for(process.communicate(stdin), 60)
        except TimeoutError:
            process.kill()
            raise AssertionError(f"docker {' '.join(arguments)} hangs") from None
        done = Done(process.returncode or 0, out.decode(), err.decode())
        if check and done.status:
            raise AssertionError(f"docker {' '.join(arguments)}: status {done.status}: {done.out}{done.err}")
        return done
