"""Attach over a WebSocket, with a client of somebody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, UnixConnector, WSMsgType

from api.wire import ask
from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig

SCRIPT = "echo out; echo err >&2; while read line; do echo got $line; [ $line = end ] && exit 3; done"
ALL = "stream=1&stdin=1&stdout=1&stderr=1"


@pytest.fixture
async def session(socket_path: Path) -> AsyncIterator[ClientSession]:
    async with ClientSession(connector=UnixConnector(str(socket_path))) as opened:
        yield opened


async def _create(engine: Engine, *, tty: bool = False) -> None:
    host = HostConfig(network_mode="none")
    asked = ContainerCreate(image="busybox", cmd=["sh", "-c", SCRIPT], open_stdin=True, tty=tty, host_config=host)
    await engine.containers.create(asked, name="box")


async def _until(client: ClientWebSocketResponse, expected: bytes) -> None:
    """Reads until what came ends so."""
    came = b""
    while not came.endswith(expected):
        came += await client.receive_bytes(timeout=30)


@pytest.mark.parametrize("tty", [False, True], ids=["pipes", "terminal"])
async def test_output_and_input(engine: Engine, socket_path: Path, session: ClientSession, tty: bool) -> None:
    await _create(engine, tty=tty)
    end = b"\r\n" if tty else b"\n"
    async with session.ws_connect(f"http://d/containers/box/attach/ws?{ALL}") as first:
        assert (await ask(socket_path, "POST", "/containers/box/start")).status == 204
        await _until(first, b"err" + end)
        await first.send_str("text\n")
        await _until(first, b"got text" + end)
    # who goes leaves it running
    async with session.ws_connect(f"http://d/v1.41/containers/box/attach/ws?{ALL}&logs=1") as second:
        await _until(second, b"got text" + end)
        await second.ping()
        await second.send_bytes(b"end\n")
        await _until(second, b"got end" + end)
        assert (await second.receive(timeout=30)).type == WSMsgType.CLOSE
        assert second.close_code == 1000
    assert (await ask(socket_path, "POST", "/containers/box/wait")).json()["StatusCode"] == 3


async def test_who_sends_too_much_is_cut_off_alone(engine: Engine, socket_path: Path, session: ClientSession) -> None:
    await _create(engine)
    await engine.containers.start("box")
    async with session.ws_connect(f"http://d/containers/box/attach/ws?{ALL}") as client:
        # the server may be gone before it has read all
        with suppress(ConnectionError):
            await client.send_bytes(b"x" * (2 << 20))
        while (message := await client.receive(timeout=30)).type == WSMsgType.BINARY:
            assert b"x" not in message.data
        assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR)
    # what stdin is not asked for is not given
    async with session.ws_connect("http://d/containers/box/attach/ws?stream=1&stdout=1") as client:
        await client.send_bytes(b"end\n")
    async with session.ws_connect(f"http://d/containers/box/attach/ws?{ALL}") as client:
        await client.send_bytes(b"still\n")
        await _until(client, b"got still\n")
    assert (await ask(socket_path, "GET", f"/containers/nosuch/attach/ws?{ALL}")).status == 404
    refused = await ask(socket_path, "GET", f"/containers/box/attach/ws?{ALL}")
    assert refused.status == 400 and "Upgrade: websocket" in refused.message
