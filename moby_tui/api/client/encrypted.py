"""TLS on a connection that is there already, with half-close: one end has written its last, and reads on.

asyncio's own TLS ends both directions when either ends. The end of a process's input is a half-close (``echo x | docker run -i``): Go's
TLS says it by a close_notify alert and reads on (RFC 8446, 6.1), and so does this layer.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, cast

_PIECE = 256 * 1024
#: Seconds that the other end has for the handshake.
_HANDSHAKE_SECONDS = 10.0


class Encrypted(asyncio.Protocol):
    """The protocol of the bare connection. ``protocol`` is connected once the handshake is done, and has an ``_Open`` for its transport.

    ``name`` is the server's, for its client; without it this is the server's end. ``ready`` has that
    transport, or fails with an ``OSError``.
    """

    def __init__(self, context: ssl.SSLContext, protocol: asyncio.Protocol, name: str | None = None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=name is None, server_hostname=name)
        self._protocol = protocol
        self._open: _Open | None = None
        self._ended = self.is_paused = False
        self.ready: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()
        # a server has nobody who waits for it
        self.ready.add_done_callback(lambda ready: ready.exception() if not ready.cancelled() else None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._timer = asyncio.get_running_loop().call_later(_HANDSHAKE_SECONDS, self._fail, TimeoutError("no TLS handshake"))
        self._shake_hands()

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        if self._open is None:
            self._shake_hands()
        if self._open is not None:
            self.decrypt()

    def eof_received(self) -> bool:
        if self._open is None:
            self._fail(ConnectionResetError("the connection ended in the TLS handshake"))
        else:
            self._incoming.write_eof()
            self.decrypt()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        if self._open is not None:
            self._open.closing = True
            self._protocol.connection_lost(exc)
        elif not self.ready.done():
            self.ready.set_exception(exc or ConnectionResetError("the connection ended in the TLS handshake"))

    def pause_writing(self) -> None:
        if self._open is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._open is not None:
            self._protocol.resume_writing()

    def encrypt(self, data: bytes | bytearray | memoryview) -> None:
        self.tls.write(data)
        self._flush()

    def finish(self) -> None:
        """Tells the peer that nothing more will be written."""
        try:
            self.tls.unwrap()
        except (ssl.SSLError, OSError):
            # the other end has not said so yet, and may never; what it writes meanwhile is read
            pass
        self._flush()

    def _shake_hands(self) -> None:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._flush()
            self._fail(error)
            return
        self._timer.cancel()
        self._flush()
        self._open = _Open(self._transport, self)
        self._protocol.connection_made(self._open)
        if not self.ready.done():
            self.ready.set_result(self._open)

    def _fail(self, error: Exception) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)
        self._transport.close()

    def decrypt(self) -> None:
        """Hands on what has come, until the protocol pauses it."""
        while not (self._ended or self.is_paused or self._transport.is_closing()):
            try:
                data = self.tls.read(_PIECE)
            except ssl.SSLWantReadError:
                break
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                data = b""
            except ssl.SSLError:
                self._transport.abort()
                return
            if not data:
                self._end()
            else:
                self._protocol.data_received(data)
        # a key update asks for an answer
        self._flush()

    def _end(self) -> None:
        """Called when the peer has ended its output."""
        if not self._ended:
            self._ended = True
            if not self._protocol.eof_received():
                self._transport.close()

    def _flush(self) -> None:
        if self._outgoing.pending and not self._transport.is_closing():
            self._transport.write(self._outgoing.read())


class _Open(asyncio.Transport):
    """What the protocol above writes to. Its socket, addresses and flow control are the bare connection's."""

    def __init__(self, bare: asyncio.Transport, layer: Encrypted) -> None:
        super().__init__()
        self._bare, self._layer, self._finished = bare, layer, False
        self.closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        # with "sslcontext" asyncio's streams would take it for TLS without half-close
        return self._layer.tls if name == "ssl_object" else self._bare.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if data and not self.closing and not self._finished:
            self._layer.encrypt(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._finished and not self.closing:
            self._finished = True
            self._layer.finish()

    def is_closing(self) -> bool:
        return self.closing or self._bare.is_closing()

    def close(self) -> None:
        if not self.closing:
            self.write_eof()
            self.closing = True
            self._bare.close()

    def abort(self) -> None:
        self.closing = True
        self._bare.abort()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._layer._protocol = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._layer._protocol

    def pause_reading(self) -> None:
        self._layer.is_paused = True
        self._bare.pause_reading()

    def resume_reading(self) -> None:
        self._layer.is_paused = False
        self._bare.resume_reading()
        # what came with the last piece and was left; not at once, since the caller may not be ready for it
        asyncio.get_running_loop().call_soon(self._layer.decrypt)

    def is_reading(self) -> bool:
        return self._bare.is_reading()

    def get_write_buffer_size(self) -> int:
        return self._bare.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._bare.set_write_buffer_limits(high, low)


async def open_encrypted(
    context: ssl.SSLContext, host: str, port: int, limit: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client's connection, as ``asyncio.open_connection`` makes one. Raises ``OSError``, of which ``ssl.SSLError`` is one."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=limit)
    protocol = asyncio.StreamReaderProtocol(reader)
    layer = Encrypted(context, protocol, host)
    await loop.create_connection(lambda: layer, host, port)
    transport = await layer.ready
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
