"""The event bus of one engine: gives the events of all processes, past and future, to any number of readers in this process."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from io import FileIO
from pathlib import Path

import msgspec

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
_CHUNK = 256 * 1024
_decoder = msgspec.json.Decoder(Event)
_BY_OBJECT = ("config", "container", "daemon", "network", "node", "plugin", "secret", "service", "volume")
_KEYS = frozenset((*_BY_OBJECT, "event", "image", "label", "scope", "type"))
#: Actions with a detail after a colon (``exec_start: sh``); a filter without detail matches any.
_DETAILED = frozenset(("health_status", "exec_create", "exec_start"))


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


class Cursor:
    """Reads the journal's events in order, each once.

    Its position is after a whole line of one segment, which it holds open: a segment may be deleted while it is read. A reader that
    sleeps while all segments behind the one that it holds are dropped continues at the oldest that is left.
    """

    def __init__(self, directory: str, *, since: int | None = None) -> None:
        """Begins at the first event whose time is ``since`` (Unix nanoseconds) or later; with None after the last event that is there now."""
        self._directory = directory
        self._since = since
        self._start = 0
        self._offset = 0
        self._file: FileIO | None = None
        starts = self._segments()
        if since is None and starts:
            self._enter(starts[-1])
            self._offset = self._end()
        elif since is not None and starts:
            self._enter(max((start for start in starts if start <= since), default=starts[0]))

    def read(self) -> Iterator[Event]:
        """The events that were added since the last call. Lines that are torn or no event are left out."""
        while True:
            # List the next segments before reading this one to its end: once a next one exists, nothing is added to this one.
            following = [start for start in self._segments() if start > self._start]
            yield from self._read_segment()
            if not following:
                return
            self._enter(following[0])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _segments(self) -> list[int]:
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return segments(directory)
        finally:
            os.close(directory)

    def _enter(self, start: int) -> None:
        self.close()
        self._start = start
        self._offset = 0
        try:
            self._file = FileIO(f"{self._directory}/{segment_name(start)}")
        except FileNotFoundError:  # dropped since it was listed; the next one is listed too
            self._file = None

    def _read_segment(self) -> Iterator[Event]:
        while self._file is not None:
            chunk = self._next_lines(self._file.fileno())
            if not chunk:
                return
            for line in chunk.split(b"\n"):
                event = _decode(line)
                if event is not None and (self._since is None or event.time_nano >= self._since):
                    yield event

    def _next_lines(self, fd: int) -> bytes:
        """The next whole lines, some at a time; empty at the end."""
        size = _CHUNK
        while True:
            chunk = os.pread(fd, size, self._offset)
            end = chunk.rfind(b"\n") + 1
            if end or len(chunk) < size:
                break
            size *= 2
        self._offset += end
        return chunk[:end]

    def _end(self) -> int:
        """The offset after the last whole line; a line that is being written counts as not yet there."""
        if self._file is None:
            return 0
        fd = self._file.fileno()
        size = os.fstat(fd).st_size
        position = size
        while position > 0:
            begin = max(0, position - _CHUNK)
            newline = os.pread(fd, position - begin, begin).rfind(b"\n")
            if newline >= 0:
                return begin + newline + 1
            position = begin
        return 0


def _decode(line: bytes) -> Event | None:
    try:
        return _decoder.decode(line)
    except msgspec.MsgspecError:
        return None


class EventFilter:
    """Values of one key are alternatives, keys and labels all must match (Engine API, ``GET /events``)."""

    def __init__(self, filters: Filters | None) -> None:
        """A key that no event can be filtered by leaves none out, as with the Docker Engine."""
        self._filters = {key: values for key, values in (filters or {}).items() if values and key in _KEYS}

    def matches(self, event: Event) -> bool:
        """Whether the reader asked for this event."""
        return all(self._matches_key(key, values, event) for key, values in self._filters.items())

    def _matches_key(self, key: str, values: list[str], event: Event) -> bool:
        if key == "type":
            return event.type in values
        if key == "scope":
            return event.scope in values
        if key == "event":
            return _matches_action(values, event.action)
        if key == "label":
            return all(_has_label(event.actor.attributes, label) for label in values)
        if key == "image":
            return not _image_names(event).isdisjoint(values)
        prefixes = tuple(values)
        return event.actor.id.startswith(prefixes) or event.actor.attributes.get("name", "").startswith(prefixes)


def _matches_action(values: list[str], action: str) -> bool:
    if action in values:
        return True
    return not _DETAILED.isdisjoint(values) and action.startswith(tuple(values))


def _has_label(attributes: dict[str, str], label: str) -> bool:
    key, equals, value = label.partition("=")
    return key in attributes and (not equals or attributes[key] == value)


def _image_names(event: Event) -> set[str]:
    """The values of an ``image`` filter that match this event: the image's id or name, or the container's image, with or without tag."""
    name = event.actor.attributes.get("name" if event.type == "image" else "image", "")
    return {event.actor.id, name, _familiar_name(event.actor.id), _familiar_name(name)}


def _familiar_name(reference: str) -> str:
    """``docker.io/library/alpine:3@sha256:…`` -> ``alpine``: without digest, tag and the default registry."""
    name = reference.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    name = folder + slash + last.partition(":")[0]
    return name.removeprefix("docker.io/").removeprefix("library/")
