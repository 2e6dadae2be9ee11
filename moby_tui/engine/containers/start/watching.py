"""Watches the monitors of all running containers: an engine that stays open cleans up after a killed one at once.

A monitor holds its lock file open as long as it lives. The kernel closes the file however the monitor ends, and reports that to processes
that watch the file (inotify(7), IN_CLOSE_WRITE). The engine keeps one watch for each container, and polls nothing.
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

#: Seconds until the next try if another process has the container's lock.
_RETRY_SECONDS = 0.2
#: Seconds between the report and the look: the kernel reports the close before it releases the lock.
_UNLOCK_SECONDS = 0.02


class MonitorWatch:
    """The watch of one engine. ``run`` is a task of its own."""

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
            # after the subscription, so that a container that starts meanwhile is watched
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
        # the monitor may have been killed before the watch; the look comes later, since the process that starts the container cleans up first
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
        """Looks at the container after the kernel has released the lock. An earlier look that is due is put off, since it may come too
        early."""
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
        """True if the container's monitor was killed, and nobody has cleaned up yet."""
        try:
            return orphans.needs_settling(self._parts, self._parts.get(ident))
        except (MobyError, OSError):
            return False

    async def _settle(self, ident: str) -> None:
        """Cleans up, and starts the container again if its restart policy says so. Of several open engines, the one that gets the
        container's lock does both."""
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
            log.warning("cleaning up after the killed monitor of container %s failed: %s", ident, error)
