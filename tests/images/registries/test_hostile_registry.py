"""Registries and servers that never end: each is given up with one line, in bounded time, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

import images_data
from images.image_store import Store, load, stream
from images_data import sha256
from moby_tui.engine.engine import Engine
from moby_tui.engine.resources.images.registry import connection
from moby_tui.engine.resources.images.registry.registry import Registry
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import InvalidArgument, MobyError, Unavailable
from moby_tui.reference import parse
from moby_tui.schema.build import BuildOptions
from moby_tui.schema.container import ContainerCreate
from servers.registry import CONFIG, LAYER_GZIP, MANIFEST

IMAGE = images_data.ImageData([images_data.Tar().add("f", data=bytes(range(256)) * 400).bytes()])
LAYER = gzip.compress(IMAGE.layers[0], mtime=0)
DOCUMENT = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": IMAGE.id, "size": len(IMAGE.config)},
        "layers": [{"mediaType": LAYER_GZIP, "digest": sha256(LAYER), "size": len(LAYER)}],
    }
).encode()
#: By the word that is in the path of its request.
CONTENT = {"manifests": DOCUMENT, IMAGE.id: IMAGE.config, sha256(LAYER): LAYER}
Peer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBY_PATIENCE", "1")
    monkeypatch.setattr(connection, "_FIRST_PAUSE", 0.01)


@asynccontextmanager
async def server(peer: Peer, *, reads: bool = True) -> AsyncIterator[str]:
    """Speaks no more HTTP than the test does: ``peer`` is given the path of a request, and answers as it likes."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while line := await reader.readline():
                while reads and await reader.readline() not in (b"\r\n", b""):
                    pass
                await peer(line.split()[1].decode(), writer)
                await writer.drain()
        writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answer(path: str, writer: asyncio.StreamWriter) -> None:
    """As an honest registry."""
    body = next((data for word, data in CONTENT.items() if word in path), b"{}")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (MANIFEST.encode(), len(body)) + body)


async def drip(writer: asyncio.StreamWriter, data: bytes = b"x", seconds: float = 0.2) -> None:
    while True:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(seconds)


