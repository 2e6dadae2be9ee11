"""The remote client, against our server of a fake engine and against answers as other engines give them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.fake_engine import ID
from api.world import Served
from moby_tui.api.client import lenient
from moby_tui.api.client.address import Address, parse_host
from moby_tui.api.client.http import HttpClient
from moby_tui.api.client.tls import Tls
from moby_tui.errors import CommandNotFound, InvalidArgument, MobyError, NotFound, NotImplementedYet, NotModified, Unavailable
from moby_tui.schema.container import (
    AttachOptions,
    ContainerCreate,
    ContainerInspect,
    ContainerSummary,
    LogOptions,
)
from moby_tui.schema.exec import ExecStart
from moby_tui.schema.stream import STDERR, STDOUT
from moby_tui.schema.system import Info


@pytest.fixture
def client(served: Served) -> HttpClient:
    return HttpClient(Address(path=str(served.path)))


async def test_objects_and_errors(served: Served, client: HttpClient) -> None:
    async with client:
        assert (await client.containers.list(filters={"label": ["a"]}))[0].id == ID
        assert served.engine.containers.filters == [{"label": ["a"]}]
        created = await client.containers.create(ContainerCreate(image="i", env=["A=b"]), name="n")
        assert created.id == ID and served.engine.containers.created[0][0].env == ["A=b"]
        with pytest.raises(NotFound, match="No such container: x"):
            await client.containers.inspect("x")
        with pytest.raises(CommandNotFound):
            await client.containers.start("c")
        with pytest.raises(NotModified):
            await client.containers.start("running")


async def test_pull_raises_what_the_stream_tells(client: HttpClient) -> None:
    seen = []
    with pytest.raises(NotFound, match="manifest unknown"):
        async for step in client.images.pull("a/b:c"):
            seen.append(step.status)
    assert seen == ["Pulling"]


async def test_logs_come_line_by_line(served: Served, client: HttpClient) -> None:
    served.engine.containers.log_lines = [(STDOUT, b"a"), (STDERR, b"e\n"), (STDOUT, b"b\nc\n"), (STDOUT, b"rest")]
    assert [line async for line in client.containers.logs("c", LogOptions())] == [
        (STDERR, b"e\n"),
        (STDOUT, b"ab\n"),
        (STDOUT, b"c\n"),
        (STDOUT, b"rest"),
    ]


async def test_attach_both_ways_with_half_close(served: Served, client: HttpClient) -> None:
    stream = await client.containers.attach("c", AttachOptions(stdin=True))
    assert not stream.tty and served.engine.containers.far
    far_reader, far_writer = served.engine.containers.far
    await stream.write(b"in")
    stream.close_stdin()
    assert await asyncio.wait_for(far_reader.read(), 5) == b"in"
    far_writer.write(b"\x01\0\0\0\0\0\0\x03out")
    far_writer.close()
    assert [item async for item in stream.output()] == [(STDOUT, b"out")]
    stream.close()


async def test_exec_errors_come_in_the_stream(client: HttpClient) -> None:
    stream = await client.containers.exec_start("e", ExecStart())
    assert stream
    assert b"".join([data async for _, data in stream.output()]).endswith(b"not found in $PATH\r\n")
    stream.close()


async def test_wait_is_registered_before_it_returns(served: Served, client: HttpClient) -> None:
    waiting = await client.containers.wait("c", condition="next-exit")
    served.engine.containers.exited.set()
    assert (await asyncio.wait_for(waiting.result(), 5)).status_code == 7
    await waiting.close()


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_uploads(served: Served, client: HttpClient) -> None:
    await client.containers.archive_put("c", "/", _pieces(b"ab", b"", b"c" * 100_000))
    assert served.engine.containers.uploaded == b"ab" + b"c" * 100_000
    with pytest.raises(NotFound, match="no such directory"):
        await asyncio.wait_for(client.containers.archive_put("c", "/missing", _endless()), 5)


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 65536


async def test_an_upload_that_fails_here_raises_its_own_error(served: Served, client: HttpClient) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise MobyError("the disk caught fire")

    with pytest.raises(MobyError, match="the disk caught fire"):
        await asyncio.wait_for(client.containers.archive_put("c", "/", broken()), 5)


async def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="is the engine running there"):
        async with HttpClient(Address(path=f"{tmp_path}/none")):
            pass


@contextlib.asynccontextmanager
async def _engine_that_says(path: Path, *answers: bytes) -> AsyncIterator[list[bytes]]:
    """Each connection gets the next answer; yields the request heads."""
    left, heads = list(answers), list[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(left.pop(0))
        writer.close()

    server = await asyncio.start_unix_server(serve, str(path))
    yield heads
    server.close()


def _says(body: bytes, *, status: str = "200 OK", version: str = "1.41") -> bytes:
    return f"HTTP/1.1 {status}\r\nApi-Version: {version}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def test_an_older_engine_is_spoken_to_in_its_version(tmp_path: Path) -> None:
    body = b'[{"Id":"1","Names":null,"Image":"i","ImageID":"","Command":"","Created":1,"Ports":null,"Labels":null,"State":"","Status":""}]'
    async with _engine_that_says(tmp_path / "s", _says(b""), _says(body)) as heads:
        client = HttpClient(Address(path=str(tmp_path / "s")))
        [row] = await client.containers.list()
        assert (row.id, row.names, row.ports, row.labels) == ("1", [], [], {})
        assert heads[1].startswith(b"GET /v1.41/containers/json HTTP/1.1\r\n")


async def test_hostile_answers_are_errors(tmp_path: Path) -> None:
    for answer in (b"garbage\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", _says(b"[" * 100_000)):
        async with _engine_that_says(tmp_path / "s", _says(b""), answer):
            with pytest.raises(MobyError):
                await HttpClient(Address(path=str(tmp_path / "s"))).system.info()
        (tmp_path / "s").unlink(missing_ok=True)


def test_nulls_wrong_case_and_foreign_types_are_borne() -> None:
    info = lenient.decode_foreign(
        b'{"ID":"x","Labels":null,"Runtimes":{"runc":{"path":"runc","status":{"a":"b"}}},"Plugins":{"Volume":null},"NCPU":"four"}',
        Info,
    )
    assert (info.id, info.labels, info.runtimes, info.n_cpu) == ("x", [], {"runc": {"path": "runc"}}, 0)
    summary = lenient.decode_foreign(
        b'{"Id":"1","Names":["/a"],"Image":"","ImageID":"","Command":"","Created":1,"State":"","Status":"","Mounts":null}',
        ContainerSummary,
    )
    assert summary.mounts == []
    inspect = lenient.decode_foreign(
        b'{"Id":"1","Created":"","Path":"","Args":[],"State":{},"Image":"","NetworkSettings":{"Ports":{"80/tcp":null},"Networks":null}}',
        ContainerInspect,
    )
    assert inspect.network_settings.ports == {"80/tcp": None}


def test_hosts() -> None:
    tls = Tls(verify=False)
    assert parse_host("unix:///a/b") == Address(path="/a/b")
    assert parse_host("tcp://[::1]:2375") == Address(host="::1", port=2375)
    assert parse_host("tcp://x", tls) == parse_host("https://x:2376", tls) == Address(host="x", port=2376, tls=tls)
    assert (parse_host("tcp://x").port, parse_host("tcp://[::1]").host) == (2375, "::1")
    assert parse_host("ssh://me@x:22/run/a.sock") == Address(ssh=True, user="me", host="x", port=22, path="/run/a.sock")
    for host in ("ssh://x", "ssh://me@x:22", "unix:///a", "tcp://[::1]:2375", "ssh://x/run/a.sock"):
        assert str(parse_host(host)) == host
    with pytest.raises(NotImplementedYet):
        parse_host("npipe:////./pipe/d")
    for host in (
        "x",
        "unix://a",
        "tcp://:1",
        "tcp://x:0",
        "tcp://x:70000",
        "ftp://x",
        "https://x:1",
        "tcp://x:a",
        "ssh://",
        "ssh://x:a",
    ):
        with pytest.raises(InvalidArgument):
            parse_host(host)


@pytest.mark.parametrize("host", ["-oProxyCommand=touch", "-x@y", "me:secret@x", "x?a=b", "x#a", "a b"])
def test_what_ssh_could_take_for_an_option_is_refused(host: str) -> None:
    """CVE-2017-1000117 and its kin."""
    with pytest.raises(InvalidArgument):
        parse_host(f"ssh://{host}")
