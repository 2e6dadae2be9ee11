"""Signals to this process while a container is attached to it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from moby_tui.cli.ending import Leave
from moby_tui.cli.terminal import raw
from moby_tui.errors import MobyError

#: Signals that are passed on: requests from others, not those that the kernel sends for the process's own doing.
_FORWARDED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGCONT,
)


class _Calls:
    """Coroutines begun from signal handlers. A container that is not running (any more) takes no signal and has no size."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, call: Awaitable[None]) -> None:
        task = asyncio.ensure_future(self._finish(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _finish(call: Awaitable[None]) -> None:
        try:
            await call
        except MobyError:
            return


@contextmanager
def forwarded(send: Callable[[str], Awaitable[None]]) -> Iterator[None]:
    """While the block runs, signals to this process go to the container instead, by name (``TERM``)."""
    loop = asyncio.get_running_loop()
    calls = _Calls()

    def forward(number: signal.Signals) -> None:
        calls.begin(send(number.name.removeprefix("SIG")))

    for number in _FORWARDED:
        loop.add_signal_handler(number, forward, number)
    try:
        yield
    finally:
        for number in _FORWARDED:
            loop.remove_signal_handler(number)


@contextmanager
def own_terminal(resize: Callable[[int, int], Awaitable[None]]) -> Iterator[None]:
    """The caller's terminal as the container's: raw, its size (height, width) followed.

    SIGTERM and SIGHUP end this process with 128 and their number, the terminal restored.
    """
    loop = asyncio.get_running_loop()
    calls = _Calls()
    task = asyncio.current_task()
    assert task is not None
    ended_by: list[int] = []

    def end(number: int) -> None:
        ended_by.append(number)
        task.cancel()

    def follow() -> None:
        if (size := raw.size()) is not None:
            calls.begin(resize(*size))

    loop.add_signal_handler(signal.SIGTERM, end, signal.SIGTERM)
    loop.add_signal_handler(signal.SIGHUP, end, signal.SIGHUP)
    loop.add_signal_handler(signal.SIGWINCH, follow)
    try:
        with raw.raw_mode(0):
            yield
    except asyncio.CancelledError:
        if not ended_by:
            raise
        task.uncancel()
        raise Leave(128 + ended_by[0]) from None
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH):
            loop.remove_signal_handler(number)
