"""Restart policies, as the engine sees them: what a monitor is told, a change of policy, and who is started again by an engine.

Restarts are the monitor's (``runtime/monitor/restart.py``), whether or not any engine lives. An engine starts a container again only
where its monitor was killed, and, as a daemon that begins, where the machine or a daemon went down with it.
"""

from __future__ import annotations

import asyncio
import logging

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.protocol import order as order_protocol
from moby_tui.engine.protocol.control import ChangePolicy
from moby_tui.engine.runtime.client.launcher import MonitorKilled
from moby_tui.engine.store.containers import ContainerRecord
from moby_tui.engine.store.state import ZERO_TIME, State
from moby_tui.errors import Conflict, MobyError, NotFound, NotModified
from moby_tui.schema.container import RestartPolicy

log = logging.getLogger(__name__)

#: How many containers of one rank are started at the same time.
_AT_A_TIME = 4
#: How often one is started whose monitor is killed just when it has begun.
_TRIES = 3


def order(record: ContainerRecord, count: int) -> order_protocol.RestartPolicy | None:
    """None for a container that its monitor never starts again."""
    policy = record.host_config.restart_policy
    if policy.name in ("", "no") and record.config.healthcheck_on_failure_action != "restart":
        return None
    return _policy_of(policy, count)


def _policy_of(policy: RestartPolicy, count: int) -> order_protocol.RestartPolicy:
    return order_protocol.RestartPolicy(policy=policy.name or "no", maximum=policy.maximum_retry_count, count=count)


def root(parts: Parts, record: ContainerRecord) -> order_protocol.RootMount:
    """How a monitor mounts the root anew."""
    files, layers = parts.files(record), [str(layer) for layer in parts.layers(record)]
    return order_protocol.RootMount(layers=layers, upper=str(files.upper), work=str(files.work))


async def change_policy(parts: Parts, record: ContainerRecord, policy: RestartPolicy) -> None:
    """``docker update --restart``: stored, and told to the monitor of a container that runs. The caller has checked the policy.

    Raises ``Conflict`` where the container is to go with its end.
    """
    if record.host_config.auto_remove and policy.name not in ("", "no"):
        raise Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
    record.host_config.restart_policy = policy
    parts.store.update(record)
    state = parts.state(record)
    if state.alive and not parts.is_orphan(record, state):
        await parts.request(record, ChangePolicy(policy=policy.name or "no", maximum=policy.maximum_retry_count))


def is_due(record: ContainerRecord, state: State, *, at_boot: bool) -> bool:
    """Whether an engine is to start a container that has ended without its monitor's decision.

    As in Docker, a daemon that begins starts one with ``always`` even if it had been stopped by hand.
    """
    policy = record.host_config.restart_policy
    if state.alive or state.started_at == ZERO_TIME:
        return False
    if state.stopped and not (at_boot and policy.name == "always"):
        return False
    from moby_tui.engine.runtime.monitor.restart_policy import Restarts

    return Restarts(_policy_of(policy, state.restart_count)).decide(state.exit_code, 0.0)


async def start_due(parts: Parts, due: list[ContainerRecord]) -> None:
    """Starts them in the order in which they need each other. One that does not start keeps its error; the others go on."""
    gate = asyncio.Semaphore(_AT_A_TIME)

    async def one(record: ContainerRecord) -> None:
        async with gate:
            await _start(parts, record)

    for rank in ranks(due):
        await asyncio.gather(*(one(record) for record in rank))


async def _start(parts: Parts, record: ContainerRecord) -> None:
    from moby_tui.engine.containers.start import start

    for _ in range(_TRIES):
        try:
            await start.start(parts, record, restarts=parts.state(record).restart_count + 1)
        except (NotModified, NotFound):
            # another engine was faster
            return
        except (MobyError, OSError) as error:
            log.warning("container %s was not started again: %s", record.name, error)
            # the container had begun when its monitor was killed once more: its policy counts for that end too
            if isinstance(error, MonitorKilled) and is_due(record, parts.state(record), at_boot=False):
                continue
        return


def ranks(records: list[ContainerRecord]) -> list[list[ContainerRecord]]:
    """The containers in groups, each of which needs only those before it; a circle is broken where it is met."""
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
