"""Taking a connection away from HTTP: attach and exec are raw bytes both ways after the headers.

With ``Upgrade: tcp`` the answer is ``101 UPGRADED``, without it a ``200`` that never ends. A client may half-close: that is
the end of the process's input, and its output must still arrive (Engine API, "Attach to a container").
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import termios
from contextlib import closing, suppress

from aiohttp import web

from moby_tui.api.server.connection import Connection, Hangup
from moby_tui.api.server.versions import HEADERS, ApiVersion
from moby_tui.errors import InvalidArgument
from moby_tui.schema.stream import Stream

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
CHUNK = 256 * 1024
#: Seconds that a client has to close, once the process has ended.
PARTING = 30.0
#: How often, and after how many seconds each, it is looked whether a client has read the headers of its stream.
_LOOKS, _LOOK_AGAIN = 1000, 0.0005


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


class _Switched(asyncio.Protocol):
    """Hands everything on to the protocol that HTTP was left for. The old one hears of the connection's end too, as in ``_Raw``."""

    def __init__(self, protocol: asyncio.Protocol, http: Connection) -> None:
        self._protocol = protocol
        self._http = http
        self.data_received = protocol.data_received  # type: ignore[method-assign]
        self.pause_writing = protocol.pause_writing  # type: ignore[method-assign]
        self.resume_writing = protocol.resume_writing  # type: ignore[method-assign]

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)
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

    async def headers_read(self) -> None:
        """Waits until the client has read the headers, or has had the time for it.

        Some clients (docker-py) read headers through a buffer and what follows past it: they lose what comes with the headers. A
        unix socket tells what its peer has not taken yet (SIOCOUTQ); of TCP the kernel knows less.
        """
        connection = self.writer.transport.get_extra_info("socket")
        if connection is None or connection.family != socket.AF_UNIX:
            return
        with suppress(OSError):
            for _ in range(_LOOKS):
                if not any(fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))):
                    return
                await asyncio.sleep(_LOOK_AGAIN)

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
    early, half_closed = http.hijack()
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    return Taken(reader, writer, early, half_closed=half_closed)


def check_upgrade(request: web.BaseRequest, name: str) -> None:
    """Raises ``InvalidArgument`` if the client does not ask for the protocol ``name`` in the header Upgrade."""
    wanted = request.headers.get("Upgrade", "")
    if not wanted:
        raise InvalidArgument("no upgrade proto in request")
    if wanted.lower() != name:
        raise InvalidArgument(f"protocol {wanted} not supported")


def switch(request: web.BaseRequest, name: str, protocol: asyncio.Protocol) -> None:
    """Answers 101 and gives the connection to ``protocol``, which is called ``name`` in the header Upgrade: see ``check_upgrade``."""
    http = request.protocol
    transport = request.transport
    assert isinstance(http, Connection)
    if transport is None:
        raise ConnectionResetError("the client has gone")
    transport.write(f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {name}\r\n\r\n".encode())
    early, half_closed = http.hijack()
    transport.set_protocol(_Switched(protocol, http))
    protocol.connection_made(transport)
    if early:
        protocol.data_received(early)
    if half_closed:
        transport.close()


def _head(kind: str, *, upgraded: bool) -> bytes:
    first = "HTTP/1.1 101 UPGRADED" if upgraded else "HTTP/1.1 200 OK"
    # without an upgrade Docker's server says "raw" of frames too
    headers = {
        "Content-Type": kind if upgraded else RAW,
        **({"Connection": "Upgrade", "Upgrade": "tcp"} if upgraded else {}),
        **HEADERS,
    }
    return "\r\n".join([first, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


async def pump(stream: Stream, taken: Taken, *, stdin: bool = True) -> None:
    """Joins client and process: hands the connection over to the container's monitor or, if it cannot be handed over, carries the bytes."""
    try:
        await taken.headers_read()
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
    with connection, closing(Hangup(taken.writer.transport)):
        return await stream.hand_over(connection, taken.early)


async def _carry(stream: Stream, taken: Taken, *, stdin: bool) -> None:
    """Carries bytes both ways, unread, until the process's output ends or the client is gone."""
    reader, writer = taken.begin(), taken.writer
    typing = asyncio.create_task(_carry_input(stream, reader)) if stdin else None
    try:
        with closing(Hangup(writer.transport)):
            while data := await stream.read_raw(CHUNK):
                writer.write(data)
                await writer.drain()
        await _part(reader, writer, typing)
    except ConnectionError:
        pass
    finally:
        if typing:
            typing.cancel()
        stream.close()
        writer.close()


async def say(taken: Taken, text: bytes) -> None:
    """Sends ``text`` as all there is, and closes."""
    try:
        await taken.headers_read()
        taken.writer.write(text)
        await _part(taken.begin(), taken.writer)
    except ConnectionError:
        pass
    finally:
        taken.writer.close()


async def _part(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, typing: asyncio.Task[None] | None = None) -> None:
    """Ends the output and drops what the client still sends until it closes.

    A socket that is closed with bytes unread resets the connection, and the client loses the output that it has not read yet
    (RFC 9293, 3.6.1; the same on unix sockets). Raises ``ConnectionError``.
    """
    if typing is not None:
        typing.cancel()
        await asyncio.wait([typing])
    writer.write_eof()
    with suppress(TimeoutError), closing(Hangup(writer.transport)):
        async with asyncio.timeout(PARTING):
            while await reader.read(CHUNK):
                pass


async def _carry_input(stream: Stream, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(CHUNK):
        await stream.write(data)
    stream.close_stdin()
