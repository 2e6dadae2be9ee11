"""Watching the monitors: an engine that stays open settles at once what a killed one leaves, whoever had started it.

A monitor holds its lock file open for as long as it lives. The kernel closes the file however the monitor ends, and tells those who watch
it (inotify(7), IN_CLOSE_WRITE). So nothing is polled, and nothing is to be kept for each container but a watch.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.start import orphans, restarting, resuming
from moby_tui.engine.kernel.inotify import IN_CLOSE_WRITE, IN_IGNORED, IN_Q_OVERFLOW, Inotify
from moby_tui.errors import MobyError, NotFound

log = logging.getLogger(__name__)

#: How often it is looked again where somebody else has the container's lock.
_RETRY_SECONDS = 0.2
_UNLOCK_SECONDS = 0.02


class MonitorWatch:
    """One engine's watch; ``run`` it as a task."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._inotify: Inotify | None = None
        self._containers: dict[int, str] = {}
        self._looks: dict[str, asyncio.TimerHandle] = {}
        self._settling: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Watches until it is cancelled."""
        try:
            self._inotify = Inotify()
        except OSError as error:
            log.warning("monitors that are killed will be noticed late: %s", (error.strerror or "").lower())
            return
        asyncio.get_running_loop().add_reader(self._inotify.fileno(), self._read)
        starts = self._parts.bus.subscribe(filters={"type": ["container"], "event": ["start"]})
        try:
            # after the subscription: what starts meanwhile is seen by one of the two
            self._watch_all()
            async for event in starts:
                self._watch(event.actor.id)
        finally:
            starts.close()
            await self._close(self._inotify)

    async def _close(self, inotify: Inotify) -> None:
        asyncio.get_running_loop().remove_reader(inotify.fileno())
        inotify.close()
        for look in self._looks.values():
            look.cancel()
        tasks = [*self._settling.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _watch_all(self) -> None:
        with suppress(FileNotFoundError):
            for name in os.listdir(self._parts.paths.exec_root / "containers"):
                self._watch(name)

    def _watch(self, ident: str) -> None:
        assert self._inotify is not None
        try:
            watch = self._inotify.add_watch(str(self._parts.paths.container(ident).monitor_lock), IN_CLOSE_WRITE)
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("the monitor of container %s is not watched: %s", ident, (error.strerror or "").lower())
            return
        self._containers[watch] = ident
        # it may have been killed before it was watched; who waits for its start comes first
        self._look_soon(ident)

    def _read(self) -> None:
        assert self._inotify is not None
        for change in self._inotify.read():
            if change.mask & IN_Q_OVERFLOW:
                self._watch_all()
            elif change.mask & IN_IGNORED:
                self._containers.pop(change.watch, None)
            elif change.watch in self._containers:
                self._look_soon(self._containers[change.watch])

    def _look_soon(self, ident: str) -> None:
        """The kernel tells of the close before it lets go of the lock. A look that is due already may come too early for this one."""
        if (due := self._looks.pop(ident, None)) is not None:
            due.cancel()
        self._looks[ident] = asyncio.get_running_loop().call_later(_UNLOCK_SECONDS, self._look, ident)

    def _look(self, ident: str) -> None:
        self._looks.pop(ident, None)
        if ident not in self._settling and self._is_left(ident):
            task = asyncio.get_running_loop().create_task(self._settle(ident))
            self._settling[ident] = task
            task.add_done_callback(lambda _: self._settling.pop(ident, None))

    def _is_left(self, ident: str) -> bool:
        """Whether nobody watches a run of the container any more."""
        try:
            return orphans.needs_settling(self._parts, self._parts.get(ident))
        except (MobyError, OSError):
            return False

    async def _settle(self, ident: str) -> None:
        """One of several engines gets the container's lock, settles it, and starts it again where its policy says so."""
        try:
            while self._is_left(ident):
                record = self._parts.get(ident)
                settled = await orphans.settle_locked(self._parts, record)
                if settled is not None:
                    if restarting.is_due(record, settled, at_boot=False):
                        await resuming.start_due(self._parts, [record])
                    elif record.host_config.auto_remove:
                        self._parts.forget_removed([record.id])
                    return
                await asyncio.sleep(_RETRY_SECONDS)
        except NotFound:
            return
        except (MobyError, OSError) as error:
            log.warning("what the killed monitor of container %s left was not put right: %s", ident, error)
