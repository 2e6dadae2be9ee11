"""Signals to this process while a container is attached to it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

from moby_tui.cli.session import Leave
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
    calls = _Calls()

    def forward(number: signal.Signals) -> None:
        calls.begin(send(number.name.removeprefix("SIG")))

    with _handled(dict.fromkeys(_FORWARDED, forward)):
        yield


@contextmanager
def own_terminal(resize: Callable[[int, int], Awaitable[None]]) -> Iterator[None]:
    """The caller's terminal as the container's: raw, its size (height, width) followed.

    SIGTERM and SIGHUP end this process with 128 and their number, the terminal restored.
    """
    # imported here, since commands without a terminal pass signals on, and no more
    from moby_tui.cli.terminal import raw

    calls = _Calls()
    task = asyncio.current_task()
    assert task is not None
    ended_by: list[int] = []

    def end(number: signal.Signals) -> None:
        ended_by.append(number)
        task.cancel()

    def follow(_: signal.Signals) -> None:
        if (size := raw.size()) is not None:
            calls.begin(resize(*size))

    try:
        with _handled({signal.SIGTERM: end, signal.SIGHUP: end, signal.SIGWINCH: follow}), raw.raw_mode(0):
            yield
    except asyncio.CancelledError:
        if not ended_by:
            raise
        task.uncancel()
        raise Leave(128 + ended_by[0]) from None


@contextmanager
def _handled(handlers: Mapping[signal.Signals, Callable[[signal.Signals], None]]) -> Iterator[None]:
    """While the block runs, the event loop calls these functions with the signals that come, in this process's main thread.

    As ``loop.add_signal_handler``, which executes the module inspect (``deferral.py``) and lists all signals for each one.
    """
    loop = asyncio.get_running_loop()

    def arrived(number: int, _: object) -> None:
        loop.call_soon_threadsafe(handlers[signal.Signals(number)], signal.Signals(number))

    before = {}
    try:
        for number in handlers:
            before[number] = signal.signal(number, arrived)
            # system calls of other threads are not interrupted for it
            signal.siginterrupt(number, False)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
