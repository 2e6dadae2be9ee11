"""The progress lines of pull and load (Docker's JSON progress stream), from tasks and threads to one reader."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from moby_tui.engine.tasks import settled
from moby_tui.schema.image import Progress, ProgressDetail

_SECONDS_BETWEEN = 0.1


class Report:
    """Takes progress lines from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Progress | None] = asyncio.Queue()

    def say(self, line: Progress) -> None:
        self._loop.call_soon_threadsafe(self._queue.put_nowait, line)

    def status(self, status: str, layer: str | None = None) -> None:
        self.say(Progress(status=status, id=layer))

    def counter(self, status: str, layer: str, total: int) -> Callable[[int], None]:
        """A function that takes the number of bytes done, and reports it at most ten times a second."""
        last = 0.0

        def count(current: int) -> None:
            nonlocal last
            if (now := time.monotonic()) - last >= _SECONDS_BETWEEN:
                last = now
                self.say(Progress(status=status, id=layer, progress_detail=ProgressDetail(current=current, total=total)))

        return count

    async def of(self, work: Coroutine[Any, Any, None]) -> AsyncGenerator[Progress, None]:
        """Runs the work and yields its progress lines; raises its error at the end. Closing this (``aclose``) cancels the work."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._queue.put_nowait, None))
        try:
            while (line := await self._queue.get()) is not None:
                yield line
        finally:
            task.cancel()
            await settled(task)
        task.result()
