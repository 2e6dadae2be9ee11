"""Runs a command's coroutine; ctrl-c cancels it."""

from __future__ import annotations

import asyncio
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import FrameType
    from typing import Any, TypeVar

    T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """As ``asyncio.run``: the first SIGINT cancels the coroutine, ``KeyboardInterrupt`` is raised when it has ended, or by the second.

    With a handler of our own. Whoever replaces the one of asyncio has the whole task written out (``signal.signal`` makes each handler
    an enumeration's member if it can), for which asyncio executes the module inspect (``deferral.py``).
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return asyncio.run(work)
    interruption = _Interruption()
    signal.signal(signal.SIGINT, interruption.arrived)
    try:
        return asyncio.run(interruption.cancelling(work))
    except asyncio.CancelledError:
        if interruption.count:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class _Interruption:
    def __init__(self) -> None:
        self.count = 0
        self._task: asyncio.Task[Any] | None = None

    async def cancelling(self, work: Coroutine[Any, Any, T]) -> T:
        """The work, in the task that is cancelled."""
        self._task = asyncio.current_task()
        return await work

    def arrived(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1 or self._task is None or self._task.done():
            raise KeyboardInterrupt
        # the loop may be waiting: this wakes it
        self._task.get_loop().call_soon_threadsafe(self._task.cancel)
