"""Taking a connection away from HTTP: attach and exec are raw bytes both ways after the headers.

With ``Upgrade: tcp`` the answer is ``101 UPGRADED``, without it a ``200`` that never ends. A client may half-close: that is
the end of the process's input, and its output must still arrive (Engine API, "Attach to a container").
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
from collections.abc import Iterator
from typing import Any

from aiohttp import web
from aiohttp.http_parser import HttpRequestParserPy
from aiohttp.web_protocol import RequestHandler

from moby_tui.api.server.versions import HEADERS, ApiVersion
from moby_tui.schema.stream import Stream

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
CHUNK = 256 * 1024
#: Bytes of a request line: build arguments and filters travel in the query.
MAX_LINE = 64 * 1024


class Connection(RequestHandler):
    """aiohttp's connection, made fit for ``Upgrade: tcp``.

    Its compiled parser knows no upgrade but "websocket" and drops the bytes that follow any other; the one in Python keeps
    them. And where aiohttp closes when the peer half-closes, after an upgrade request that is only remembered.
    """

    __slots__ = ("half_closed",)

    half_closed: bool

    def __init__(self, manager: web.Server, *, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(manager, loop=loop, **options)
        self._parser = HttpRequestParserPy(
            self,
            loop,
            self._read_bufsize,
            max_line_size=MAX_LINE,
            max_field_size=self.max_field_size,
            max_headers=self.max_headers,
            payload_exception=web.RequestPayloadError,
            auto_decompress=False,
            max_msg_queue_size=self._max_msg_queue_size,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.half_closed = False
        super().connection_made(transport)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        self.half_closed = True
        return self._upgraded


class Hijacked(web.StreamResponse):
    """What a handler returns after it has taken the connection: nothing is left to send."""

    def __init__(self) -> None:
        super().__init__()
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


class _Raw(asyncio.StreamReaderProtocol):
    """Reads the connection after HTTP. The old protocol hears of its end too, or the server would count it for ever."""

    def __init__(self, reader: asyncio.StreamReader, http: Connection) -> None:
        super().__init__(reader)
        self._http = http

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._http.connection_lost(exc)


def content_type(version: ApiVersion, *, tty: bool) -> str:
    """Clients before 1.42 are told "raw" and sort out the frames by themselves."""
    return MULTIPLEXED if not tty and version >= (1, 42) else RAW


class Taken:
    """A connection that was HTTP's. ``early`` is what the client sent behind its request; nothing more is read before ``begin``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes, *, half_closed: bool) -> None:
        self.writer = writer
        self.early = early
        self._reader = reader
        self._half_closed = half_closed

    def begin(self) -> asyncio.StreamReader:
        """The client's bytes, the early ones first."""
        self._reader.feed_data(self.early)
        if self._half_closed:
            self._reader.feed_eof()
        else:
            self.writer.transport.resume_reading()  # type: ignore[attr-defined]
        return self._reader

    def descriptor(self) -> socket.socket | None:
        """A descriptor of its own, to be handed over; None where bytes are still to be written, or are not those on the wire (TLS)."""
        transport = self.writer.transport
        if transport.get_extra_info("ssl_object") or transport.get_write_buffer_size():
            return None
        return socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))


def take(request: web.BaseRequest, kind: str) -> Taken:
    """Answers the headers and takes the connection over."""
    http = request.protocol
    transport = request.transport
    assert isinstance(http, Connection)
    if transport is None:
        raise ConnectionResetError("the client has gone")
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=CHUNK, loop=loop)
    protocol = _Raw(reader, http)
    transport.write(_head(kind, upgraded="Upgrade" in request.headers))
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    transport.pause_reading()
    early, http._message_tail = http._message_tail, b""
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    return Taken(reader, writer, early, half_closed=http.half_closed)


def _head(kind: str, *, upgraded: bool) -> bytes:
    first = "HTTP/1.1 101 UPGRADED" if upgraded else "HTTP/1.1 200 OK"
    headers = {"Content-Type": kind, **({"Connection": "Upgrade", "Upgrade": "tcp"} if upgraded else {}), **HEADERS}
    return "\r\n".join([first, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


async def pump(stream: Stream, taken: Taken, *, stdin: bool = True) -> None:
    """Joins client and process: hands the connection over to the process's side or, where that cannot be, carries the bytes."""
    try:
        handed = await _hand_over(stream, taken)
    except BaseException:
        stream.close()
        taken.writer.close()
        raise
    if handed:
        # closes this process's descriptor alone
        taken.writer.transport.abort()
    else:
        await _carry(stream, taken, stdin=stdin)


async def _hand_over(stream: Stream, taken: Taken) -> bool:
    connection = taken.descriptor()
    if connection is None:
        return False
    with connection, _watch_hangup(taken.writer):
        return await stream.hand_over(connection, taken.early)


async def _carry(stream: Stream, taken: Taken, *, stdin: bool) -> None:
    """Carries bytes both ways, unread, until the process's output ends or the client is gone."""
    reader, writer = taken.begin(), taken.writer
    typing = asyncio.create_task(_carry_input(stream, reader)) if stdin else None
    try:
        with _watch_hangup(writer):
            while data := await stream.read_raw(CHUNK):
                writer.write(data)
                await writer.drain()
    except ConnectionError:
        pass
    finally:
        if typing:
            typing.cancel()
        stream.close()
        writer.close()


async def _carry_input(stream: Stream, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(CHUNK):
        await stream.write(data)
    stream.close_stdin()


@contextlib.contextmanager
def _watch_hangup(writer: asyncio.StreamWriter) -> Iterator[None]:
    """Drops the connection when the peer has closed both directions, while nobody may be reading or writing it.

    An epoll instance that asks for no event still becomes readable on EPOLLHUP and EPOLLERR (epoll_ctl(2)).
    """
    loop = asyncio.get_running_loop()
    with select.epoll() as hangups:
        hangups.register(writer.get_extra_info("socket").fileno(), 0)
        loop.add_reader(hangups.fileno(), _drop, loop, hangups.fileno(), writer)
        try:
            yield
        finally:
            loop.remove_reader(hangups.fileno())


def _drop(loop: asyncio.AbstractEventLoop, hangups: int, writer: asyncio.StreamWriter) -> None:
    loop.remove_reader(hangups)
    writer.transport.abort()
