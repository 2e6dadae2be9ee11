"""The compiled parser of heads beside the one in Python: what the first takes, both read alike."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import EMPTY_PAYLOAD
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParserPy, RawRequestMessage
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.api.server.parser import Heads

HEADS = {
    "plain": b"GET /v1.51/containers/json?all=1 HTTP/1.1\r\nHost: docker\r\nUser-Agent: Docker-Client\r\n\r\n",
    "head": b"HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n",
    "old": b"GET /version HTTP/1.0\r\n\r\n",
    "close": b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "blanks": b"GET /version HTTP/1.1\r\nHost:  x\t \r\nX-A: b  c\r\n\r\n",
    "bytes": b"GET /containers/a%20b/json?x=%C3%BC#f HTTP/1.1\r\nHost: x\r\nX-A: \xfc\r\n\r\n",
    "whole URL": b"GET http://docker/version?a=b HTTP/1.1\r\nHost: docker\r\n\r\n",
}
NOT_TAKEN = {
    "body": b"GET /version HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 3\r\n\r\n",
    "chunks": b"GET /version HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    "upgrade": b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n",
    "post": b"POST /containers/prune HTTP/1.1\r\nHost: x\r\n\r\n",
    "two": HEADS["plain"] * 2,
    "half": HEADS["plain"][:-2],
    "bare line feeds": b"GET /version HTTP/1.1\nHost: x\n\r\n\r\n",
    "no host": b"GET /version HTTP/1.1\r\n\r\n",
    "blank in a name": b"GET /version HTTP/1.1\r\nHost : x\r\n\r\n",
    "bytes in a path": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "two blanks": b"GET /version  HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/0.9": b"GET /version\r\n\r\n",
    "HTTP/2": b"GET /version HTTP/2.0\r\nHost: x\r\n\r\n",
    "long": b"GET /version HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 10_000 + b"\r\n\r\n",
}
FIELDS = (
    "method", "path", "version", "headers", "raw_headers", "should_close", "compression", "upgrade", "chunked", "url",
)  # fmt: skip
PIECES = (
    b"GET ", b"HEAD ", b"/", b"/a?b#c", b"*", b"http://x/", b" ", b"\t", b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\n", b"\r", b"\0", b"\xff",
    b":", b"Host: x", b"Host:", b"Connection: close", b"Connection: keep-alive", b"Content-Length: 1", b"Upgrade: tcp", b"X: y",
    b"\r\n\r\n",
)  # fmt: skip


@pytest.fixture(scope="module")
def loop() -> asyncio.AbstractEventLoop:
    return Mock()


def fields(message: RawRequestMessage | None) -> tuple[Any, ...] | None:
    """The two parsers have two classes."""
    return None if message is None else tuple(getattr(message, name) for name in FIELDS)


def in_python(data: bytes, loop: asyncio.AbstractEventLoop) -> tuple[Any, ...] | None:
    parser = HttpRequestParserPy(Mock(), loop, 65536, max_msg_queue_size=2)
    try:
        messages, upgraded, tail = parser.feed_data(data)
    except HttpProcessingError:
        return None
    if upgraded or tail or len(messages) != 1 or messages[0][1] is not EMPTY_PAYLOAD:
        return None
    return fields(messages[0][0])


@pytest.mark.parametrize("data", HEADS.values(), ids=HEADS)
def test_a_head_is_read_as_in_python(loop: asyncio.AbstractEventLoop, data: bytes) -> None:
    heads = Heads(loop)
    for _ in range(3):
        message = fields(heads.parse(data))
        assert message is not None and message == in_python(data, loop)


@pytest.mark.parametrize("data", NOT_TAKEN.values(), ids=NOT_TAKEN)
def test_what_is_more_or_less_than_a_head_is_left_to_the_other_parser(loop: asyncio.AbstractEventLoop, data: bytes) -> None:
    heads = Heads(loop)
    assert heads.parse(data) is None
    assert fields(heads.parse(HEADS["plain"])) == in_python(HEADS["plain"], loop)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join), st.booleans())
def test_no_bytes_are_read_otherwise(data: bytes, ends: bool) -> None:
    heads, loop = Heads(Mock()), Mock()
    data = b"GET /" + data + (b" HTTP/1.1\r\nHost: x\r\n\r\n" if ends else b"\r\n\r\n")
    message = fields(heads.parse(data))
    assert message is None or message == in_python(data, loop)
    assert fields(heads.parse(HEADS["plain"])) == in_python(HEADS["plain"], loop)
