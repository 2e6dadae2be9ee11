"""Starts the containers again that have ended while they had no monitor, as their restart policies say. Runs in an engine."""

from __future__ import annotations

import asyncio
import logging

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.start import restarting, start
from moby_tui.engine.runtime.client.launcher import MonitorKilled
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.errors import MobyError, NotFound, NotModified

log = logging.getLogger(__name__)

#: How many containers of one rank are started at the same time.
_AT_A_TIME = 4
#: The most starts of a container whose monitor is killed again each time.
_TRIES = 3


async def start_due(parts: Parts, due: list[ContainerRecord]) -> None:
    """Starts the containers, each after those that it needs (``ranks``). If one cannot be started, its state has the error, and the others
    are started."""
    gate = asyncio.Semaphore(_AT_A_TIME)

    async def one(record: ContainerRecord) -> None:
        async with gate:
            await _start(parts, record)

    for rank in ranks(due):
        await asyncio.gather(*(one(record) for record in rank))


async def _start(parts: Parts, record: ContainerRecord) -> None:
    for _ in range(_TRIES):
        try:
            await start.start(parts, record, restarts=parts.state(record).restart_count + 1)
        except (NotModified, NotFound):
            # another engine has started or removed it
            return
        except (MobyError, OSError) as error:
            log.warning("container %s was not started again: %s", record.name, error)
            # the program ran already when this monitor was killed too: the restart policy holds for that end as well
            if isinstance(error, MonitorKilled) and restarting.is_due(record, parts.state(record), at_boot=False):
                continue
        return


def ranks(records: list[ContainerRecord]) -> list[list[ContainerRecord]]:
    """The containers in groups: a container needs only containers of groups before its own. Containers that need each other are in any
    order."""
    waiting = {record.id: record for record in records}
    names = {name: record.id for record in records for name in (record.id, record.name)}
    needs = {record.id: {names[name] for name in _needed(record) if name in names} - {record.id} for record in records}
    result = []
    while waiting:
        ready = [ident for ident in waiting if not needs[ident] & waiting.keys()] or list(waiting)[:1]
        result.append([waiting.pop(ident) for ident in ready])
    return result


def _needed(record: ContainerRecord) -> list[str]:
    """The containers, by name or id, whose namespaces, volumes or addresses this one uses."""
    host = record.host_config
    modes = (host.network_mode, host.ipc_mode, host.pid_mode, host.uts_mode)
    shared = [mode.removeprefix("container:") for mode in modes if mode.startswith("container:")]
    linked = [link.partition(":")[0].removeprefix("/") for link in host.links or []]
    return shared + linked + [volumes.partition(":")[0] for volumes in host.volumes_from or []]
