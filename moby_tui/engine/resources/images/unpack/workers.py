"""The engine's side of the unpacker: starts it for the first large layer, and ends it soon after the last."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from moby_tui import errors
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.protocol.unpacking import MOST_BYTES, UnpackRequest, UnpackResult
from moby_tui.engine.resources.images.store import staging
from moby_tui.engine.resources.images.unpack import unpacker
from moby_tui.engine.resources.images.unpack.unpacker import COMMAND, COUNT
from moby_tui.engine.tasks import settled
from moby_tui.errors import MobyError

if TYPE_CHECKING:
    import subprocess

#: How long the unpacker stays after a layer: the next one of a pull usually comes sooner.
_LINGER_SECONDS = 1.0


class Job:
    """A layer that a child of the unpacker unpacks."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._told = 0

    def tell(self, there: int) -> None:
        """Tells the child how many bytes of the blob are there. From any thread; never waits: if the socket is full, ``result`` sends it."""
        if there > self._told:
            try:
                self._channel.send(COUNT.pack(there), socket.MSG_DONTWAIT)
                self._told = there
            except OSError:
                return  # full, or the child is gone, which ``result`` meets

    def interrupt(self) -> None:
        """Stops the child; ``result`` raises. From any thread."""
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)

    async def result(self, there: Callable[[], int], used: Callable[[int], None]) -> str:
        """Waits for the end; returns the diff id. ``there`` is asked how much of the blob there is, ``used`` hears how much is done.

        Raises what ``unpack`` does.
        """
        while message := await self._next_message():
            if len(message) != COUNT.size:
                return _diff_id(message)
            used(COUNT.unpack(message)[0])
            self.tell(there())
        raise MobyError("the process that unpacked a layer was killed; is the machine out of memory? Try again")

    async def _next_message(self) -> bytes:
        """The next message of the child; empty after its end."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._channel, MOST_BYTES)
        except ConnectionError:
            # it left what we had said unread; the kernel says so once, before it gives what the child said last
            with suppress(OSError):
                return self._channel.recv(MOST_BYTES)
            return b""

    async def stop(self) -> None:
        """Stops the child and waits for its end: after that, nothing writes to the layer."""
        self.interrupt()
        while await self._next_message():
            continue


class Unpackers:
    """The unpacker of one engine, and the layers that it may unpack at once: as many as there are processors."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._users = 0
        self._slots = asyncio.Semaphore(len(os.sched_getaffinity(0)))
        self._leaving: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def job(self, blob: int, size: int, diff_id: str, layer: Path) -> AsyncIterator[Job]:
        """Starts to unpack the file ``blob`` into ``layer``, in a claimed folder. After the block the child has ended."""
        async with self._slots:
            self._users += 1
            try:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with ours:
                    ours.setblocking(False)
                    with theirs:
                        message = UnpackRequest(diff_id=diff_id, layer=str(layer), size=size).encode()
                        descriptors = [blob, staging.lock_of(layer), theirs.fileno()]
                        socket.send_fds(self._connected(), [message], descriptors)
                    job = Job(ours)
                    try:
                        yield job
                    finally:
                        await settled(asyncio.ensure_future(job.stop()))
            finally:
                self._users -= 1
                self._leave_soon()

    def _connected(self) -> socket.socket:
        if self._process and self._process.poll() is not None:
            self.close()  # it was killed
        if self._socket is None:
            self._start()
        assert self._socket
        return self._socket

    def _start(self) -> None:
        import subprocess

        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            fd = theirs.fileno()
            how = [sys.executable, COMMAND] if getattr(sys, "frozen", False) else [sys.executable, "-P", "-m", unpacker.__name__]
            self._process = subprocess.Popen([*how, str(fd)], pass_fds=[fd], stdin=subprocess.DEVNULL, process_group=0)
        self._socket = ours

    def _leave_soon(self) -> None:
        if self._leaving:
            self._leaving.cancel()
        self._leaving = asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._leave)

    def _leave(self) -> None:
        if not self._users:
            self.close()
            processes.trim_heap()

    def close(self) -> None:
        """Ends the unpacker at once; no job may be running."""
        if self._leaving:
            self._leaving.cancel()
        if self._socket:
            self._socket.close()
        if self._process:
            self._process.wait()
        self._socket = self._process = self._leaving = None


def _diff_id(message: bytes) -> str:
    """What a child says at its end. Raises ``MobyError``, also if it says nothing that is understood, and ``OSError``."""
    try:
        result = UnpackResult.decode(message, "answer of the unpacker")
    except MalformedMessage as error:
        raise MobyError(str(error)) from error
    if result.errno is not None:
        raise OSError(result.errno, result.text)
    if result.error is not None:
        kind = getattr(errors, result.error, MobyError)
        raise (kind if isinstance(kind, type) and issubclass(kind, MobyError) else MobyError)(result.text)
    return result.diff_id
