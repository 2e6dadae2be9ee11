"""Attachments to a container, as the engine holds them: of one that runs, and of one that does not run yet."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path

from moby_tui.engine.kernel import unix_socket
from moby_tui.engine.protocol.control import Attach
from moby_tui.errors import InvalidArgument, NotFound
from moby_tui.schema.container import AttachOptions
from moby_tui.schema.stream import Stream

#: ctrl-p,ctrl-q
DEFAULT_DETACH_KEYS = (16, 17)
#: A stream reader holds this much before it stops reading from the socket.
STREAM_LIMIT = 1024 * 1024
_DISMISS_SECONDS = 1.0


async def attach_before_start(folder: Path, options: AttachOptions, *, tty: bool) -> Stream:
    """Joins a container that does not run yet: a socket that its monitor will connect to before it lets the process run.

    Raises ``NotFound`` if the container is removed at that moment.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        # it was there, and was gone at the second look
        raise NotFound(f"No such container: {folder.parent.name}") from None
    path = folder / os.urandom(16).hex()
    request_line = attach_request(options).encode_line()
    accepted: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.get_running_loop().create_future()

    async def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request_line)
        # an answer, or the end: ``dismiss`` hangs up at once, and the stream is then an empty one
        with suppress(ConnectionError):
            await reader.readline()
        if not accepted.done():
            accepted.set_result((reader, writer))

    server = await asyncio.start_unix_server(on_connect, sock=unix_socket.listen(str(path)), limit=STREAM_LIMIT)
    pending = _PendingConnection(accepted, server, path)
    return MonitorStream(pending, pending, tty=tty)


def waiting(folder: Path) -> set[str]:
    """The names of the attachments that wait for a start."""
    return set(os.listdir(folder)) if folder.exists() else set()


def dismiss(folder: Path) -> None:
    """Ends the attachments that wait for a start which will not come."""
    if not folder.exists():
        return
    for path in folder.iterdir():
        try:
            unix_socket.connect(str(path), _DISMISS_SECONDS).close()
        except OSError:
            # whoever waited is gone
            pass
        path.unlink(missing_ok=True)


class MonitorStream(Stream):
    """A stream whose other end is a monitor. It stays with who asked for it, once it is used, or is handed over before."""

    _STAYS, _GOES = b"\1", b"\0"
    _settled = False

    async def read_raw(self, size: int = 65536) -> bytes:
        self._stay()
        data = await super().read_raw(size)
        if not data:
            # the process has ended: the monitor waits until nothing more comes from here
            self.close()
        return data

    def send(self, data: bytes) -> None:
        self._stay()
        super().send(data)

    def close_stdin(self) -> None:
        self._stay()
        super().close_stdin()

    def _stay(self) -> None:
        if not self._settled:
            self._settled = True
            self._writer.write(self._STAYS)

    async def hand_over(self, connection: socket.socket, early: bytes) -> bool:
        if self._settled:
            return False
        writer = await self._writer.writer() if isinstance(self._writer, _PendingConnection) else self._writer
        assert isinstance(writer, asyncio.StreamWriter)
        # asyncio's own sockets send no descriptors
        with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as ours:
            try:
                socket.send_fds(ours, [self._GOES], [connection.fileno()])
            except OSError:
                # the container has ended without a word for this client
                early = b""
        self._settled = True
        writer.write(early)
        self._writer.close()
        return True


class _PendingConnection:
    """Reader and writer of a connection that the other side has still to make."""

    def __init__(
        self, accepted: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]], server: asyncio.Server, path: Path
    ) -> None:
        self._accepted = accepted
        self._server = server
        self._path = path
        self._early = bytearray()
        self._ended = False
        self._closed = False

    async def read(self, n: int = -1) -> bytes:
        try:
            reader, _ = await asyncio.shield(self._accepted)
        except asyncio.CancelledError:
            if self._closed:
                return b""
            raise
        self._server.close()
        return await reader.read(n)

    def _writer(self) -> asyncio.StreamWriter | None:
        if not self._accepted.done() or self._accepted.cancelled():
            return None
        return self._accepted.result()[1]

    def write(self, data: bytes) -> None:
        writer = self._writer()
        if writer is None:
            if not self._early and not self._accepted.done():
                self._accepted.add_done_callback(lambda _: self._send_early())
            self._early += data
        else:
            writer.write(data)

    def _send_early(self) -> None:
        writer = self._writer()
        if writer is None:
            return
        writer.write(bytes(self._early))
        self._early.clear()
        if self._ended:
            writer.write_eof()

    async def writer(self) -> asyncio.StreamWriter:
        """Once the connection is made."""
        _, writer = await asyncio.shield(self._accepted)
        self._server.close()
        return writer

    async def drain(self) -> None:
        writer = self._writer()
        if writer is not None:
            await writer.drain()
        elif len(self._early) > STREAM_LIMIT:
            await asyncio.shield(self._accepted)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._ended = True
        writer = self._writer()
        if writer is not None:
            writer.write_eof()
        elif not self._early:
            self._accepted.add_done_callback(lambda _: self._send_early())

    def close(self) -> None:
        self._closed = True
        self._server.close()
        self._path.unlink(missing_ok=True)
        writer = self._writer()
        if writer is not None:
            writer.close()
        else:
            self._accepted.cancel()


def attach_request(options: AttachOptions) -> Attach:
    """What a monitor is asked."""
    keys = parse_detach_keys(options.detach_keys)
    return Attach(stdin=options.stdin, stdout=options.stdout, stderr=options.stderr, keys=keys)


def parse_detach_keys(text: str) -> list[int]:
    """The bytes of the keys; empty: Docker's default. Raises ``InvalidArgument``."""
    if not text:
        return list(DEFAULT_DETACH_KEYS)
    from moby_tui import detach_keys

    try:
        return list(detach_keys.parse(text))
    except ValueError as error:
        raise InvalidArgument(str(error)) from None
