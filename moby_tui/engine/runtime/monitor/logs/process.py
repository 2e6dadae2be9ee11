"""Runs a log driver in a process of its own, for drivers that may be slow without limit: a network, or a slow disk.

The monitor hands blocks of output to it over a pipe and never waits. What the pipe does not take queues up in the monitor: in
blocking mode the container waits when that is much, in non-blocking mode (``mode=non-blocking``) what comes then is dropped.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable

from moby_tui.engine.kernel.loop import WRITE, Loop
from moby_tui.engine.protocol.log import LogSettings
from moby_tui.engine.runtime.monitor.logs.container_log import ContainerLog

_BEHIND = 1024 * 1024
_PIECE = 65536
_HEAD = struct.Struct("=BL")
_NAMES = {1: "stdout", 2: "stderr"}
_NUMBERS = {name: number for number, name in _NAMES.items()}
#: How long a driver gets to send what it holds, after the container's end (as dockerd).
_CLOSE_SECONDS = 10.0


class Apart(ContainerLog):
    """The monitor's side."""

    def __init__(
        self, loop: Loop, open_driver: Callable[[], ContainerLog], settings: LogSettings, room: Callable[[], None]
    ) -> None:
        """Forks the driver's process, which calls ``open_driver``. Raises ``OSError``, also if the driver itself cannot begin."""
        self._loop = loop
        self._room = room
        self._bound = settings.buffer
        self._queue = bytearray()
        self.dropped = 0
        self._pid, self._pipe = _fork(open_driver)
        os.set_blocking(self._pipe, False)

    @property
    def behind(self) -> bool:
        return not self._bound and len(self._queue) > _BEHIND

    def write(self, stream: str, data: bytes) -> None:
        if self._pipe < 0 or (self._bound and self._queue and len(self._queue) + len(data) > self._bound):
            self.dropped += len(data)
            return
        self._queue += _HEAD.pack(_NUMBERS[stream], len(data)) + data
        self._flush()

    def _flush(self, _events: int = 0) -> None:
        was_behind = self.behind
        try:
            while self._queue:
                del self._queue[: os.write(self._pipe, self._queue[:_PIECE])]
        except BlockingIOError:
            self._loop.watch(self._pipe, WRITE, self._flush)
        except OSError:
            # the driver was killed
            self._end()
        else:
            self._loop.remove(self._pipe)
        if was_behind and not self.behind:
            self._room()

    def close(self) -> None:
        """Passes the rest to the driver and gives it time to send; after that the rest is lost."""
        deadline = time.monotonic() + _CLOSE_SECONDS
        if self._pipe >= 0:
            self._loop.run_until(lambda: not self._queue, _CLOSE_SECONDS)
        self._end()
        while self._pid and not os.waitpid(self._pid, os.WNOHANG)[0]:
            if time.monotonic() > deadline:
                os.kill(self._pid, 9)
                os.waitpid(self._pid, 0)
                break
            time.sleep(0.002)
        self._pid = 0

    def _end(self) -> None:
        if self._pipe >= 0:
            self._loop.remove(self._pipe)
            os.close(self._pipe)
            self._pipe = -1
        self.dropped += len(self._queue)
        self._queue.clear()


def _fork(open_driver: Callable[[], ContainerLog]) -> tuple[int, int]:
    """Forks the driver's process and waits until it is ready; returns its pid and our end of its pipe."""
    source, ours = os.pipe2(os.O_CLOEXEC)
    report, child_report = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            _serve(source, child_report, open_driver)
        finally:
            os._exit(1)
    os.close(source)
    os.close(child_report)
    problem = os.read(report, 4096).decode(errors="replace")
    os.close(report)
    if problem != "ready":
        os.close(ours)
        os.waitpid(pid, 0)
        raise OSError(0, problem or "the log driver died while starting")
    return pid, ours


def _serve(source: int, report: int, open_driver: Callable[[], ContainerLog]) -> None:
    """The process: reads until the monitor closes its end, however it ended."""
    # close all that is inherited: locks, the root, ends of the container's pipes
    os.dup2(source, 0)
    os.dup2(report, 1)
    os.closerange(3, 65536)
    try:
        log = open_driver()
    except OSError as error:
        os.write(1, (error.strerror or str(error)).encode())
        os._exit(1)
    os.write(1, b"ready")
    os.close(1)
    while head := _read_exactly(_HEAD.size):
        number, length = _HEAD.unpack(head)
        log.write(_NAMES[number], _read_exactly(length))
    log.close()
    os._exit(0)


def _read_exactly(size: int) -> bytes:
    """That many bytes, or nothing at the end."""
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            return b""
        data += piece
    return data
