"""The API over TCP with TLS: who is let in, who is believed, and the end of input over it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from moby_tui.api.client.connect import connect
from moby_tui.api.client.encrypted import Encrypted, open_encrypted
from moby_tui.api.client.tls import Tls
from moby_tui.api.server.listen import listen
from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument, Unavailable
from servers import certificates
from servers.certificates import Files


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return certificates.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def served(engine: Engine, files: Files) -> AsyncIterator[str]:
    async with serving(engine, ["tcp://127.0.0.1:0"], tls=files.server) as [listener]:
        yield listener.address


async def test_a_client_with_a_certificate_is_let_in(served: str, files: Files) -> None:
    async with connect(served, tls=files.client) as client:
        assert (await client.system.info()).server_version
    async with connect(served, tls=files.client._replace(verify=False)) as client:
        await client.system.ping()


async def test_nobody_else_is_let_in_and_no_other_engine_is_believed(served: str, files: Files) -> None:
    for tls in (files.stranger, files.client._replace(certificate="", key=""), None):
        with pytest.raises(Unavailable):
            async with connect(served, tls=tls):
                pass
    with pytest.raises(Unavailable, match=r"self-signed|unable to get local issuer"):
        async with connect(served, tls=files.client._replace(authority="")):
            pass


async def _open(
    served: str, tls: Tls, method: str, path: str, body: bytes = b"", more: str = ""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = served.removeprefix("tcp://").partition(":")
    reader, writer = await open_encrypted(tls.context(), host, int(port), 1 << 16)
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    writer.write(head.encode() + body)
    return reader, writer


async def _ask(served: str, tls: Tls, method: str, path: str, body: bytes = b"") -> bytes:
    reader, writer = await _open(served, tls, method, path, body, "Connection: close\r\n")
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer


async def test_the_end_of_input_passes_and_what_comes_after_it_is_read(
    busybox: str, engine: Engine, served: str, files: Files
) -> None:
    """As ``echo x | docker run -i``: Go's clients half-close by close_notify."""
    create = {
        "Image": "busybox",
        "Cmd": ["wc", "-c"],
        "OpenStdin": True,
        "StdinOnce": True,
        "HostConfig": {"NetworkMode": "none"},
    }
    made = await _ask(served, files.client, "POST", "/containers/create", json.dumps(create).encode())
    ident = json.loads(made.partition(b"\r\n\r\n")[2])["Id"]
    path, upgrade = f"/containers/{ident}/attach?stream=1&stdin=1&stdout=1", "Connection: Upgrade\r\nUpgrade: tcp\r\n"
    reader, writer = await _open(served, files.client, "POST", path, b"", upgrade)
    assert b" 101 " in await reader.readline()
    await _ask(served, files.client, "POST", f"/containers/{ident}/start")
    writer.write(b"x" * 700_000)
    await writer.drain()
    writer.write_eof()
    assert b"700000\n" in await asyncio.wait_for(reader.read(), 30)
    writer.close()


@pytest.mark.parametrize(
    "data", [b"GET /_ping HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(300), b""], ids=["http", "cut", "nothing"]
)
async def test_what_is_no_handshake_ends_the_connection_and_no_more(served: str, files: Files, data: bytes) -> None:
    host, _, port = served.removeprefix("tcp://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    writer.write_eof()
    assert b"HTTP" not in await asyncio.wait_for(reader.read(), 30)
    writer.close()
    async with connect(served, tls=files.client) as client:
        await client.system.ping()


def test_only_with_verified_clients_is_the_network_listened_to(files: Files) -> None:
    for tls in (None, files.server._replace(verify=False)):
        with pytest.raises(InvalidArgument, match="without --tlsverify"):
            listen("tcp://0.0.0.0:0", tls=tls)
    [listener] = listen("tcp://0.0.0.0:0", tls=files.server)
    listener.close()
    assert listener.warning == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"authority": ""}, "--tlsverify needs the authority"),
        ({"key": ""}, "needs a certificate and its key"),
        ({"certificate": "/nosuch"}, "cannot use the TLS files .*No such file"),
        ({"certificate": "/etc/passwd"}, "cannot use the TLS files"),
    ],
)
def test_files_that_cannot_be_used_are_named(files: Files, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        files.server._replace(**changed).server_context()


async def test_both_ends_write_on_after_the_other_has_ended(files: Files) -> None:
    """Sizes about those of a record, of which what is read is cut anywhere."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read()
        writer.write(b"%d " % len(data) + b"z" * 300_000)
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(b"end")
        writer.close()

    def protocol() -> Encrypted:
        return Encrypted(files.server.server_context(), asyncio.StreamReaderProtocol(asyncio.StreamReader(), answer))

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for size in (0, 1, 16_383, 16_384, 16_385, 1_000_000):
        reader, writer = await open_encrypted(files.client.context(), "127.0.0.1", port, 1 << 16)
        writer.write(b"x" * size)
        await writer.drain()
        writer.write_eof()
        data = await asyncio.wait_for(reader.read(), 30)
        assert data.startswith(b"%d z" % size) and data.endswith(b"zend") and len(data) > 300_000
        writer.close()
    server.close()


async def test_a_build_client_speaks_grpc_inside_of_it(served: str, files: Files) -> None:
    from moby_tui.api.buildkit.grpc.client import Channel
    from moby_tui.api.buildkit.session.caller import CHECK
    from moby_tui.api.buildkit.wire.health_pb2 import HealthCheckRequest, HealthCheckResponse

    reader, writer = await _open(served, files.client, "POST", "/grpc", more="Connection: Upgrade\r\nUpgrade: h2c\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    channel = Channel()
    writer.transport.set_protocol(channel.protocol)
    channel.protocol.connection_made(writer.transport)
    if early := bytes(cast(Any, reader)._buffer):
        channel.protocol.data_received(early)
    answer = await channel.call(CHECK, HealthCheckRequest(service="x" * 1_000_000))
    assert answer.status == HealthCheckResponse.SERVING
    channel.close()
    await channel.protocol.closed
