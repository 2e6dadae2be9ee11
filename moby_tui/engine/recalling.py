"""The history of containers as the engine's users read it: the client protocol's ``History``."""

from __future__ import annotations

import builtins
import fcntl
import math
import os
from collections.abc import AsyncIterator, Iterator

from moby_tui.engine.containers import log_tail
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.history.journal import RECORDER_LOCK, HistoryJournal
from moby_tui.engine.history.records import LogTail, Record, Row, Sample
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument, MobyError, NotFound
from moby_tui.schema.history import Figures, HistoryStatus, KeptLine, Remembered

SECOND = 1_000_000_000
#: Two samples further apart than this have no rate between them: nobody looked meanwhile.
_GAP = 600 * SECOND


class HistoryService:
    """Reads what is on disk at each call; any engine does, whichever records."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def status(self) -> HistoryStatus:
        options = self._parts.options()
        journal = self._journal()
        return HistoryStatus(
            recording=bool(options.history_size) and self._is_recording(),
            size=journal.size(),
            limit=options.history_size,
            age=options.history_days * 86400,
            interval=options.history_interval,
            oldest=journal.oldest() / SECOND,
        )

    async def containers(self) -> builtins.list[Remembered]:
        remembered = await in_thread(self._remembered)
        return sorted(remembered.values(), key=lambda one: max(one.last, one.removed), reverse=True)

    async def figures(
        self, ref: str, *, since: float | None = None, until: float | None = None, step: int = 0
    ) -> AsyncIterator[Figures]:
        if step < 0:
            raise InvalidArgument(f"invalid step: {step}: give seconds, or 0 for every sample")
        identifier = await self._resolve(ref)
        # a float holds Unix time within a quarter of a microsecond
        first = (math.floor(since * 1e6) - 1) * 1000 if since is not None else 0
        last = (math.ceil(until * 1e6) + 1) * 1000 if until is not None else None
        for one in await in_thread(self._figures, identifier, first, last, step):
            yield one

    async def log(self, ref: str) -> AsyncIterator[KeptLine]:
        identifier = await self._resolve(ref)
        tail = await in_thread(self._tail, identifier)
        if tail is None:
            raise NotFound(
                f"no log is kept of {ref}: it still exists, wrote nothing, or was removed while no engine kept a history"
            )
        for line in tail.lines:
            yield KeptLine(time=line.time, stream=line.stream, text=line.text.decode("utf-8", "replace").removesuffix("\n"))

    def _journal(self) -> HistoryJournal:
        """The history's journal; if no history is kept now, that of an earlier time, which can still be read."""
        kept = log_tail.open_journal(self._parts)
        return kept or HistoryJournal(self._parts.paths.history, max_bytes=64 << 20, max_age=0)

    def _is_recording(self) -> bool:
        """True if some engine holds the recorder's lock."""
        try:
            fd = os.open(self._parts.paths.history / RECORDER_LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(fd)
        return False

    async def _resolve(self, ref: str) -> str:
        """The id of a container that exists, or of the last that had the name or an id that begins so. Raises ``NotFound``."""
        try:
            return self._parts.get(ref).id
        except MobyError:
            pass
        known = await self.containers()
        name = ref.removeprefix("/")
        for one in known:
            if one.name == name or one.id == ref:
                return one.id
        matching = [one.id for one in known if one.id.startswith(ref)]
        if len(matching) != 1:
            raise NotFound(f"No such container: {ref}, and the history knows none of this name")
        return matching[0]

    def _remembered(self) -> dict[str, Remembered]:
        remembered: dict[str, Remembered] = {}
        for record in self._journal().read():
            if isinstance(record, Sample):
                for row in record.rows:
                    one = remembered.setdefault(row.id, Remembered(id=row.id, name=row.id[:12]))
                    one.first = one.first or record.time / SECOND
                    one.last = record.time / SECOND
                continue
            one = remembered.setdefault(record.id, Remembered(id=record.id, name=record.name))
            one.name, one.image = record.name, record.image
            if isinstance(record, LogTail):
                one.log, one.exit_code, one.removed = True, record.exit_code, record.time / SECOND
        return remembered

    def _tail(self, identifier: str) -> LogTail | None:
        tail: LogTail | None = None
        for record in self._journal().read():
            if isinstance(record, LogTail) and record.id == identifier:
                tail = record
        return tail

    def _figures(self, identifier: str, since: int, until: int | None, step: int) -> builtins.list[Figures]:
        figures: builtins.list[Figures] = []
        before: tuple[int, Row] | None = None
        for time, row in _rows(self._journal().read(since, until), identifier):
            figures.append(_figure(time, row, before))
            before = time, row
        return _mean(figures, step) if step else figures


def _rows(records: Iterator[Record], identifier: str) -> Iterator[tuple[int, Row]]:
    for record in records:
        if isinstance(record, Sample):
            for row in record.rows:
                if row.id == identifier:
                    yield record.time, row


def _figure(time: int, row: Row, before: tuple[int, Row] | None) -> Figures:
    """With the rates since the sample before; 0 if there is none, and if a total shrank: the container has started anew."""
    figure = Figures(time=time / SECOND, memory=row.memory, limit=row.limit, processes=row.processes)
    if before is None or not 0 < time - before[0] <= _GAP or row.cpu < before[1].cpu:
        return figure
    seconds, last = (time - before[0]) / SECOND, before[1]
    figure.cpu = (row.cpu - last.cpu) / (time - before[0]) * 100
    for name in ("received", "sent", "read", "written"):
        setattr(figure, name, max(getattr(row, name) - getattr(last, name), 0) / seconds)
    return figure


def _mean(figures: builtins.list[Figures], step: int) -> builtins.list[Figures]:
    """One for each step, at the time of its last sample."""
    steps: dict[int, builtins.list[Figures]] = {}
    for one in figures:
        steps.setdefault(int(one.time // step), []).append(one)
    return [_together(several) for several in steps.values()]


def _together(several: builtins.list[Figures]) -> Figures:
    last, count = several[-1], len(several)
    whole = {name: sum(getattr(one, name) for one in several) // count for name in ("memory", "processes")}
    rates = {name: sum(getattr(one, name) for one in several) / count for name in ("cpu", "received", "sent", "read", "written")}
    return Figures(time=last.time, limit=last.limit, **whole, **rates)
