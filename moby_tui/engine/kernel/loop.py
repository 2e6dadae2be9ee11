"""A small epoll(7) loop for the monitor: asyncio would cost each container ten megabytes."""

from __future__ import annotations

import select
import time
from collections.abc import Callable

READ = select.EPOLLIN | select.EPOLLRDHUP
PRIORITY = select.EPOLLPRI
WRITE = select.EPOLLOUT
HANG_UP = select.EPOLLHUP | select.EPOLLERR
Callback = Callable[[int], None]


class Timer:
    """A call that is due at a moment of the monotonic clock."""

    def __init__(self, due: float, callback: Callable[[], object]) -> None:
        self.due = due
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Loop:
    """Calls back with the epoll events of each registered descriptor, one thread, until ``run_until`` is satisfied."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callback] = {}
        self._events: dict[int, int] = {}
        #: the number of polls so far, and for each descriptor that number when it was registered
        self._polls = 0
        self._since: dict[int, int] = {}
        #: few at a time: a health check's, a stop's
        self._timers: list[Timer] = []

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Calls back once, after ``seconds`` in which the loop runs."""
        timer = Timer(time.monotonic() + seconds, callback)
        self._timers.append(timer)
        return timer

    def watch(self, fd: int, events: int, callback: Callback) -> None:
        """Registers a descriptor, or changes what it waits for. With no events only its hang-up and errors are reported."""
        if fd not in self._callbacks:
            self._epoll.register(fd, events)
            self._since[fd] = self._polls
        elif self._events[fd] != events:
            self._epoll.modify(fd, events)
        self._callbacks[fd], self._events[fd] = callback, events

    def close(self) -> None:
        self._epoll.close()

    def remove(self, fd: int) -> None:
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def run_until(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Runs until ``done``; False if ``timeout`` seconds passed first."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not done():
            if deadline is not None and deadline <= time.monotonic():
                return False
            ready = self._epoll.poll(self._patience(deadline))
            self._polls += 1
            poll = self._polls
            for fd, events in ready:
                callback = self._callbacks.get(fd)
                # an earlier callback may have closed the descriptor; its number may belong to a new one, for which this event is not
                if callback is not None and self._since[fd] < poll:
                    callback(events)
            if self._timers:
                self._call_due()
        return True

    def _patience(self, deadline: float | None) -> float:
        """Seconds until the deadline or the next timer, whichever is first; -1 if there is neither."""
        self._timers = [timer for timer in self._timers if timer.callback is not None]
        moments = [timer.due for timer in self._timers]
        if deadline is not None:
            moments.append(deadline)
        return max(0.0, min(moments) - time.monotonic()) if moments else -1.0

    def _call_due(self) -> None:
        moment = time.monotonic()
        for timer in tuple(self._timers):
            if timer.due <= moment and timer.callback is not None:
                callback, timer.callback = timer.callback, None
                callback()
