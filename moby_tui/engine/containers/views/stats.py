"""A container's resource use, sampled once a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from moby_tui.engine.containers.network_state import read_network
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.kernel.cgroup import open_cgroup
from moby_tui.engine.runtime.client.stats import sample
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.engine.store.state import ZERO_TIME
from moby_tui.errors import MobyError
from moby_tui.schema.stats import Stats

_INTERVAL = 1.0
_SHARED = "container:"


async def stats(parts: Parts, record: ContainerRecord, *, stream: bool, one_shot: bool) -> AsyncIterator[Stats]:
    """Without ``stream`` one sample, whose CPU half spans a second unless ``one_shot``. A container that does not run uses nothing."""
    previous = None if stream or one_shot else look(parts, record, None)
    while True:
        if previous is not None:
            await asyncio.sleep(_INTERVAL)
        if not parts.files(record).data.exists():
            return
        previous = look(parts, record, previous)
        yield previous
        if not stream:
            return


def look(parts: Parts, record: ContainerRecord, previous: Stats | None) -> Stats:
    """One sample of the container's resource use. Its time is ``ZERO_TIME`` if the container does not run."""
    state = parts.current_state(record)
    name = f"/{record.name}"
    if state.alive:
        try:
            told = sample(open_cgroup(parts.cgroup_path(record)), state.pid, previous, name, record.id)
        except OSError:
            # it ended while we looked
            pass
        else:
            ours = _interfaces(parts, record)
            told.networks = {name: counters for name, counters in (told.networks or {}).items() if name in ours} or None
            return told
    return Stats(read=ZERO_TIME, preread=ZERO_TIME, name=name, id=record.id)


def _interfaces(parts: Parts, record: ContainerRecord) -> set[str]:
    """The interfaces of the container's networks, as dockerd counts them: not those that it has made for itself."""
    mode = record.host_config.network_mode
    if mode.startswith(_SHARED):
        with suppress(MobyError):
            return _interfaces(parts, parts.get(mode.removeprefix(_SHARED)))
        return set()
    return set(read_network(parts.files(record)).interfaces.values())
