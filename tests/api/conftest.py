from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from fake_engine import FakeClient

from moby_tui.api.client.address import Address
from moby_tui.api.client.http import HttpClient
from moby_tui.api.server.app import App, make_app
from moby_tui.api.server.listen import listen
from moby_tui.api.server.serve import serving

if TYPE_CHECKING:
    from moby_tui.engine.engine import Engine


class Served:
    """A server of a fake engine, and its socket."""

    def __init__(self, engine: FakeClient, app: App, path: Path) -> None:
        self.engine = engine
        self.app = app
        self.path = path


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    engine = FakeClient()
    [listener] = listen(f"unix://{tmp_path}/s")
    app = make_app(engine)  # type: ignore[arg-type]
    server = await asyncio.get_running_loop().create_server(app, sock=listener.socket)
    yield Served(engine, app, tmp_path / "s")
    server.close()
    app.end_streams()
    await app.shutdown(0.2)
    listener.close()


@pytest.fixture
async def socket_path(busybox: str, engine: Engine, tmp_path: Path) -> AsyncIterator[Path]:
    """A real engine with the image ``busybox``, served on this socket."""
    path = tmp_path / "docker.sock"
    async with serving(engine, [f"unix://{path}"]):
        yield path


@pytest.fixture
async def remote(socket_path: Path) -> AsyncIterator[HttpClient]:
    """The remote client of the real engine."""
    async with HttpClient(Address(path=str(socket_path))) as client:
        yield client


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


@pytest.fixture
def docker(socket_path: Path, tmp_path: Path) -> Docker:
    return Docker(socket_path, tmp_path)
