"""A connection inside a call: both ends' bytes as messages of one field ``data``, as Control.Session carries a session."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

#: Bytes that wait to be sent before the protocol is asked to pause.
_HIGH_WATER = 1 << 20
#: Bytes of one message.
_PIECE = 32 << 10


class Messages(Protocol):
    """A call's stream of messages, of either grpclib side."""

    async def recv_message(self) -> Any: ...
    async def send_message(self, message: Any) -> None: ...


class Tunnel(asyncio.Transport):
    """The transport of ``protocol`` over ``stream``, whose messages ``message(data=...)`` makes. ``run`` carries the bytes."""

    def __init__(self, stream: Messages, message: Callable[..., Any], protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._stream = stream
        self._message = message
        self._protocol = protocol
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self._paused = False
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []
        protocol.connection_made(self)

    async def run(self) -> None:
        """Carries bytes both ways until either end is gone."""
        failure: Exception | None = None
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        try:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.abort()
            try:
                results = await asyncio.gather(*self._tasks, return_exceptions=True)
                failure = next((result for result in results if isinstance(result, Exception)), None)
            finally:
                # also if we are cancelled a second time
                self._protocol.connection_lost(failure)

    async def _read(self) -> None:
        while (message := await self._stream.recv_message()) is not None:
            self._protocol.data_received(message.data)

    async def _write(self) -> None:
        while True:
            while self._waiting:
                data = self._waiting.popleft()
                await self._stream.send_message(self._message(data=data))
                self._size -= len(data)
                if self._paused and self._size < _HIGH_WATER // 4:
                    self._paused = False
                    self._protocol.resume_writing()
            if self._closing:
                return
            self._wake.clear()
            await self._wake.wait()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing:
            return
        view = memoryview(data)
        self._waiting.extend(bytes(view[start : start + _PIECE]) for start in range(0, len(view), _PIECE))
        self._size += len(view)
        self._wake.set()
        if not self._paused and self._size > _HIGH_WATER:
            self._paused = True
            self._protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        return self._size

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Sends what waits, and ends ``run``."""
        self._closing = True
        self._wake.set()

    def abort(self) -> None:
        """Ends ``run`` at once."""
        self._closing = True
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()
