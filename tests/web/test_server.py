"""Who is admitted to the dashboard in a browser, and what becomes of the programs behind it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from moby_tui.errors import InvalidArgument
from moby_tui.web import server as module
from moby_tui.web.admission import Admission
from moby_tui.web.server import MOST_SESSIONS, Server, bind, terminal_files

#: Speaks the protocol of Textual's web driver: it echoes each packet, and hangs for ever at its end where it was typed "hang".
ECHO = """
import os, sys, time
hang = False
os.write(1, b"some warning\\n__GANGLION__\\n")
while head := sys.stdin.buffer.read(5):
    packet = head + sys.stdin.buffer.read(int.from_bytes(head[1:], "big"))
    hang = hang or b"hang" in packet
    os.write(1, b"D" + len(packet).to_bytes(4, "big") + packet)
    if b"leave" in packet:
        os.write(1, b'M' + (15).to_bytes(4, "big") + b'{"type":"exit"}')
time.sleep(3600 * hang)
"""


class World:
    def __init__(self, client: aiohttp.ClientSession, served: Server, port: int) -> None:
        self.client, self.served, self.port = client, served, port
        self.base = f"http://127.0.0.1:{port}"
        self.page = f"{self.base}{served.admission.path}/"

    async def get(self, path: str = "", **headers: str) -> aiohttp.ClientResponse:
        answer = await self.client.get(self.base + path, headers=headers, allow_redirects=False)
        await answer.read()
        return answer

    async def enter(self) -> aiohttp.ClientResponse:
        return await self.get(f"/?token={self.served.admission.token}")

    async def socket(self, query: str = "width=90&height=30") -> aiohttp.ClientWebSocketResponse:
        return await self.client.ws_connect(f"{self.page}ws?{query}", origin=self.base)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    sock = bind("127.0.0.1", 0, remote=False)
    served = Server([sys.executable, "-c", ECHO], {"MARK": str(id(sock))}, Admission(["proxy.example"]), terminal_files())
    runner = web.AppRunner(served.application(), access_log=None)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        yield World(client, served, sock.getsockname()[1])
    await served.close()
    await runner.cleanup()


async def test_who_is_admitted(world: World) -> None:
    path = world.served.admission.path
    for refused in (
        "/",
        "/?token=",
        "/?token=%FF%00",
        f"/?token={world.served.admission.token}x",
        f"{path}/",
        f"{path}/textual.js",
    ):
        answer = await world.get(refused)
        assert (answer.status, "Set-Cookie" in answer.headers) == (403, False), refused
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await world.socket()

    answer = await world.enter()
    assert (answer.status, answer.headers["Location"]) == (303, f"{path}/")
    cookie = answer.headers["Set-Cookie"]
    assert world.served.admission.token not in cookie
    assert set(cookie.split("; ")[1:]) == {"HttpOnly", f"Path={path}", "SameSite=Strict"}
    answer = await world.get(f"{path}/")
    assert answer.status == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "://" not in await answer.text()
    for file in ("textual.js", "xterm.css", "page.css", "page.js", "roboto-mono.ttf", "roboto-mono-italic.ttf"):
        assert (await world.get(f"{path}/{file}")).status == 200, file
    assert (await world.get(f"{path}/../server.py")).status == 403
    assert (await world.get(f"{path}/server.py")).status == 404


async def test_pages_of_others_are_refused_with_the_cookie_too(world: World) -> None:
    await world.enter()
    path = f"{world.served.admission.path}/"
    for headers in (
        {"Host": f"evil.example:{world.port}"},
        {"Host": f"127.0.0.1.evil.example:{world.port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{world.port + 1}"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert (await world.get(path, **headers)).status == 403, headers
    for name in ("localhost", "proxy.example", f"localhost:{world.port}"):
        assert (await world.get(path, Host=name)).status == 200, name
    for origin in ("http://evil.example", f"http://localhost:{world.port}", None):
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await world.client.ws_connect(f"{world.page}ws", origin=origin)


async def test_a_program_for_each_page_ends_with_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.enter()
    page = await world.socket()
    await page.send_json(["stdin", "ö\x1b[A"])
    assert await page.receive_bytes() == b"D\x00\x00\x00\x05" + "ö\x1b[A".encode()
    await page.send_json(["resize", {"width": 100, "height": 40}])
    assert (await page.receive_bytes())[5:] == b'{"type":"resize","width":100,"height":40}'
    await page.send_json(["ping", "7"])
    assert await page.receive_json() == ["pong", "7"]

    await page.send_json(["stdin", "leave"])
    assert b"leave" in await page.receive_bytes()
    assert (await page.receive()).type is aiohttp.WSMsgType.CLOSE
    await settled(world)

    # what no page sends
    for wrong in ('["stdin"]', '["stdin", 7]', "[]", "{", '["resize", {"width": 0, "height": -1}]', '["run", "sh"]'):
        page = await world.socket("width=x&height=99999999999")
        await page.send_str(wrong)
        assert (await page.receive()).data == aiohttp.WSCloseCode.POLICY_VIOLATION, wrong
    await settled(world)

    # one that does not end is killed; no more than so many at once
    monkeypatch.setattr("moby_tui.web.session.GRACE", 0.05)
    pages = [await world.socket() for _ in range(MOST_SESSIONS)]
    for page in pages:
        await page.send_json(["stdin", "hang"])
        assert b"hang" in await page.receive_bytes()
    with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
        await world.socket()
    assert len(running(world)) == MOST_SESSIONS
    await pages[0].close()
    pages[1]._response.connection.transport.abort()  # type: ignore[union-attr]
    await settled(world, MOST_SESSIONS - 2)
    await world.served.close()
    await settled(world)


def running(world: World) -> list[str]:
    """The programs of the pages, by a variable that only they have."""
    mark = f"MARK={world.served._environment['MARK']}".encode()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if mark in Path(f"/proc/{pid}/environ").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


async def settled(world: World, expected: int = 0) -> None:
    while len(running(world)) != expected:
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("host", "port", "told"),
    [
        ("192.0.2.1", 0, "--allow-remote"),
        ("0.0.0.0", 0, "--allow-remote"),
        ("::", 0, "--allow-remote"),
        ("example.com", 0, "give an address"),
        ("127.0.0.1", 65536, "cannot listen on port 65536"),
        ("127.0.0.1", -2, "cannot listen on port -2"),
    ],
)
def test_where_it_listens(host: str, port: int, told: str) -> None:
    with pytest.raises(InvalidArgument, match=told):
        bind(host, port, remote=False)


def test_an_address_that_others_reach_is_an_option_and_a_port_in_use_is_told() -> None:
    with bind("0.0.0.0", 0, remote=True) as sock, pytest.raises(InvalidArgument, match="Address already in use"):
        bind("127.0.0.1", sock.getsockname()[1], remote=False)


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)  # type: ignore[attr-defined]
    with pytest.raises(Exception, match=r"pip install 'moby-tui\[web\]'"):
        terminal_files()
