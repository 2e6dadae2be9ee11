"""One HTTP/1.1 exchange over one connection, on h11 and asyncio's streams.

A connection serves one request: they are cheap on a unix socket, and most of ours end as an endless stream or a raw one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import h11

from moby_tui.api.client.address import Address
from moby_tui.errors import MobyError, NotConnected, Unavailable

if TYPE_CHECKING:
    from moby_tui.schema.stream import Reader

CHUNK = 256 * 1024
#: Seconds to wait for a connection.
CONNECT_TIMEOUT = 10.0
#: An answer's head must fit in here; Docker's path-stat header is the longest.
_MAX_HEAD = 64 * 1024
_HANGUP = "the engine closed the connection: see its log, then try again"

Body = bytes | AsyncIterator[bytes]


class Connection(NamedTuple):
    """``errors`` gives what a program on the way has said, in one line, empty if nothing."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    errors: Callable[[], str]


async def open_connection(address: Address) -> Connection:
    """Connects; raises ``Unavailable``, ``InvalidArgument`` for TLS files that cannot be used."""
    if address.ssh:
        from moby_tui.api.client.ssh import SshConnection

        reader, writer, ssh = await SshConnection.open(address, CHUNK)
        return Connection(reader, writer, ssh.errors)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            reader, writer = await _connect(address)
    except TimeoutError:
        raise Unavailable(f"cannot connect to {address}: no answer within {CONNECT_TIMEOUT:.0f} s") from None
    except OSError as error:
        reason = getattr(error, "verify_message", "") or error.strerror or error
        raise NotConnected(address, reason) from None
    return Connection(reader, writer, str)


async def _connect(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.path:
        return await asyncio.open_unix_connection(address.path, limit=CHUNK)
    if address.tls is None:
        return await asyncio.open_connection(address.host, address.port, limit=CHUNK)
    from moby_tui.api.client.encrypted import open_encrypted

    return await open_encrypted(address.tls.context(), address.host, address.port, CHUNK)


class Early:
    """A reader whose first bytes have been read already, together with the headers."""

    def __init__(self, early: bytes, reader: asyncio.StreamReader) -> None:
        self._early = early
        self._reader = reader

    async def read(self, n: int = -1) -> bytes:
        if self._early:
            size = len(self._early) if n < 0 else n
            piece, self._early = self._early[:size], self._early[size:]
            return piece
        return await self._reader.read(n)


class Exchange:
    """A request that was sent and the answer to it. ``close`` ends it, whatever is still under way."""

    def __init__(self, connection: Connection) -> None:
        self._reader, self._writer, self._errors = connection
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
        self._upload: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self.status = 0
        self.headers: dict[str, str] = {}

    @classmethod
    async def start(cls, address: Address, method: str, target: str, headers: Mapping[str, str], body: Body | None) -> Exchange:
        """Sends the request and reads the head of the answer; a body may still be uploading then."""
        exchange = cls(await open_connection(address))
        try:
            await exchange._send(method, target, headers, body)
            await exchange._read_head()
        except BaseException:
            await exchange.close()
            raise
        return exchange

    async def _send(self, method: str, target: str, headers: Mapping[str, str], body: Body | None) -> None:
        fields = {"Host": "moby", "User-Agent": "moby", **headers}
        if isinstance(body, bytes):
            fields["Content-Length"] = str(len(body))
        elif body is not None:
            fields["Transfer-Encoding"] = "chunked"
        elif method not in ("GET", "HEAD"):
            fields["Content-Length"] = "0"
        self._write(h11.Request(method=method, target=target, headers=list(fields.items())))
        if body is None or isinstance(body, bytes):
            if body:
                self._write(h11.Data(data=body))
            self._write(h11.EndOfMessage())
        else:
            self._upload = asyncio.create_task(self._send_body(body))
            self._upload.add_done_callback(self._uploaded)

    async def _send_body(self, body: AsyncIterator[bytes]) -> None:
        async for piece in body:
            if piece:
                self._write(h11.Data(data=piece))
                await self._writer.drain()
        self._write(h11.EndOfMessage())

    def _uploaded(self, task: asyncio.Task[None]) -> None:
        """A body that cannot be produced ends the request. A peer that wants no more of it may still have an answer to read."""
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, ConnectionError):
            self._failure = error
            self._writer.transport.abort()

    def _write(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)

    async def _read_head(self) -> None:
        event = await self._next_head()
        self.status = event.status_code
        self.headers = {bytes(name).decode("latin-1"): bytes(value).decode("latin-1") for name, value in event.headers}

    async def _next_head(self) -> h11.Response | h11.InformationalResponse:
        while True:
            event = await self._next()
            if isinstance(event, h11.Response):
                return event
            if isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    return event
            else:
                raise Unavailable(self._errors() or _HANGUP)

    async def _next(self) -> object:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(CHUNK))
            return event
        except (h11.RemoteProtocolError, ConnectionError) as error:
            raise self._failure or Unavailable(self._errors() or f"{_HANGUP} ({error})") from None

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes; the exchange is closed after it, or when the reader loses interest."""
        try:
            while isinstance(event := await self._next(), h11.Data):
                yield bytes(event.data)
        finally:
            await self.close()

    async def read(self, limit: int) -> bytes:
        """The whole body; raises ``MobyError`` over ``limit`` bytes."""
        data = bytearray()
        async for piece in self.pieces():
            data += piece
            if len(data) > limit:
                raise MobyError(f"the engine's answer is larger than {limit} bytes")
        return bytes(data)

    def hijack(self) -> tuple[Reader, asyncio.StreamWriter]:
        """The raw connection after the head; bytes that came with the head are read first."""
        early, _ = self._http.trailing_data
        return Early(early, self._reader), self._writer

    async def close(self) -> None:
        if self._upload:
            self._upload.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._upload
        self._writer.close()
