"""Reads one container's log for the screen: over restarts, in small sips, jumping ahead when it is too fast to show."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from moby_tui.schema.container import LogOptions
from moby_tui.schema.stream import STDERR
from moby_tui.screens import text
from moby_tui.screens.logs.lines import Line, parse
from moby_tui.screens.session.session import TROUBLE, Session

#: Lines shown of what was written before.
TAIL = 2000
#: The screen is given new lines this often, seconds.
FRAME = 0.05
#: Of each frame at most this share is spent on reading, so that keys stay quick in any flood.
BUSY = 0.4
#: Further behind than this, seconds, the log is taken up again at its end.
BEHIND = 3.0
#: Pause before a log that ended is opened again, seconds.
AGAIN = 0.5


class LogFeed:
    """``show`` is given each frame's lines, oldest first."""

    def __init__(self, session: Session, container: str, show: Callable[[list[Line]], None]) -> None:
        self._session = session
        self._container = container
        self._show = show
        self._last = ""
        self._noted = ""
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Something about the container has changed: perhaps it runs again."""
        self._changed.set()

    async def run(self) -> None:
        """Reads until it is cancelled."""
        while True:
            self._changed.clear()
            try:
                behind = await self._read()
            except TROUBLE as error:
                behind = False
                self._note_once(text.clean(str(error)))
            if behind:
                self._note("lines were skipped: the container writes faster than they can be shown")
                self._last = ""
                continue
            await asyncio.sleep(AGAIN)
            container = self._session.model.get(self._container)
            if container is None or not container.running:
                await self._changed.wait()

    async def _read(self) -> bool:
        """One log stream, to its end. True if it was left because it fell behind."""
        since = _seconds(self._last)
        options = LogOptions(follow=True, timestamps=True, since=since, tail=None if since else TAIL)
        stream = self._session.client.containers.logs(self._container, options)
        batch: list[Line] = []
        flusher = asyncio.create_task(self._flush(batch))
        try:
            resting_at = time.monotonic() + FRAME * BUSY
            async for fd, data in stream:
                line = parse(fd, data, stamped=True)
                if not self._last or line.stamp > self._last:
                    batch.append(line)
                if (now := time.monotonic()) > resting_at:
                    if batch and time.time() - _seconds(batch[-1].stamp) > BEHIND and len(batch) > TAIL:
                        return True
                    await asyncio.sleep(FRAME * (1 - BUSY))
                    resting_at = now + FRAME
        finally:
            flusher.cancel()
            self._hand_over(batch)
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()
        return False

    async def _flush(self, batch: list[Line]) -> None:
        while True:
            await asyncio.sleep(FRAME)
            self._hand_over(batch)

    def _hand_over(self, batch: list[Line]) -> None:
        if batch:
            self._last = batch[-1].stamp
            self._noted = ""
            self._show(batch.copy())
            batch.clear()

    def _note_once(self, message: str) -> None:
        """As ``_note``, but not again at every try: only after other lines, or where it says something else."""
        if message != self._noted:
            self._noted = message
            self._note(message)

    def _note(self, message: str) -> None:
        self._show([Line(STDERR, "", f"── {message} ──", f"── {message} ──")])


def _seconds(stamp: str) -> float:
    """An RFC 3339 time in UTC as Unix seconds; 0 where there is none."""
    try:
        return datetime.fromisoformat(stamp[:26].rstrip("Z").ljust(26, "0") + "+00:00").timestamp() if stamp else 0.0
    except ValueError:
        return 0.0
