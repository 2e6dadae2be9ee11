"""Input that a process leaves unread when it ends: its output and exit code arrive all the same."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api.wire import head
from api.world import Docker
from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.schema.exec import ExecCreate

UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
#: All at once and at the very end, so that the last of the input comes when nobody reads it any more.
SAYS = ["sh", "-c", "head -c 2 >/dev/null; head -c 300000 /dev/zero; exit 7"]
SAID = 300000
LINE = b"y" * 4095 + b"\n"
NO_NETWORK = HostConfig(network_mode="none")


class Host:
    """Where the engine answers."""

    def __init__(self, address: str | tuple[str, int]) -> None:
        self._address = address

    async def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX if isinstance(self._address, str) else socket.AF_INET)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, self._address)
        return sock

    async def flood(self, path: str, body: bytes, start: Any = None) -> bytes:
        """What comes over a hijacked connection into which input is written until it cannot be."""
        loop = asyncio.get_running_loop()
        with await self.connect() as sock:
            headers = {**UPGRADE, "Content-Type": "application/json", "Content-Length": str(len(body))}
            await loop.sock_sendall(sock, head("POST", path, headers).replace(b"Host: x", b"Host: localhost") + body)
            got = bytearray()
            while b"\r\n\r\n" not in got:
                got += await asyncio.wait_for(loop.sock_recv(sock, 65536), 30)
            typing = asyncio.create_task(_type(sock))
            if start:
                await start()
            while data := await asyncio.wait_for(loop.sock_recv(sock, 65536), 60):
                got += data
            typing.cancel()
            await asyncio.wait([typing])
        return bytes(got).partition(b"\r\n\r\n")[2]


async def _type(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            await asyncio.get_running_loop().sock_sendall(sock, LINE)


async def _sleeper(engine: Engine) -> str:
    created = await engine.containers.create(ContainerCreate(image="busybox", cmd=["sleep", "1000"], host_config=NO_NETWORK))
    await engine.containers.start(created.id)
    return created.id


@pytest.fixture
async def hosts(busybox: str, engine: Engine, tmp_path: Path) -> AsyncIterator[dict[str, Host]]:
    async with serving(engine, [f"unix://{tmp_path}/s", "tcp://127.0.0.1:0"]) as [_, tcp]:
        yield {"unix": Host(f"{tmp_path}/s"), "tcp": Host(tcp.socket.getsockname())}


@pytest.mark.parametrize("tty", [False, True], ids=["pipes", "terminal"])
@pytest.mark.parametrize("over", ["unix", "tcp"])
async def test_a_container(hosts: dict[str, Host], engine: Engine, over: str, tty: bool) -> None:
    command = ["sh", "-c", f"stty raw -echo; {SAYS[-1]}"] if tty else SAYS
    asked = ContainerCreate(image="busybox", cmd=command, open_stdin=True, stdin_once=True, tty=tty, host_config=NO_NETWORK)
    for _ in range(5):
        ident = (await engine.containers.create(asked)).id

        async def start(ident: str = ident) -> None:
            await engine.containers.start(ident)

        got = await hosts[over].flood(f"/containers/{ident}/attach?stream=1&stdin=1&stdout=1", b"", start)
        assert got.count(b"\0") >= SAID
        waiting = await engine.containers.wait(ident)
        assert (await waiting.result()).status_code == 7
        await waiting.close()


@pytest.mark.parametrize("tty", [False, True], ids=["pipes", "terminal"])
@pytest.mark.parametrize("over", ["unix", "tcp"])
async def test_an_exec(hosts: dict[str, Host], engine: Engine, over: str, tty: bool) -> None:
    ident = await _sleeper(engine)
    command = ["sh", "-c", f"stty raw -echo; {SAYS[-1]}"] if tty else SAYS
    for _ in range(5):
        asked = ExecCreate(cmd=command, attach_stdin=True, attach_stdout=True, tty=tty)
        execution = await engine.containers.exec_create(ident, asked)
        got = await hosts[over].flood(f"/exec/{execution}/start", json.dumps({"Tty": tty}).encode())
        assert got.count(b"\0") >= SAID
        assert (await engine.containers.exec_inspect(execution)).exit_code == 7


async def test_an_exec_that_does_not_start(hosts: dict[str, Host], engine: Engine) -> None:
    ident = await _sleeper(engine)
    for host in hosts.values():
        execution = await engine.containers.exec_create(ident, ExecCreate(cmd=["nosuch"], attach_stdin=True, attach_stdout=True))
        assert b"executable file not found" in await host.flood(f"/exec/{execution}/start", b"{}")


async def test_dockers_command_line(docker: Docker) -> None:
    script = "while :; do echo y; done | docker {} sh -c 'head -1; exit 7'"
    await docker("run", "-d", "--name", "there", "--network", "none", "busybox", "sleep", "1000")
    for command in ("run -i --rm --network none busybox", "exec -i there"):
        for _ in range(3):
            process = await asyncio.create_subprocess_shell(
                script.format(command), env=docker.env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
            out, err = await asyncio.wait_for(process.communicate(), 60)
            assert (process.returncode, out) == (7, b"y\n"), err
