"""The resource use of a container, sampled once a second."""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.kernel.cgroup import Layout, detect, open_cgroup
from moby_tui.engine.runtime.client.stats import sample
from moby_tui.engine.store.records.containers import ContainerRecord, NetworkState
from moby_tui.engine.store.state import ZERO_TIME, State
from moby_tui.errors import MobyError
from moby_tui.schema.stats import Stats

_INTERVAL = 1.0
_SHARED = "container:"
#: A file that was written so lately may be written again without another time of change; nanoseconds.
_RECENT = 1_000_000_000
#: A file's identity, size and time of change; None: it has to be read again.
_Signature = tuple[int, int, int] | None


async def stats(parts: Parts, record: ContainerRecord, *, stream: bool, one_shot: bool) -> AsyncIterator[Stats]:
    """Samples of the container's resource use, one a second, until the container is removed; without ``stream`` one sample.

    A sample has the CPU time of the sample before. A single one waits a second for that, unless ``one_shot`` is true. The figures of a
    container that does not run are zero.
    """
    sampler = Sampler(parts, record)
    previous = None if stream or one_shot else sampler.take(None)
    folder = f"{parts.files(record).data}"
    while True:
        if previous is not None:
            await asyncio.sleep(_INTERVAL)
        if not os.path.exists(folder):
            return
        previous = sampler.take(previous)
        yield previous
        if not stream:
            return


class Sampler:
    """Samples one container. What its monitor and engines write of it is read again when its file has changed."""

    def __init__(self, parts: Parts, record: ContainerRecord) -> None:
        self._parts, self.record = parts, record
        paths = parts.files(record)
        self._state_file, self._network_file = f"{paths.state}", f"{paths.network}"
        self._state = State()
        self._state_read: _Signature = None
        self._names: set[str] = set()
        self._names_read: _Signature = None

    def take(self, previous: Stats | None) -> Stats:
        """One sample of the container's resource use. Its time is ``ZERO_TIME`` if the container does not run."""
        parts, record, state = self._parts, self.record, self._current_state()
        name = f"/{record.name}"
        if state.alive:
            try:
                stats = sample(open_cgroup(parts.cgroup_path(record), _layout()), state.pid, previous, name, record.id)
            except OSError:
                # it has just ended
                pass
            else:
                ours = self._interfaces()
                stats.networks = {name: counters for name, counters in (stats.networks or {}).items() if name in ours} or None
                return stats
        return Stats(read=ZERO_TIME, preread=ZERO_TIME, name=name, id=record.id)

    def _current_state(self) -> State:
        signature = _signature(self._state_file)
        if signature is None or signature != self._state_read:
            self._state, self._state_read = self._parts.current_state(self.record), signature
        return self._state

    def _interfaces(self) -> set[str]:
        signature = None
        if not self.record.host_config.network_mode.startswith(_SHARED):
            signature = _signature(self._network_file)
        if signature is None or signature != self._names_read:
            self._names, self._names_read = _interfaces(self._parts, self.record), signature
        return self._names


def _signature(path: str) -> _Signature:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return None if time.time_ns() - status.st_mtime_ns < _RECENT else (status.st_ino, status.st_size, status.st_mtime_ns)


@functools.cache
def _layout() -> Layout:
    """Where the control groups of this machine lie. Looked for once: reading all mounts took a third of a sample's time."""
    return detect()


def _interfaces(parts: Parts, record: ContainerRecord) -> set[str]:
    """The names of the interfaces of the container's networks. As with dockerd, others that the container has made do not count."""
    mode = record.host_config.network_mode
    if mode.startswith(_SHARED):
        with suppress(MobyError):
            return _interfaces(parts, parts.get(mode.removeprefix(_SHARED)))
        return set()
    return set(NetworkState.read(parts.files(record).network).interfaces.values())
