"""Attach and exec: connections that stop being HTTP."""

from __future__ import annotations

import asyncio
import socket

from api.wire import ask, head, read_head
from api.world import Served

UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp", "Content-Length": "0"}
ATTACH = "/v1.50/containers/c/attach?stream=1&stdin=1&stdout=1&stderr=1"


async def _far(served: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    await asyncio.wait_for(served.engine.containers.attached.wait(), 5)
    assert served.engine.containers.far
    far: tuple[asyncio.StreamReader, asyncio.StreamWriter] = served.engine.containers.far
    return far


async def _no_connections(served: Served) -> None:
    for _ in range(100):
        if not served.app.connections:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{len(served.app.connections)} connections leaked")


async def test_upgrade_then_half_close_and_output_after_it(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(head("POST", ATTACH, UPGRADE))
    _, headers, line = await read_head(reader)
    assert line == "HTTP/1.1 101 UPGRADED"
    assert headers["content-type"] == "application/vnd.docker.multiplexed-stream"
    assert (headers["connection"], headers["upgrade"]) == ("Upgrade", "tcp")
    far_reader, far_writer = await _far(served)
    writer.write(b"typed")
    writer.write_eof()
    assert await asyncio.wait_for(far_reader.read(), 5) == b"typed"
    far_writer.write(b"late output")
    far_writer.close()
    assert await asyncio.wait_for(reader.read(), 5) == b"late output"
    writer.close()
    await _no_connections(served)


async def test_input_and_its_end_may_come_with_the_request(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(head("POST", ATTACH, UPGRADE) + b"early")
    writer.write_eof()
    await read_head(reader)
    far_reader, far_writer = await _far(served)
    assert await asyncio.wait_for(far_reader.read(), 5) == b"early"
    far_writer.write(b"out")
    far_writer.close()
    assert await asyncio.wait_for(reader.read(), 5) == b"out"
    writer.close()
    await _no_connections(served)


async def test_output_does_not_come_with_the_headers(served: Served) -> None:
    """docker-py loses what does: it reads the headers through a buffer, and the stream past it."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        await loop.sock_connect(client, str(served.path))
        await loop.sock_sendall(client, head("POST", ATTACH, UPGRADE))
        _, far_writer = await _far(served)
        far_writer.write(b"out")
        far_writer.close()
        # it would be here by then
        await asyncio.sleep(0.05)
        assert (await loop.sock_recv(client, 65536)).endswith(b"\r\n\r\n")
        assert await asyncio.wait_for(loop.sock_recv(client, 65536), 5) == b"out"
    await _no_connections(served)


async def test_without_upgrade_the_answer_is_200_and_raw(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(head("POST", "/v1.41/containers/c/attach?stream=1&stdout=1", {"Content-Length": "0"}))
    status, headers, _ = await read_head(reader)
    assert (status, headers["content-type"]) == (200, "application/vnd.docker.raw-stream")
    assert "transfer-encoding" not in headers and "upgrade" not in headers
    _, far_writer = await _far(served)
    far_writer.write(b"\x01raw")
    far_writer.close()
    assert await asyncio.wait_for(reader.read(), 5) == b"\x01raw"
    writer.close()


async def test_a_client_that_vanishes_lets_go_of_a_silent_process(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(head("POST", "/containers/c/attach?stream=1&stdout=1", UPGRADE))
    await read_head(reader)
    far_reader, far_writer = await _far(served)
    writer.close()
    assert await asyncio.wait_for(far_reader.read(), 5) == b""
    far_writer.close()
    await _no_connections(served)


async def test_a_client_that_half_closes_and_then_vanishes_is_noticed(served: Served) -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, str(served.path))
    await loop.sock_sendall(sock, head("POST", ATTACH, UPGRADE))
    assert b"UPGRADED" in await loop.sock_recv(sock, 1000)
    far_reader, far_writer = await _far(served)
    sock.shutdown(socket.SHUT_WR)
    assert await asyncio.wait_for(far_reader.read(), 5) == b""
    far_writer.write(b"x")
    assert await loop.sock_recv(sock, 10) == b"x"
    sock.close()
    await _no_connections(served)
    far_writer.close()


async def test_an_error_before_the_upgrade_keeps_its_status(served: Served) -> None:
    assert (await ask(served.path, "GET", "/containers/none/logs?stdout=1")).status == 404
    served.engine.containers.attach = None  # a bug of the engine, not of the client
    answer = await ask(served.path, "POST", ATTACH, headers={"Connection": "Upgrade", "Upgrade": "tcp"})
    assert answer.status == 500 and answer.message.startswith("internal error")
    await _no_connections(served)


async def test_exec_tells_a_missing_command_in_the_stream(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    body = b'{"Detach":false,"Tty":false}'
    headers = {**UPGRADE, "Content-Type": "application/json", "Content-Length": str(len(body))}
    writer.write(head("POST", "/v1.50/exec/e/start", headers) + body)
    assert (await read_head(reader))[0] == 101
    output = await asyncio.wait_for(reader.read(), 5)
    assert output[0] == 1 and output.endswith(b"executable file not found in $PATH\r\n")
    writer.close()
    await _no_connections(served)


async def test_thirty_megabytes_pass_through(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(head("POST", ATTACH, UPGRADE))
    await read_head(reader)
    _, far_writer = await _far(served)

    async def produce() -> None:
        for _ in range(30):
            far_writer.write(b"x" * 1024 * 1024)
            await far_writer.drain()
        far_writer.close()

    producing = asyncio.create_task(produce())
    total = 0
    while piece := await asyncio.wait_for(reader.read(1 << 20), 10):
        total += len(piece)
    await producing
    assert total == 30 * 1024 * 1024
    writer.close()
