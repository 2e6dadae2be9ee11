from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.fake_engine import FakeClient
from buildkit.client import Client
from buildkit.peer import Daemon
from moby_tui.api.server.app import make_app
from moby_tui.api.server.listen import listen
from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine


@pytest.fixture
async def socket(engine: Engine, busybox: str, tmp_path: Path) -> AsyncIterator[Path]:
    """The socket of a server with an engine that has the image busybox."""
    async with serving(engine, [f"unix://{tmp_path}/s"]):
        yield tmp_path / "s"


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """A server of the API without an engine behind it: nothing here runs a container."""
    [listener] = listen(f"unix://{tmp_path}/s")
    app = make_app(FakeClient())
    server = await asyncio.get_running_loop().create_server(app, sock=listener.socket)
    yield Daemon(app, tmp_path / "s")
    server.close()
    app.end_streams()
    await app.shutdown(0.2)
    listener.close()


@pytest.fixture
async def client(engine: Engine, busybox: str, tmp_path: Path) -> AsyncIterator[Client]:
    """A build client of a server with an engine that has the image busybox."""
    [listener] = listen(f"unix://{tmp_path}/s")
    app = make_app(engine)
    server = await asyncio.get_running_loop().create_server(app, sock=listener.socket)
    yield Client(Daemon(app, tmp_path / "s"), tmp_path / "context", {"s": b"hush"})
    server.close()
    app.end_streams()
    await app.shutdown(0.2)
    listener.close()
