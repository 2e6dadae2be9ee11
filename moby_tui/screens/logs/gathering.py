"""Reads the logs of any number of containers into one store: what was written before first, then each line as it comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import count

from moby_tui.schema.container import LogOptions
from moby_tui.schema.event import Event
from moby_tui.screens import text
from moby_tui.screens.logs.lining import Lining, note
from moby_tui.screens.logs.merging import Merger
from moby_tui.screens.logs.moments import SECOND
from moby_tui.screens.logs.store import MOST_SOURCES, LogLine, LogStore, by_time
from moby_tui.screens.session.session import TROUBLE, Session

#: Lines of each container that are read of what was written before, unless a person asks for others.
TAIL = 5000
#: The screen is given new lines this often, seconds.
FRAME = 0.1
#: Of each frame at most this share is spent on reading, so that keys stay quick in any flood.
BUSY = 0.4
#: Further behind than this, seconds, a log is taken up again at its end.
BEHIND = 3.0
#: Pause before a log that ended is opened again, seconds.
AGAIN = 0.5
#: Containers whose past is read at the same time.
AT_ONCE = 4


@dataclass(slots=True)
class Source:
    """A container whose log is read. ``number`` is its number in the store, ``name`` is clean, ``trouble`` why its log cannot be read."""

    number: int
    id: str
    name: str
    trouble: str = ""
    #: the time of the last line that was read, nanoseconds
    last: int = 0


class Gathering:
    """``want`` says which containers; ``run`` reads until it is cancelled; ``changed`` is called after each frame with new lines."""

    def __init__(self, session: Session, store: LogStore, changed: Callable[[], None], *, with_runs: bool = True) -> None:
        """``with_runs``: where runs began and ended before is asked for too."""
        self.sources: dict[int, Source] = {}
        self.tail: int | None = TAIL
        #: Unix seconds; what is older is not read. 0: no bound.
        self.since = 0.0
        self._session = session
        self._store = store
        self._changed = changed
        self._with_runs = with_runs
        self._merger = Merger()
        self._past: list[LogLine] = []
        #: Set when there is something to give to the store.
        self._come = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._woken: dict[str, asyncio.Event] = {}
        self._wanted = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._next = 0

    @property
    def names(self) -> dict[int, str]:
        """The names of the containers by their number in the store."""
        return {number: source.name for number, source in self.sources.items()}

    @property
    def ids(self) -> list[str]:
        return [source.id for source in self.sources.values()]

    def want(self, containers: dict[str, str]) -> int:
        """Reads the logs of these containers (name by id), and forgets the lines of others. Returns how many were too many."""
        chosen = dict(list(containers.items())[:MOST_SOURCES])
        for number, source in list(self.sources.items()):
            if source.id not in chosen:
                del self.sources[number]
                self._store.drop_source(number)
        known = set(self.ids)
        for identifier, name in chosen.items():
            if identifier not in known:
                self._add(identifier, name)
        self._wanted.set()
        return len(containers) - len(chosen)

    def read_again(self) -> None:
        """Reads all logs from their beginning: ``tail`` or ``since`` has changed."""
        wanted = {source.id: source.name for source in self.sources.values()}
        self._stop()
        self.sources.clear()
        self._store.clear()
        self.want(wanted)

    def wake(self, identifiers: frozenset[str]) -> None:
        """Something about these containers has changed (empty: about all may have): perhaps they run again."""
        for identifier, woken in self._woken.items():
            if not identifiers or identifier in identifiers:
                woken.set()

    def take_event(self, event: Event) -> None:
        """Notes in the stream where a run of a container begins or ends."""
        source = next((one for one in self.sources.values() if one.id == event.actor.id), None)
        if source is not None and (text := _describe(event)):
            self._put(note(event.time_nano, source.number, f"── {source.name} {text} ──"))

    async def run(self) -> None:
        """Reads until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hand_over())
                while True:
                    await self._wanted.wait()
                    self._wanted.clear()
                    wanted = {source.id: source for source in self.sources.values()}
                    for identifier in self._tasks.keys() - wanted.keys():
                        self._tasks.pop(identifier).cancel()
                        self._woken.pop(identifier, None)
                    for identifier in wanted.keys() - self._tasks.keys():
                        self._woken[identifier] = asyncio.Event()
                        self._tasks[identifier] = group.create_task(self._follow(wanted[identifier]))
        finally:
            self._stop()

    def _stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
        self._woken.clear()

    def _add(self, identifier: str, name: str) -> None:
        """Under a number that was not used lately: lines of the container that had it may still come."""
        numbers = (number % (MOST_SOURCES + 1) for number in count(self._next))
        number = next(one for one in numbers if one not in self.sources)
        self._next = number + 1
        self.sources[number] = Source(number, identifier, name)

    def _put(self, line: LogLine) -> None:
        self._merger.put(line)
        self._come.set()

    async def _hand_over(self) -> None:
        """Gives the store what has come, at most once a frame."""
        while True:
            if not self._merger and not self._past:
                self._come.clear()
                await self._come.wait()
            await asyncio.sleep(FRAME)
            past, self._past = self._past, []
            live = [line for line in self._merger.take() if line.source in self.sources]
            if past:
                self._store.add(sorted((line for line in past if line.source in self.sources), key=by_time))
            self._store.add(live)
            if past or live:
                self._changed()

    async def _follow(self, source: Source) -> None:
        """One container's log: its past, then what comes, over restarts of the container and losses of the engine."""
        woken = self._woken[source.id]
        knows_past = False
        while True:
            woken.clear()
            try:
                if not knows_past:
                    async with self._slots:
                        await self._read_past(source)
                    knows_past = True
                behind = await self._read_live(source)
            except TROUBLE as error:
                behind = False
                self._tell_trouble(source, text.clean(str(error)))
            if behind:
                words = f"── {source.name}: lines were skipped, it writes faster than they can be shown ──"
                self._put(note(source.last + 1, source.number, words))
                source.last = time.time_ns() - SECOND
                continue
            await asyncio.sleep(AGAIN)
            container = self._session.model.get(source.id)
            if self._session.connection.up and (container is None or not container.running):
                await woken.wait()

    def _tell_trouble(self, source: Source, reason: str) -> None:
        """Says it once, not at each try."""
        if reason != source.trouble:
            source.trouble = reason
            self._put(note(source.last or time.time_ns(), source.number, f"── {source.name}: {reason} ──"))

    async def _read_past(self, source: Source) -> None:
        options = LogOptions(timestamps=True, since=self.since, tail=self.tail)
        lining = Lining(source.number)
        lines: list[LogLine] = []
        pace = _Pace(1)
        async for fd, data in self._session.client.containers.logs(source.id, options):
            if line := lining.take(fd, data):
                lines.append(line)
            await pace.rest()
        lines += lining.rest()
        if lines:
            source.last = max(line.stamp for line in lines)
            if self._with_runs:
                lines += await self._runs(source, lines[0].stamp)
        self._past += lines
        self._come.set()

    async def _runs(self, source: Source, since: int) -> list[LogLine]:
        """Where the runs of a container began and ended since its first line, as far as the engine still knows."""
        filters = {"type": ["container"], "container": [source.id], "event": ["start", "die", "oom"]}
        notes: list[LogLine] = []
        try:
            async for event in self._session.client.events.stream(since=since / SECOND - 1, until=time.time(), filters=filters):
                if event.actor.id == source.id and (text := _describe(event)):
                    notes.append(note(event.time_nano, source.number, f"── {source.name} {text} ──"))
        except TROUBLE:
            return []
        return notes

    async def _read_live(self, source: Source) -> bool:
        """One stream, to its end. True if it was left because it fell behind."""
        since = source.last / SECOND if source.last else self.since
        options = LogOptions(follow=True, timestamps=True, since=since, tail=None if since else self.tail)
        stream = self._session.client.containers.logs(source.id, options)
        lining = Lining(source.number)
        pace = _Pace(max(len(self.sources), 1))
        begun, count = source.last, 0
        try:
            async for fd, data in stream:
                line = lining.take(fd, data)
                if line is not None and line.stamp > begun:
                    source.last = max(source.last, line.stamp)
                    source.trouble = ""
                    self._put(line)
                    count += 1
                if await pace.rest() and count > TAIL and time.time() - source.last / SECOND > BEHIND:
                    return True
        finally:
            for line in lining.rest():
                self._put(line)
            await _close(stream)
        return False


class _Pace:
    """Rests so that ``count`` readers together are busy for a share of each frame."""

    def __init__(self, count: int) -> None:
        self._busy = FRAME * BUSY / count
        self._until = time.monotonic() + self._busy

    async def rest(self) -> bool:
        """True if it did rest."""
        if time.monotonic() < self._until:
            return False
        await asyncio.sleep(FRAME * (1 - BUSY))
        self._until = time.monotonic() + self._busy
        return True


async def _close(stream: AsyncIterator[tuple[int, bytes]]) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


def _describe(event: Event) -> str:
    if event.type != "container":
        return ""
    if event.action == "start":
        return "started"
    if event.action == "oom":
        return "ran out of memory"
    if event.action == "die":
        code = text.clean(event.actor.attributes.get("exitCode", ""))
        return f"ended with exit code {code}" if code else "ended"
    return ""
