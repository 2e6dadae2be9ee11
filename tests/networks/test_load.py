"""Much traffic at once: bytes between two containers of a network, and connections to a published port."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine as WholeEngine
from moby_tui.engine.kernel.network import netns
from moby_tui.schema.container import AttachOptions, ContainerCreate, HostConfig, PortBinding
from moby_tui.schema.exec import ExecCreate, ExecStart
from moby_tui.schema.network import NetworkCreate
from networks.world import until

#: Busybox's nc, cat and md5sum take 3 s of processor time for 256 MB one way: a gibibyte each way would be 24 s. The suite sends a
#: quarter of it, and MOBY_TEST_MEGABYTES=1024 all.
MEGABYTES = int(os.environ.get("MOBY_TEST_MEGABYTES", "256"))
BLOCK = 16
CONNECTIONS = 1000
PORT = 28090


async def test_what_two_containers_send_each_other_arrives_whole(whole_engine: WholeEngine, tmp_path: Path) -> None:
    """Both ways at the same time, by the other container's name."""
    block = os.urandom(BLOCK << 20)
    (tmp_path / "block").write_bytes(block)
    await whole_engine.networks.create(NetworkCreate(name="wire"))
    host = HostConfig(network_mode="wire", binds=[f"{tmp_path}:/data:ro"])
    # nc ends what it sends with the end of its input: that of the receiver has none. The container runs until the other has its answer.
    asked = ContainerCreate(
        image="busybox", cmd=["sh", "-c", "mkfifo /f; nc -l -p 5000 <> /f | md5sum; sleep 1000"], host_config=host
    )
    received = []
    for name in ("one", "two"):
        await whole_engine.containers.create(asked, name=name)
        received.append((await whole_engine.containers.attach(name, AttachOptions())).output())
        await whole_engine.containers.start(name)
        pid = (await whole_engine.containers.inspect(name)).state.pid
        await until(partial(_listens, pid, ":1388 "))
    script = f"for _ in $(seq {MEGABYTES // BLOCK}); do cat /data/block; done | nc %s 5000"
    sent = [await _execute(whole_engine, name, script % to) for name, to in (("one", "two"), ("two", "one"))]
    digest = hashlib.md5()
    for _ in range(MEGABYTES // BLOCK):
        digest.update(block)
    assert await asyncio.gather(*map(_whole, sent)) == [b"", b""]
    assert [(await anext(output))[1] for output in received] == [f"{digest.hexdigest()}  -\n".encode()] * 2


def _listens(pid: int, port: str) -> bool:
    return any(port in Path(f"/proc/{pid}/net/{table}").read_text() for table in ("tcp", "tcp6"))


async def _execute(engine: WholeEngine, container: str, script: str) -> AsyncIterator[tuple[int, bytes]]:
    asked = ExecCreate(cmd=["sh", "-c", script], attach_stdout=True, attach_stderr=True)
    stream = await engine.containers.exec_start(await engine.containers.exec_create(container, asked), ExecStart())
    assert stream is not None
    return stream.output()


async def _whole(output: AsyncIterator[tuple[int, bytes]]) -> bytes:
    return b"".join([data async for _, data in output])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_thousand_connections_at_once_are_all_answered(whole_engine: WholeEngine, host: str) -> None:
    """IPv4 is led by the firewall, IPv6 by the monitor's forwarder. Every connection stays open until the last has its answer."""
    published = HostConfig(port_bindings={"80/tcp": [PortBinding(host_port=str(PORT))]})
    asked = ContainerCreate(image="busybox", cmd=["sleep", "1000"], host_config=published)
    ident = (await whole_engine.containers.create(asked)).id
    await whole_engine.containers.start(ident)
    pid = (await whole_engine.containers.inspect(ident)).state.pid
    namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    listener = netns.call(namespace, lambda: socket.create_server(("0.0.0.0", 80), backlog=CONNECTIONS))
    os.close(namespace)
    opened = asyncio.Barrier(CONNECTIONS)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"answer to " + await reader.readline())
        await reader.read()
        writer.close()

    async def ask(number: int) -> bytes:
        reader, writer = await asyncio.open_connection(host, PORT)
        await opened.wait()
        writer.write(b"%d\n" % number)
        line = await reader.readline()
        await opened.wait()
        writer.close()
        return line

    async with await asyncio.start_server(answer, sock=listener):
        answers = await asyncio.gather(*map(ask, range(CONNECTIONS)))
    assert answers == [b"answer to %d\n" % number for number in range(CONNECTIONS)]
