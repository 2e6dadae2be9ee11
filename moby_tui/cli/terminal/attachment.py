"""An attached process: the caller's streams on one side, its own on the other."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from moby_tui.schema.stream import STDERR, Stream

if TYPE_CHECKING:
    from moby_tui.detach_keys import DetachKeys

_CHUNK = 65536


async def read_input(fd: int = 0) -> AsyncIterator[bytes]:
    """The caller's input until its end. A regular file, which epoll refuses, is read directly: it never blocks for long."""
    loop = asyncio.get_running_loop()
    while True:
        ready = asyncio.Event()
        try:
            loop.add_reader(fd, ready.set)
        except PermissionError:
            ready.set()
            await asyncio.sleep(0)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(fd)
        try:
            data = os.read(fd, _CHUNK)
        except OSError:  # a terminal that hung up
            return
        if not data:
            return
        yield data


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


async def write_output(fd: int, data: bytes) -> None:
    """Writes everything. What may block (a full pipe, a stopped terminal) waits in a thread, so that signals still arrive."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    if len(data) <= select.PIPE_BUF and poll.poll(0):
        _write_all(fd, data)
    else:
        await asyncio.to_thread(_write_all, fd, data)


class Attachment:
    """The two directions between this process and a stream. ``detach`` watches the input of a terminal for the keys that leave it."""

    def __init__(self, stream: Stream, *, stdin: bool, detach: DetachKeys | None) -> None:
        self._stream = stream
        self._stdin = stdin
        self._detach = detach if stream.tty else None

    async def run(self) -> bool:
        """Pumps until the process's output ends, or the caller's keys leave it; True in the latter case."""
        output = asyncio.create_task(self._pump_output())
        tasks: list[asyncio.Task[bool]] = [output]
        if self._stdin:
            tasks.append(asyncio.create_task(self._pump_input()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks[1:]:
                if task.done() and task.result():
                    return True
            return await output
        finally:
            for task in tasks:
                task.cancel()
            self._stream.close()

    async def _pump_output(self) -> bool:
        async for fd, data in self._stream.output():
            await write_output(2 if fd == STDERR else 1, data)
        return False

    async def _pump_input(self) -> bool:
        async for data in read_input():
            if self._detach is not None:
                data = self._detach.read(data)
            if data:
                await self._stream.write(data)
            if self._detach is not None and self._detach.typed:
                return True
        self._stream.close_stdin()
        return False
