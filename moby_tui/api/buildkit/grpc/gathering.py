"""One system call for all that is written in a step of the event loop: an answer is three frames, and grpclib writes each by itself."""

from __future__ import annotations

import asyncio
from typing import Any

#: Bytes that are sent at once.
_MOST = 1 << 16


class Gathering(asyncio.Transport):
    """The transport ``below``, for a writer of small pieces. They are sent before the event loop waits."""

    def __init__(self, below: asyncio.Transport) -> None:
        super().__init__()
        self._below = below
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes | bytearray | memoryview] = []
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._pieces:
            self._loop.call_soon(self._send)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _MOST:
            self._send()

    def _send(self) -> None:
        pieces, self._pieces, self._size = self._pieces, [], 0
        if pieces and not self._below.is_closing():
            self._below.write(b"".join(pieces))

    def close(self) -> None:
        self._send()
        self._below.close()

    def abort(self) -> None:
        self._pieces, self._size = [], 0
        self._below.abort()

    def is_closing(self) -> bool:
        return self._below.is_closing()

    def get_write_buffer_size(self) -> int:
        return self._size + self._below.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._below.get_extra_info(name, default)