async def slow_body(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    await drip(writer)


async def slow_chunks(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await drip(writer, b"1\r\nx\r\n")


async def slow_header(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    await drip(writer)


async def informing_for_ever(_: str, writer: asyncio.StreamWriter) -> None:
    await drip(writer, b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.05)


async def headers_without_end(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count():
        writer.write(b"X-%d: %s\r\n" % (number, b"x" * 4000))
        await writer.drain()


async def one_header_without_end(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def body_without_end(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
        await writer.drain()


async def short_body(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nabc" % len(LAYER))
    await writer.drain()
    await asyncio.sleep(3600)


async def body_that_breaks_off(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nabc" % len(LAYER))
    await writer.drain()
    writer.close()


async def away(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: %s0\r\nContent-Length: 0\r\n\r\n" % path.encode())


async def refusal_without_end(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n")
    await drip(writer, b"1\r\nx\r\n", 0.05)


HOSTILE = [
    slow_body,
    slow_chunks,
    slow_header,
    informing_for_ever,
    headers_without_end,
    one_header_without_end,
    body_without_end,
    short_body,
    body_that_breaks_off,
    away,
    refusal_without_end,
]


@pytest.mark.parametrize("where", [*CONTENT], ids=["manifest", "configuration", "layer"])
@pytest.mark.parametrize("how", HOSTILE)
async def test_a_pull_is_given_up(store: Store, where: str, how: Peer) -> None:
    async def peer(path: str, writer: asyncio.StreamWriter) -> None:
        if where in path:
            await how(path, writer)
        else:
            answer(path, writer)

    async with server(peer) as address:
        with pytest.raises(MobyError) as refused:
            async for _ in store.images.pull(f"{address}/a:1"):
                pass
    assert "\n" not in refused.value.message and len(refused.value.message) < 500
    assert store.staged() == [] and await store.images.list() == [] and store.layers() == set()


@pytest.mark.parametrize("how", [how for how in HOSTILE if how is not away])
async def test_a_token_is_given_up(store: Store, how: Peer) -> None:
    async def peer(path: str, writer: asyncio.StreamWriter) -> None:
        if "/token" in path:
            await how(path, writer)
        else:
            realm = b'Bearer realm="http://%s/token",service="s"' % address.encode()
            writer.write(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: %s\r\nContent-Length: 0\r\n\r\n" % realm)

    async with server(peer) as address:
        with pytest.raises(MobyError) as refused:
            async for _ in store.images.pull(f"{address}/a:1"):
                pass
    assert "\n" not in refused.value.message


async def test_a_layer_that_grows_by_a_byte_with_each_try(store: Store) -> None:
    tries = 0

    async def peer(path: str, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        if sha256(LAYER) not in path:
            answer(path, writer)
            return
        tries += 1
        begin = tries - 1
        ranged = b"Content-Range: bytes %d-%d/%d\r\n" % (begin, len(LAYER) - 1, len(LAYER)) if begin else b""
        status = b"206 Partial Content" if begin else b"200 OK"
        writer.write(b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n" % (status, ranged, len(LAYER) - begin))
        writer.write(LAYER[begin : begin + 1])
        await writer.drain()
        writer.close()

    async with server(peer) as address:
        with pytest.raises(Unavailable):
            async for _ in store.images.pull(f"{address}/a:1"):
                pass
    assert tries <= 8


@pytest.mark.parametrize(
    "head",
    [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", b"\xff\x00\n" * 40 + b"\r\n\r\n"],
    ids=["ssh", "length", "bytes"],
)
async def test_what_is_no_registry(store: Store, head: bytes) -> None:
    """Said in one line, without what was sent, and not asked again."""
    asked = []

    async def other(path: str, writer: asyncio.StreamWriter) -> None:
        asked.append(path)
        writer.write(head)

    async with server(other) as domain:
        with pytest.raises(MobyError) as refused:
            async for _ in store.images.pull(f"{domain}/x:1"):
                pass
    assert refused.value.message == f"registry {domain} answers with what is no HTTP; check its address and port"
    assert len(asked) <= 2


@pytest.mark.parametrize("link", ["the same", "another each time"])
@pytest.mark.parametrize("what", ["tags", "catalog"])
async def test_a_list_without_an_end(link: str, what: str) -> None:
    pages = itertools.count()

    async def peer(path: str, writer: asyncio.StreamWriter) -> None:
        body = json.dumps({"tags": ["x" * 100] * 10_000, "repositories": ["x" * 100] * 10_000}).encode()
        following = path if link == "the same" else f"{path.partition('?')[0]}?last={next(pages)}"
        writer.write(b'HTTP/1.1 200 OK\r\nLink: <%s>; rel="next"\r\n' % following.encode())
        writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async with server(peer) as address, Registry(parse(f"{address}/a"), None, EngineOptions()) as registry:
        with pytest.raises(MobyError, match="without an end"):
            await (registry.tags() if what == "tags" else registry.catalog())


async def test_a_registry_that_takes_nothing(store: Store) -> None:
    """It lets the upload begin, and then no longer reads."""
    big = images_data.ImageData([images_data.Tar().add("f", data=bytes(40 << 20)).bytes()])

    async def peer(path: str, writer: asyncio.StreamWriter) -> None:
        if path.endswith("/uploads/"):
            writer.write(b"HTTP/1.1 202 Accepted\r\nLocation: /v2/a/blobs/uploads/1\r\nContent-Length: 0\r\n\r\n")
        elif "uploads/1" in path:
            await asyncio.sleep(3600)
        else:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    async with server(peer) as address:
        await load(store, images_data.docker_archive((big, [f"{address}/a:1"])))
        with pytest.MonkeyPatch.context() as patch, pytest.raises(MobyError):
            patch.setenv("MOBY_LEAST_RATE", "1000000")
            async for _ in store.images.push(f"{address}/a:1"):
                pass


@pytest.mark.parametrize("how", [how for how in HOSTILE if how is not body_without_end])
async def test_a_build_gives_up_what_it_fetches(engine: Engine, how: Peer) -> None:
    async with server(how) as address:
        text = f"FROM scratch\nADD http://{address}/file /\n".encode()
        with pytest.raises(MobyError) as refused:
            async for _ in engine.builder.build(stream(text), BuildOptions(tags=["built"])):
                pass
    assert "\n" not in refused.value.message
    assert await engine.images.list() == []


async def test_a_file_without_an_end_meets_the_limit(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBY_MOST_UNPACKED", str(1 << 20))
    async with server(body_without_end) as address:
        with pytest.raises(InvalidArgument, match="MOBY_MOST_UNPACKED"):
            async for _ in engine.builder.build(stream(f"FROM scratch\nADD http://{address}/file /\n".encode()), BuildOptions()):
                pass


# What archives may become


def bomb() -> bytes:
    return images_data.Tar().add("f", data=bytes(30 << 20)).bytes()


def folders() -> bytes:
    tar = images_data.Tar()
    for number in range(300):
        tar.directory(f"d{number}")
    return tar.bytes()


@pytest.mark.parametrize("way", ["layer", "load", "import", "context", "add", "cp"])
@pytest.mark.parametrize("limit", ["MOBY_MOST_UNPACKED", "MOBY_MOST_DIRECTORIES"])
async def test_archives_meet_the_limits(
    engine: Engine, busybox: str, monkeypatch: pytest.MonkeyPatch, way: str, limit: str
) -> None:
    content = bomb() if limit == "MOBY_MOST_UNPACKED" else folders()
    packed = gzip.compress(content)
    created = await engine.containers.create(ContainerCreate(image=busybox, cmd=["true"]))
    monkeypatch.setenv(limit, str(1 << 20) if limit == "MOBY_MOST_UNPACKED" else "100")
    before = [image.id for image in await engine.images.list()]
    with pytest.raises(InvalidArgument, match=limit) as refused:
        if way == "layer":
            image = images_data.ImageData([content])
            tar = images_data.Tar().add("c", data=image.config).add("l", data=packed)
            described = json.dumps([{"Config": "c", "RepoTags": ["a:1"], "Layers": ["l"]}]).encode()
            await _all(engine.images.load(stream(tar.add("manifest.json", data=described).bytes())))
        elif way == "load":
            archive = images_data.docker_archive((images_data.ImageData([content]), ["a:1"]))
            await _all(engine.images.load(stream(gzip.compress(archive))))
        elif way == "import":
            await _all(engine.images.import_tar(stream(packed), reference="a:1"))
        elif way == "context":
            await _all(engine.builder.build(stream(packed), BuildOptions()))
        elif way == "add":
            context = images_data.Tar().add("Dockerfile", data=b"FROM scratch\nADD f.tgz /\n").add("f.tgz", data=packed)
            await _all(engine.builder.build(stream(context.bytes()), BuildOptions()))
        else:
            await engine.containers.archive_put(created.id, "/etc", stream(packed))
    assert "\n" not in refused.value.message
    assert [image.id for image in await engine.images.list()] == before


async def _all(lines: AsyncIterator[object]) -> None:
    async for _ in lines:
        pass


@pytest.mark.parametrize("text", ["0", "-1", "many", "1e9", "9" * 30])
async def test_a_limit_that_is_none(store: Store, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MOBY_MOST_UNPACKED", text)
    with pytest.raises(InvalidArgument, match="MOBY_MOST_UNPACKED"):
        await load(store, gzip.compress(images_data.docker_archive((IMAGE, ["a:1"]))))
