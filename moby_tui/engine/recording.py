"""Keeps the history of containers: one of the engines that are open on a data root samples what its containers use."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import time

from moby_tui.engine.containers import log_tail
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.views import stats
from moby_tui.engine.events.bus import Subscription
from moby_tui.engine.history.journal import RECORDER_LOCK, HistoryJournal
from moby_tui.engine.history.records import Name, Record, Row, Sample
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.errors import MobyError
from moby_tui.schema.base import ZERO_TIME
from moby_tui.schema.event import Event
from moby_tui.schema.stats import Stats

#: Logs of containers that go with their end are held open, one descriptor each and two after a rotation.
_MOST_HELD = 200

log = logging.getLogger(__name__)


class Recorder:
    """``run`` it in an engine that stays open. Of several engines one records; when it is gone, another does."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._running: dict[str, stats.Sampler] = {}
        self._held: dict[str, log_tail.HeldLog] = {}
        #: the exit codes of containers that have ended and are about to be removed
        self._codes: dict[str, int] = {}
        self._named: set[str] = set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            lock = _take_lock(self._parts) if self._parts.options().history_size else None
            if lock is not None:
                try:
                    await self._record()
                finally:
                    os.close(lock)
                    self._let_go()
            await asyncio.sleep(self._parts.options().history_interval)

    async def _record(self) -> None:
        """Samples until the options say that no history is kept."""
        events = self._parts.bus.subscribe(filters={"type": ["container"], "event": ["start", "die", "destroy"]})
        follower = asyncio.create_task(self._follow(events))
        try:
            for record in self._parts.list():
                if self._parts.state(record).alive:
                    self._begin(record)
            while (journal := log_tail.open_journal(self._parts)) is not None:
                await self._sample(journal)
                await asyncio.sleep(self._parts.options().history_interval)
        finally:
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)
            events.close()

    async def _follow(self, events: Subscription) -> None:
        async for event in events:
            try:
                self._take(event)
            except (MobyError, OSError) as error:
                log.debug("history: %s of %s: %s", event.action, event.actor.id, error)

    def _take(self, event: Event) -> None:
        identifier = event.actor.id
        if event.action == "start":
            self._begin(self._parts.get(identifier))
        elif event.action == "die":
            self._running.pop(identifier, None)
            with contextlib.suppress(ValueError):
                if identifier in self._held:
                    self._codes[identifier] = int(event.actor.attributes.get("exitCode", ""))
        else:
            self._running.pop(identifier, None)
            self._keep_log(identifier)

    def _begin(self, record: ContainerRecord) -> None:
        """A container that its monitor will remove has its log held, since nobody else can read it then."""
        self._running[record.id] = stats.Sampler(self._parts, record)
        if record.host_config.auto_remove and record.id not in self._held and len(self._held) < _MOST_HELD:
            self._held[record.id] = log_tail.HeldLog(self._parts, record)

    def _keep_log(self, identifier: str) -> None:
        held = self._held.pop(identifier, None)
        code = self._codes.pop(identifier, 0)
        if held is None:
            return
        tail = held.tail(code)
        held.close()
        journal = log_tail.open_journal(self._parts)
        if tail is not None and journal is not None:
            journal.append(tail)

    def _let_go(self) -> None:
        for held in self._held.values():
            held.close()
        self._held.clear()
        self._running.clear()
        self._codes.clear()

    async def _sample(self, journal: HistoryJournal) -> None:
        for held in self._held.values():
            held.look_again()
        if not self._running:
            return
        if journal.begins_segment():
            self._named.clear()
        now = time.time_ns()
        records: list[Record] = []
        rows: list[Row] = []
        for sampler in list(self._running.values()):
            record = sampler.record
            try:
                figures = sampler.take(None)
            except (MobyError, OSError):
                continue
            if figures.read != ZERO_TIME:
                rows.append(_row(figures))
                if record.id not in self._named:
                    self._named.add(record.id)
                    records.append(Name(now, record.id, record.name, record.image))
            # a look takes about a millisecond: what else the engine does comes between
            await asyncio.sleep(0)
        if rows and not journal.append(*records, Sample(now, tuple(rows))):
            log.debug("history: a sample could not be written")


def _take_lock(parts: Parts) -> int | None:
    """A descriptor that holds the recorder's lock; None while another engine has it, or if there is no room for it."""
    try:
        parts.paths.history.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(parts.paths.history / RECORDER_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def _row(told: Stats) -> Row:
    networks = (told.networks or {}).values()
    entries = told.blkio_stats.io_service_bytes_recursive or []
    return Row(
        id=told.id,
        cpu=told.cpu_stats.cpu_usage.total_usage,
        memory=told.memory_used(),
        limit=told.memory_stats.limit,
        processes=told.pids_stats.current,
        received=sum(one.rx_bytes for one in networks),
        sent=sum(one.tx_bytes for one in networks),
        read=sum(entry.value for entry in entries if entry.op.lower() == "read"),
        written=sum(entry.value for entry in entries if entry.op.lower() == "write"),
    )
