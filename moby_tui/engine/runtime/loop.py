"""A small epoll(7) loop for the monitor: asyncio would cost each container ten megabytes."""

from __future__ import annotations

import select
import time
from collections.abc import Callable

READ = select.EPOLLIN | select.EPOLLRDHUP
WRITE = select.EPOLLOUT
HANG_UP = select.EPOLLHUP | select.EPOLLERR
Callback = Callable[[int], None]


class Loop:
    """Calls back with the epoll events of each registered descriptor, one thread, until ``run_until`` is satisfied."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callback] = {}
        self._events: dict[int, int] = {}

    def watch(self, fd: int, events: int, callback: Callback) -> None:
        """Registers a descriptor, or changes what it waits for. With no events only its hang-up and errors are reported."""
        if fd not in self._callbacks:
            self._epoll.register(fd, events)
        elif self._events[fd] != events:
            self._epoll.modify(fd, events)
        self._callbacks[fd], self._events[fd] = callback, events

    def remove(self, fd: int) -> None:
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def run_until(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Runs until ``done``; False if ``timeout`` seconds passed first."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not done():
            rest = -1.0 if deadline is None else deadline - time.monotonic()
            if deadline is not None and rest <= 0:
                return False
            for fd, events in self._epoll.poll(rest):
                callback = self._callbacks.get(fd)
                if callback is not None:
                    callback(events)
        return True
