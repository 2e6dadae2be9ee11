"""What a download holds in memory: pieces as they were received, never joined."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, StreamReader, web
from aiohttp.test_utils import TestServer

from images_data import sha256
from moby_tui.engine.resources.images.registry import pace
from moby_tui.engine.resources.images.registry.download import _gather
from moby_tui.engine.resources.images.store.content import Ingest

#: Of which the server sends so many, one after the other.
PIECE, COUNT = b"0123456789abcdef" * 1024, 64


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async def send(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if "chunked" in request.query:
            response.enable_chunked_encoding()
        else:
            response.content_length = len(PIECE) * COUNT
        await response.prepare(request)
        for _ in range(COUNT):
            await response.write(PIECE)
        return response

    app = web.Application()
    app.router.add_get("/", send)
    server = TestServer(app)
    async with server:
        yield server


@pytest.mark.parametrize("query", ["", "?chunked=1"])
async def test_a_body_is_not_joined(server: TestServer, query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[int] = []
    feed = StreamReader.feed_data

    def note(self: StreamReader, data: bytes, *rest: Any) -> Any:
        received.append(len(data))
        return feed(self, data, *rest)

    monkeypatch.setattr(StreamReader, "feed_data", note)
    async with ClientSession() as session, session.get(server.make_url(f"/{query}")) as response:
        # the rest waits in the buffer meanwhile
        pieces: list[bytes] = []
        async for piece in pace.body(response):
            pieces.append(piece)
            await asyncio.sleep(0.001)
    assert b"".join(pieces) == PIECE * COUNT and all(pieces)
    assert max(map(len, pieces)) <= max(received)


def test_a_host_that_sends_byte_by_byte_makes_few_pieces() -> None:
    pieces: list[bytes | bytearray] = []
    for number in range(100_000):
        _gather(pieces, bytes([number % 256]))
    _gather(pieces, PIECE)
    _gather(pieces, PIECE)
    assert len(pieces) < 12 and b"".join(pieces) == bytes(number % 256 for number in range(100_000)) + PIECE * 2


def test_pieces_are_written_and_hashed_in_their_order(tmp_path: Path) -> None:
    grown: list[int] = []
    with Ingest(tmp_path / "blob") as ingest:
        with ingest.watched(grown.append, lambda: None):
            ingest.write(b"a", bytearray(b"bc"), memoryview(b"defg"))
            ingest.write()
            ingest.write(b"h")
        ingest.verify(sha256(b"abcdefgh"), 8)
    assert (tmp_path / "blob").read_bytes() == b"abcdefgh" and grown == [0, 7, 7, 8]
