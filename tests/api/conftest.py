from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from api.fake_engine import FakeClient
from api.world import Docker, Served
from moby_tui.api.client.address import Address
from moby_tui.api.client.http import HttpClient
from moby_tui.api.server.app import make_app
from moby_tui.api.server.listen import listen
from moby_tui.api.server.serve import serving
from moby_tui.schema.container import ContainerCreate, HostConfig

if TYPE_CHECKING:
    from moby_tui.engine.engine import Engine


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    engine = FakeClient()
    [listener] = listen(f"unix://{tmp_path}/s")
    app = make_app(engine)
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
    name = f"moby-{engine.paths.instance}"
    subprocess.run(["ip", "link", "delete", name], capture_output=True)
    subprocess.run(["nft", "delete", "table", "ip", name], capture_output=True)


@pytest.fixture
async def remote(socket_path: Path) -> AsyncIterator[HttpClient]:
    """The remote client of the real engine."""
    async with HttpClient(Address(path=str(socket_path))) as client:
        yield client


@pytest.fixture
def docker(socket_path: Path, tmp_path: Path) -> Docker:
    return Docker(socket_path, tmp_path)


@pytest.fixture
async def containers(busybox: str, engine: Engine) -> Engine:
    """One in each state, by its name."""
    for name, command in (("runs", "sleep"), ("paused", "sleep"), ("created", "sleep"), ("ended", "true")):
        asked = ContainerCreate(image="busybox", cmd=[command, "1000"], host_config=HostConfig(network_mode="none"))
        await engine.containers.create(asked, name=name)
        if name != "created":
            await engine.containers.start(name)
    await engine.containers.pause("paused")
    waiting = await engine.containers.wait("ended")
    await waiting.result()
    await waiting.close()
    return engine


@pytest.fixture
async def runs(busybox: str, engine: Engine) -> Engine:
    """A running one of this name."""
    asked = ContainerCreate(image="busybox", cmd=["sleep", "1000"], host_config=HostConfig(network_mode="none"))
    await engine.containers.create(asked, name="runs")
    await engine.containers.start("runs")
    return engine
