"""The event bus of one engine: gives the events of all processes, past and future, to any number of readers in this process."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from moby_tui.engine.events.cursor import Cursor
from moby_tui.engine.events.filters import EventFilter
from moby_tui.engine.events.journal import segment_name, segments
from moby_tui.errors import InvalidArgument
from moby_tui.schema.base import Filters
from moby_tui.schema.event import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.kernel.inotify import Inotify

_POLLS, _POLL_SECONDS = 25, 0.003
#: How often a reader polls the journal if the kernel gives no inotify watch.
_UNWATCHED_SECONDS = 0.1


class EventBus:
    """Reads the journal in a directory. All readers of one bus share one inotify instance.

    The instance is made for the first reader that waits long, and kept until ``close``: the kernel takes some 10 ms to close one.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = str(directory)
        self._inotify: Inotify | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()
        #: how far the journal went when the readers were woken last
        self._woken_for: tuple[int, int] | None = None

    def subscribe(self, *, filters: Filters | None = None) -> Subscription:
        """Every event that is published after this call, which needs a running event loop. An unknown filter leaves none out."""
        return self._subscribe(Cursor(self._directory), math.inf, EventFilter(filters))

    def stream(self, *, since: float | None = None, until: float | None = None, filters: Filters | None = None) -> Subscription:
        """Past events from ``since`` (Unix seconds), then live ones until ``until`` (None: for ever). Without ``since``: all past ones
        if there is an ``until``, else none; so does dockerd.

        Without gap or repetition. The position is taken at this call, not at the first iteration.

        Raises ``InvalidArgument`` if ``since`` is after ``until``.
        """
        if until is not None and since is None:
            since = 0
        if since is not None and until is not None and since > until:
            raise InvalidArgument(f"`since` time ({since}) cannot be after `until` time ({until})")
        matching = EventFilter(filters)
        # A float holds Unix time within a quarter of a microsecond: one microsecond further out loses no event.
        cursor = Cursor(self._directory, since=(math.floor(since * 1e6) - 1) * 1000 if since is not None else None)
        return self._subscribe(cursor, (math.ceil(until * 1e6) + 1) * 1000 if until is not None else math.inf, matching)

    def close(self) -> None:
        """Ends every subscription."""
        for subscription in list(self._subscriptions):
            subscription.close()
        self._unwatch()

    def _subscribe(self, cursor: Cursor, until: float, matching: EventFilter) -> Subscription:
        subscription = Subscription(self, cursor, until, matching)
        self._subscriptions.add(subscription)
        return subscription

    def is_watching(self) -> bool:
        """True if inotify wakes the readers; else they poll."""
        return self._loop is asyncio.get_running_loop()

    def watch(self) -> bool:
        """Makes inotify wake the readers. False if a limit is reached: the user's inotify instances or watches, or the process's files."""
        from moby_tui.engine.kernel.inotify import IN_CREATE, IN_MODIFY, watching

        loop = asyncio.get_running_loop()
        self._unwatch()
        inotify = watching(self._directory, IN_MODIFY | IN_CREATE)
        if inotify is None:
            return False
        loop.add_reader(inotify.fileno(), self._wake)
        self._inotify, self._loop = inotify, loop
        return True

    def _unwatch(self) -> None:
        if self._inotify is not None and self._loop is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._inotify.fileno())
            self._inotify.close()
        self._inotify = self._loop = None

    def _wake(self) -> None:
        """Called by the event loop when inotify(7) reports a change of the journal."""
        assert self._inotify is not None
        self._inotify.read()
        self.poke()

    def poke(self) -> None:
        """Makes every reader look into the journal now, if an event was added since they were woken last.

        One event is told several times: by who publishes it here, by its container's monitor, and by inotify for each of its writes.
        """
        extent = self._extent()
        if extent is None or extent != self._woken_for:
            self._woken_for = extent
            for subscription in list(self._subscriptions):
                subscription.wake()

    def _extent(self) -> tuple[int, int] | None:
        """The newest segment and its size, which tell how far the journal goes; None if that cannot be seen."""
        try:
            newest = max(segments(self._directory), default=0)
            return newest, os.stat(f"{self._directory}/{segment_name(newest)}").st_size
        except OSError:
            return None

    def leave(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)


class Subscription(AsyncIterator[Event]):
    """One reader's events. Iterate over it; ``close`` it, from any task, to end it."""

    def __init__(self, bus: EventBus, cursor: Cursor, until: float, matching: EventFilter) -> None:
        self._bus = bus
        self._polls = 0
        self._cursor = cursor
        self._until = until
        self._matching = matching
        self._there = self._select()
        self._changed = asyncio.Event()
        self._ended = False

    def wake(self) -> None:
        """Something was added to the journal."""
        self._changed.set()

    async def __anext__(self) -> Event:
        while not self._ended:
            self._changed.clear()
            past_end = time.time_ns() > self._until
            event = self._next()
            if event is not None:
                return event
            if past_end:
                self.close()
            if not self._ended:
                await self._wait()
        raise StopAsyncIteration

    def close(self) -> None:
        if not self._ended:
            self._ended = True
            self._bus.leave(self)
            self._changed.set()
            self._cursor.close()

    async def aclose(self) -> None:
        self.close()

    def _next(self) -> Event | None:
        """The next event that is already there."""
        event = next(self._there, None)
        if event is None:
            self._there = self._select()
            event = next(self._there, None)
        return event

    def _select(self) -> Iterator[Event]:
        for event in self._cursor.read():
            if event.time_nano > self._until:
                self.close()
                return
            if self._matching.matches(event):
                yield event

    async def _wait(self) -> None:
        """Waits until there may be a new event. Polls at first: a short wait is not worth an inotify instance."""
        if not self._bus.is_watching():
            if self._polls < _POLLS:
                self._polls += 1
                await self._look_after(_POLL_SECONDS)
            elif not self._bus.watch():
                await self._look_after(_UNWATCHED_SECONDS)
            return
        remaining = None if self._until == math.inf else max(0.0, (self._until - time.time_ns()) / 1e9) + 0.001
        await self._look_after(remaining)

    async def _look_after(self, seconds: float | None) -> None:
        """Sleeps, at most until woken."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
