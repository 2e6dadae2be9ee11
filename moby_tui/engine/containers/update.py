"""Changes the limits of a container, at once if it runs. The texts of errors are the Docker Engine's."""

from __future__ import annotations

import msgspec

from moby_tui.engine.containers import wire
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.start import restarting
from moby_tui.engine.policy import admission, limits
from moby_tui.engine.protocol import configuration, control
from moby_tui.engine.runtime.configuration import resources
from moby_tui.engine.store.records.containers import ContainerRecord, HostConfig
from moby_tui.errors import Conflict, InvalidArgument, MobyError, Unavailable
from moby_tui.schema.container import ContainerUpdate, ContainerUpdated, Resources

#: What can be changed, by the section of ``protocol.configuration.Resources`` that is written anew with it.
_FIELDS = {
    "memory": ("memory", "memory_swap", "memory_reservation", "kernel_memory_tcp"),
    "cpu": (
        *("cpu_shares", "nano_cpus", "cpu_period", "cpu_quota", "cpu_realtime_period", "cpu_realtime_runtime"),
        *("cpuset_cpus", "cpuset_mems"),
    ),
    "block_io": (
        *("blkio_weight", "blkio_weight_device"),
        *("blkio_device_read_bps", "blkio_device_write_bps", "blkio_device_read_iops", "blkio_device_write_iops"),
    ),
    "pids": ("pids_limit",),
}


async def update(parts: Parts, record: ContainerRecord, asked: ContainerUpdate) -> ContainerUpdated:
    """Raises ``InvalidArgument``, ``Conflict`` if the change contradicts other limits, ``MobyError`` if the kernel refuses it."""
    asked, warnings = limits.settle(asked, update=True)
    if asked.pids_limit is not None and asked.pids_limit <= 0:
        # no limit, in either way of writing it
        asked = msgspec.structs.replace(asked, pids_limit=0)
    changed = _changed(asked)
    lock = await parts.acquire(record)
    try:
        record = parts.get(record.id)
        record.host_config = _merge(record, asked, changed)
        if parts.current_state(record).alive:
            await _apply(parts, record, changed)
        parts.store.update(record)
        if asked.restart_policy.name:
            await restarting.change_policy(parts, record, wire.restart_policy_to_keep(asked.restart_policy))
    finally:
        lock.release()
    parts.event("update", record)
    return ContainerUpdated(warnings=warnings)


def _changed(asked: ContainerUpdate) -> list[str]:
    """The fields to change. Raises ``InvalidArgument`` for one that cannot be changed."""
    names = [name for name in Resources.__struct_fields__ if getattr(asked, name) not in (None, 0, "", [])]
    if asked.pids_limit == 0:
        names.append("pids_limit")
    known = {name for fields in _FIELDS.values() for name in fields}
    for name in names:
        if name not in known:
            raise InvalidArgument(f"{name.replace('_', ' ')} cannot be changed by an update: create the container anew")
    return names


def _merge(record: ContainerRecord, asked: ContainerUpdate, changed: list[str]) -> HostConfig:
    old = record.host_config
    _check_restart_policy(record, asked)
    for one, other, text in (
        ("nano_cpus", "cpu_period", "Nano CPUs cannot be updated as CPU Period has already been set"),
        ("nano_cpus", "cpu_quota", "Nano CPUs cannot be updated as CPU Quota has already been set"),
        ("cpu_period", "nano_cpus", "CPU Period cannot be updated as NanoCPUs has already been set"),
        ("cpu_quota", "nano_cpus", "CPU Quota cannot be updated as NanoCPUs has already been set"),
    ):
        if getattr(asked, one) > 0 and getattr(old, other) > 0:
            raise _refused(record, f"Conflicting options: {text}")
    if asked.memory and not asked.memory_swap and 0 <= old.memory_swap < asked.memory:
        raise _refused(
            record,
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        )
    new = wire.resources_to_keep(asked)
    return msgspec.structs.replace(old, **{name: getattr(new, name) for name in changed})


def check_restart(asked: ContainerUpdate) -> None:
    """Raises ``InvalidArgument`` for a restart policy that no container can have."""
    if asked.restart_policy.name:
        admission.check_restart(asked.restart_policy, auto_remove=False)


def _check_restart_policy(record: ContainerRecord, asked: ContainerUpdate) -> None:
    policy = asked.restart_policy
    if not policy.name:
        return
    if record.host_config.auto_remove and policy.name != "no":
        raise _refused(record, "Restart policy cannot be updated because AutoRemove is enabled for the container")


def _refused(record: ContainerRecord, why: str) -> Conflict:
    return Conflict(f"Cannot update container {record.id}: {why}")


async def _apply(parts: Parts, record: ContainerRecord, changed: list[str]) -> None:
    """Writes each changed section as a whole into the running container's control group."""
    wanted = resources.limits(record.host_config)
    names = [name for name, fields in _FIELDS.items() if not set(fields).isdisjoint(changed)]
    if not names:
        return
    sections = configuration.Resources(**{name: getattr(wanted, name) for name in names})
    if "pids" in names:
        sections.pids = configuration.Pids(limit=record.host_config.pids_limit or -1)
    try:
        await parts.request(record, control.Update(resources=sections))
    except Conflict:
        # it has ended meanwhile: what is recorded holds for its next start
        return
    except Unavailable:
        raise
    except MobyError as error:
        raise MobyError(f"Cannot update container {record.id}: {error}") from error
