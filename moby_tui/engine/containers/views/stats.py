"""The resource use of a container, sampled once a second."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import suppress

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.kernel.cgroup import Layout, detect, open_cgroup
from moby_tui.engine.runtime.client.stats import sample
from moby_tui.engine.store.records.containers import ContainerRecord, NetworkState
from moby_tui.engine.store.state import ZERO_TIME
from moby_tui.errors import MobyError
from moby_tui.schema.stats import Stats

_INTERVAL = 1.0
_SHARED = "container:"


async def stats(parts: Parts, record: ContainerRecord, *, stream: bool, one_shot: bool) -> AsyncIterator[Stats]:
    """Samples of the container's resource use, one a second, until the container is removed; without ``stream`` one sample.

    A sample has the CPU time of the sample before. A single one waits a second for that, unless ``one_shot`` is true. The figures of a
    container that does not run are zero.
    """
    previous = None if stream or one_shot else take_sample(parts, record, None)
    while True:
        if previous is not None:
            await asyncio.sleep(_INTERVAL)
        if not parts.files(record).data.exists():
            return
        previous = take_sample(parts, record, previous)
        yield previous
        if not stream:
            return


def take_sample(parts: Parts, record: ContainerRecord, previous: Stats | None) -> Stats:
    """One sample of the container's resource use. Its time is ``ZERO_TIME`` if the container does not run."""
    state = parts.current_state(record)
    name = f"/{record.name}"
    if state.alive:
        try:
            stats = sample(open_cgroup(parts.cgroup_path(record), _layout()), state.pid, previous, name, record.id)
        except OSError:
            # it has just ended
            pass
        else:
            ours = _interfaces(parts, record)
            stats.networks = {name: counters for name, counters in (stats.networks or {}).items() if name in ours} or None
            return stats
    return Stats(read=ZERO_TIME, preread=ZERO_TIME, name=name, id=record.id)


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
