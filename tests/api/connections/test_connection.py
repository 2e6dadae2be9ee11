"""How connections end: half-closed behind a request, upgraded in vain, cut short; and who may call over TCP."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api.fake_engine import FakeClient
from api.wire import ask, head, read_head
from api.world import Served
from moby_tui.api.server.serve import serving
from moby_tui.errors import NotFound

#: Connections that do nothing, all at once.
IDLE = 1000
UPGRADE: dict[str, Any] = {"Connection": "Upgrade", "Upgrade": "tcp"}
CREATE = b'{"Image":"a"}'
JSON = {"Content-Type": "application/json"}


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    return head(method, path, {"Content-Length": str(len(body)), **headers}) + body


FINITE = {
    "get": request("GET", "/version"),
    "HTTP/1.0": b"GET /version HTTP/1.0\r\n\r\n",
    "post": request("POST", "/containers/create", CREATE, **JSON),
    "post in chunks": head("POST", "/containers/create", {**JSON, "Transfer-Encoding": "chunked"})
    + b"d\r\n" + CREATE + b"\r\n0\r\n\r\n",
    "expect": request("POST", "/containers/create", CREATE, **JSON, Expect="100-continue"),
    "expect, HTTP/1.0": request("POST", "/containers/create", CREATE, **JSON, Expect="100-continue").replace(b"1.1", b"1.0"),
    "slow": request("POST", "/containers/c/stop"),
    "pipelined": request("GET", "/_ping") * 3 + request("GET", "/version"),
    "upgrade of ping": request("GET", "/_ping", **UPGRADE),
    "upgrade of nothing": request("GET", "/nosuch", **UPGRADE),
    "upgrade of a list": request("GET", "/containers/json", **UPGRADE),
    "upgrade of what fails": request("POST", "/containers/missing/attach?stream=1", **UPGRADE),
    "upgrade and more": request("GET", "/nosuch", **UPGRADE) + b"garbage\r\n\r\n",
    "h2c": request("GET", "/_ping", Connection="Upgrade, HTTP2-Settings", Upgrade="h2c"),
    "connect": head("CONNECT", "x:80"),
    "odd method": request("BREW", "/_ping"),
    "garbage": b"\x16\x03\x01\r\n\r\n",
    "body cut short": head("POST", "/containers/create", {**JSON, "Content-Length": "99"}) + CREATE,
    "chunks cut short": head("POST", "/containers/create", {**JSON, "Transfer-Encoding": "chunked"}) + b"d\r\n" + CREATE,
    "upload cut short": head("PUT", "/containers/c/archive?path=/", {"Content-Length": "99"}) + b"tar",
}  # fmt: skip
UNENDING = {
    "events": request("GET", "/events"),
    "wait": request("POST", "/containers/c/wait"),
    "logs": request("GET", "/containers/c/logs?stdout=1&follow=1"),
    "attach": request("POST", "/containers/c/attach?stream=1&stdin=1&stdout=1", **UPGRADE),
}


@pytest.fixture
def engine_that_fails_to_attach(served: Served) -> Served:
    attach = served.engine.containers.attach

    async def refuse(ref: str, options: object) -> object:
        if ref == "missing":
            raise NotFound(f"No such container: {ref}")
        return await attach(ref, options)

    served.engine.containers.attach = refuse
    return served


@pytest.fixture(params=["unix", "tcp"])
async def address(
    engine_that_fails_to_attach: Served, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Served, str | tuple[str, int]]]:
    served = engine_that_fails_to_attach
    if request.param == "unix":
        yield served, str(served.path)
        return
    listener = socket.create_server(("127.0.0.1", 0))
    server = await asyncio.get_running_loop().create_server(served.app, sock=listener)
    yield served, listener.getsockname()
    server.close()


async def connect(address: str | tuple[str, int]) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, address)
    return sock


async def read_all(sock: socket.socket) -> bytes:
    data = b""
    while piece := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 65536), 30):
        data += piece
    return data


async def descriptors_are(count: int) -> bool:
    for _ in range(200):
        if len(os.listdir("/proc/self/fd")) <= count:
            return True
        await asyncio.sleep(0.05)
    return False


def to_localhost(data: bytes) -> bytes:
    return data.replace(b"Host: x", b"Host: localhost")


@pytest.mark.parametrize("data", FINITE.values(), ids=FINITE)
async def test_a_client_that_half_closes_is_answered_and_forgotten(
    address: tuple[Served, str | tuple[str, int]], data: bytes
) -> None:
    served, place = address
    data = to_localhost(data)
    loop = asyncio.get_running_loop()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        with await connect(place) as sock:
            await loop.sock_sendall(sock, data)
            sock.shutdown(socket.SHUT_WR)
            answers = await read_all(sock)
        assert answers.startswith(b"HTTP/1.") and answers.count(b"HTTP/1.") >= max(1, data.count(b"GET"))
    for half in (True, False):
        for _ in range(10):
            with await connect(place) as sock:
                await loop.sock_sendall(sock, data)
                if half:
                    sock.shutdown(socket.SHUT_WR)
    assert await descriptors_are(before) and not served.app.connections


@pytest.mark.parametrize("data", UNENDING.values(), ids=UNENDING)
async def test_a_client_that_leaves_an_answer_without_end_is_forgotten(engine_that_fails_to_attach: Served, data: bytes) -> None:
    served = engine_that_fails_to_attach
    before = len(os.listdir("/proc/self/fd"))
    for half in (True, False):
        for waits in (True, False):
            sock = await connect(str(served.path))
            await asyncio.get_running_loop().sock_sendall(sock, data)
            if half:
                sock.shutdown(socket.SHUT_WR)
            if waits:
                assert (await asyncio.get_running_loop().sock_recv(sock, 65536)).startswith(b"HTTP/1.1 ")
            sock.close()
            for _ in range(200):
                if not served.app.connections:
                    break
                await asyncio.sleep(0.05)
            assert not served.app.connections
            if served.engine.containers.far:
                served.engine.containers.far[1].close()
    assert await descriptors_are(before)


async def test_a_body_that_is_cut_short_is_the_clients_fault(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("body cut short", "chunks cut short", "upload cut short"):
        with await connect(str(served.path)) as sock:
            await asyncio.get_running_loop().sock_sendall(sock, FINITE[name])
            sock.shutdown(socket.SHUT_WR)
            assert (await read_all(sock)).startswith(b"HTTP/1.1 400 ")
    assert not served.engine.containers.created
    assert not [record for record in caplog.records if record.levelno > logging.DEBUG]


async def test_what_is_no_http_is_one_line_at_debug_level(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    malformed = [
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"GET / HTTP/x\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 1_100_000 + b"\r\n\r\n",
        head("POST", "/containers/create", {**JSON, "Transfer-Encoding": "chunked"}) + b"nonsense\r\n",
        head("POST", "/containers/create", {**JSON, "Content-Encoding": "gzip", "Content-Length": "3"}) + b"abc",
        b"GET /_ping?\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /containers/%ff%fe/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ]
    for data in malformed:
        caplog.clear()
        with await connect(str(served.path)) as sock:
            await asyncio.get_running_loop().sock_sendall(sock, data)
            sock.shutdown(socket.SHUT_WR)
            assert (await read_all(sock)).startswith(b"HTTP/1."), data[:80]
        ours = [record for record in caplog.records if record.name != "asyncio"]
        assert len(ours) <= 1 and all(record.levelno == logging.DEBUG and not record.exc_info for record in ours), data[:80]


@pytest.mark.parametrize("pieces", [1, 2])
async def test_requests_ahead_of_a_malformed_one_have_their_answers(served: Served, pieces: int) -> None:
    created = request("POST", "/containers/create", CREATE, **JSON)
    for malformed in (b"\x16garbage\r\n\r\n", head("GET", "/_ping", {"Content-Length": "x"}), b"GET / HTTP/1.1\nHost: x\r\n\r\n"):
        data = request("GET", "/_ping") + created + request("GET", "/nosuch") + malformed
        with await connect(str(served.path)) as sock:
            for start in range(0, len(data), len(data) // pieces + 1):
                await asyncio.get_running_loop().sock_sendall(sock, data[start : start + len(data) // pieces + 1])
            answers = await read_all(sock)
        assert re.findall(rb"HTTP/1.. (\d+)", answers) == [b"200", b"201", b"404", b"400"]


async def test_more_requests_than_are_read_ahead_have_their_answers_too(served: Served) -> None:
    with await connect(str(served.path)) as sock:
        await asyncio.get_running_loop().sock_sendall(sock, request("GET", "/_ping") * 100 + b"garbage\r\n\r\n")
        answers = await read_all(sock)
    assert re.findall(rb"HTTP/1.. (\d+)", answers) == [*[b"200"] * 100, b"400"]


async def test_an_expectation_that_nobody_knows_fails(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(head("GET", "/_ping", {"Expect": "miracles", "Connection": "close"}))
    assert (await read_head(reader))[0] == 417
    writer.close()


async def test_four_hundred_connections_at_once(tmp_path: Path) -> None:
    engine = FakeClient()
    async with serving(engine, [f"unix://{tmp_path}/s"]):
        socks = [socket.socket(socket.AF_UNIX) for _ in range(400)]
        for sock in socks:
            # nothing is accepted meanwhile; a full queue would answer EAGAIN (unix(7))
            sock.setblocking(False)
            sock.connect(f"{tmp_path}/s")
        for sock in socks:
            await asyncio.get_running_loop().sock_sendall(sock, head("GET", "/_ping"))
        for sock in socks:
            assert (await asyncio.get_running_loop().sock_recv(sock, 100)).startswith(b"HTTP/1.1 200")
            sock.close()


STATE_CHANGING = [
    ("POST", "/build"),
    ("POST", "/images/create?fromImage=a"),
    ("POST", "/images/load"),
    ("POST", "/containers/prune"),
    ("POST", "/containers/c/kill"),
    ("POST", "/containers/c/start"),
    ("POST", "/containers/create"),
    ("POST", "/commit?container=c"),
    ("PUT", "/containers/c/archive?path=/"),
    ("DELETE", "/containers/c"),
    ("GET", "/containers/json"),
    ("GET", "/containers/c/attach/ws"),
    ("HEAD", "/_ping"),
    ("OPTIONS", "/info"),
    ("POST", "/nosuch"),
]
FOREIGN = {
    "rebound name": {"Host": "attacker.example"},
    "rebound name and port": {"Host": "attacker.example:{port}"},
    "name that ends alike": {"Host": "localhost.attacker.example"},
    "address in a name": {"Host": "127.0.0.1.attacker.example"},
    "user before it": {"Host": "localhost@attacker.example"},
    "another address": {"Host": "10.1.2.3:{port}"},
    "any address": {"Host": "0.0.0.0:{port}"},
    "another page": {"Host": "127.0.0.1:{port}", "Origin": "http://attacker.example"},
    "another port's page": {"Host": "127.0.0.1:{port}", "Origin": "http://127.0.0.1:1"},
    "a page that cannot be read": {"Host": "127.0.0.1:{port}", "Origin": "http://["},
    "a page without origin": {"Host": "127.0.0.1:{port}", "Origin": "null"},
    "a browser's word": {"Host": "127.0.0.1:{port}", "Sec-Fetch-Site": "cross-site"},
}
OWN = {
    "address": {"Host": "127.0.0.1:{port}"},
    "loopback": {"Host": "[::1]:{port}"},
    "localhost": {"Host": "LocalHost"},
    "with a dot": {"Host": "localhost.:{port}"},
    "docker's name": {"Host": "api.moby.localhost"},
    "machine": {"Host": socket.gethostname()},
    "configured": {"Host": "Engine.Example:{port}"},
    "its own page": {"Host": "localhost:{port}", "Origin": "http://localhost:{port}"},
}


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    async with serving(FakeClient(), ["tcp://127.0.0.1:0"], names=["engine.example"]) as [listener]:
        yield listener.socket.getsockname()[1]


async def status(port: int, method: str, path: str, headers: dict[str, str]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{method} {path} HTTP/1.1", "Content-Type: text/plain", "Content-Length: 0", "Connection: close"]
    lines += [f"{name}: {value.format(port=port)}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    found = (await read_head(reader))[0]
    writer.close()
    return found


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
async def test_web_pages_are_refused_over_tcp(port: int, headers: dict[str, str]) -> None:
    for method, path in STATE_CHANGING:
        assert await status(port, method, path, headers) == 403, (method, path)


@pytest.mark.parametrize("headers", OWN.values(), ids=OWN)
async def test_clients_that_call_this_engine_are_served(port: int, headers: dict[str, str]) -> None:
    assert await status(port, "GET", "/_ping", headers) == 200


async def test_the_whole_address_in_the_request_line_counts_too(port: int) -> None:
    assert await status(port, "POST", "http://attacker.example/containers/prune", {"Host": "localhost"}) == 403


async def test_a_unix_socket_is_called_by_any_name(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(head("GET", "/_ping", {"Connection": "close", "Origin": "http://x"}))
    assert (await read_head(reader))[0] == 200
    writer.close()


async def test_a_thousand_idle_connections_hold_nobody_up(served: Served) -> None:
    before, resident = len(os.listdir("/proc/self/fd")), _resident()
    idle = [socket.socket(socket.AF_UNIX) for _ in range(IDLE)]
    for sock in idle:
        # in a thread, which waits while as many as the server's backlog are not accepted yet
        await asyncio.to_thread(sock.connect, str(served.path))
        sock.setblocking(False)
    half = request("GET", "/_ping")[:-2]
    for number, sock in enumerate(idle):
        # some have begun a request, some have one answered
        if number % 3:
            await asyncio.get_running_loop().sock_sendall(sock, half if number % 3 == 1 else request("GET", "/_ping"))
    for sock in idle[2::3]:
        assert (await asyncio.get_running_loop().sock_recv(sock, 65536)).startswith(b"HTTP/1.1 200 ")
    assert (await ask(served.path, "GET", "/version")).status == 200
    assert len(served.app.connections) >= IDLE
    assert _resident() - resident < IDLE * 64 * 1024
    for sock in idle[1::3]:
        await asyncio.get_running_loop().sock_sendall(sock, b"\r\n")
        assert (await asyncio.get_running_loop().sock_recv(sock, 65536)).startswith(b"HTTP/1.1 200 ")
    for sock in idle:
        sock.close()
    assert await descriptors_are(before)
    async with asyncio.timeout(30):
        while served.app.connections:
            await asyncio.sleep(0.01)


def _resident() -> int:
    """Bytes of this process in memory (proc_pid_statm(5))."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
