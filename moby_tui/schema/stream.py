"""The two-way byte stream of an attach or an exec, as it is on the wire, and Docker's framing of it.

With a terminal the bytes are raw. Without one, output is framed (Engine API, "Stream format"): an eight-byte header
``[fd, 0, 0, 0, length as big-endian uint32]`` and the payload; input is raw either way. The monitor's socket, the API's
hijacked connections and the remote client all carry exactly this, so a server can pass the bytes on unread.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    class Reader(Protocol):
        """The part of ``asyncio.StreamReader`` that a stream needs."""

        async def read(self, n: int = -1) -> bytes: ...

    class Writer(Protocol):
        """The part of ``asyncio.StreamWriter`` that a stream needs."""

        def write(self, data: bytes) -> None: ...
        async def drain(self) -> None: ...
        def can_write_eof(self) -> bool: ...
        def write_eof(self) -> None: ...
        def close(self) -> None: ...


STDIN, STDOUT, STDERR, SYSTEM_ERROR = 0, 1, 2, 3
_HEADER = struct.Struct(">BxxxL")
#: No frame of ours is larger; a peer that claims more is broken or hostile.
MAX_FRAME = 16 * 1024 * 1024


def frame(fd: int, data: bytes) -> bytes:
    """One frame: header and payload in one piece, so that one write carries both."""
    return _HEADER.pack(fd, len(data)) + data


class FrameDecoder:
    """Cuts a byte stream into ``(fd, payload)`` frames, whatever the pieces it arrives in."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Takes the next piece; returns the frames that it completed. Raises ``ValueError`` on a frame that cannot be one."""
        self._buffer += data
        frames: list[tuple[int, bytes]] = []
        start = 0
        while len(self._buffer) - start >= _HEADER.size:
            fd, length = _HEADER.unpack_from(self._buffer, start)
            if fd > SYSTEM_ERROR or length > MAX_FRAME:
                raise ValueError(f"bad stream frame: descriptor {fd}, {length} bytes")
            end = start + _HEADER.size + length
            if end > len(self._buffer):
                break
            frames.append((fd, bytes(self._buffer[start + _HEADER.size : end])))
            start = end
        del self._buffer[:start]
        return frames


class Stream:
    """An open attach or exec. ``tty`` tells whether its output is raw."""

    def __init__(self, reader: Reader, writer: Writer, *, tty: bool) -> None:
        self.tty = tty
        self._reader = reader
        self._writer = writer

    async def read_raw(self, size: int = 65536) -> bytes:
        """The next bytes as they are on the wire; empty at the end."""
        try:
            return await self._reader.read(size)
        except (ConnectionError, asyncio.IncompleteReadError):
            return b""

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """Yields ``(STDOUT or STDERR, data)`` until the process has closed its output; a terminal's is all STDOUT."""
        decoder = FrameDecoder()
        while data := await self.read_raw():
            if self.tty:
                yield STDOUT, data
                continue
            for item in decoder.feed(data):
                yield item

    async def write(self, data: bytes) -> None:
        """Sends input; waits while the process does not read. Input that nobody takes any more is dropped."""
        self.send(data)
        await self.drain()

    def send(self, data: bytes) -> None:
        """Queues input without waiting."""
        self._writer.write(data)

    async def drain(self) -> None:
        """Waits until the queue is short again."""
        try:
            await self._writer.drain()
        except ConnectionError:
            pass

    async def hand_over(self, connection: socket.socket, early: bytes) -> bool:
        """Lets the process's side use a client's connection itself, so that nothing passes through here any more.

        ``early`` is input of the client that was read already. False if it cannot be done: the caller then carries the bytes.
        After True this stream is closed, and so is to be the caller's own descriptor of the connection.
        """
        return False

    def close_stdin(self) -> None:
        """Half-close: tells the process that its input has ended, and keeps its output."""
        try:
            if self._writer.can_write_eof():
                self._writer.write_eof()
        except (OSError, RuntimeError):
            pass

    def close(self) -> None:
        """Detaches; the process lives on."""
        self._writer.close()
