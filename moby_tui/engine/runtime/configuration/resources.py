"""``linux.resources`` of the OCI runtime configuration: what a container may use (config-linux.md, "Control groups")."""

from __future__ import annotations

import os
import stat
from typing import Any

from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import Resources, ThrottleDevice

_CPU_PERIOD_US = 100_000
_THROTTLES = {
    "throttleReadBpsDevice": "blkio_device_read_bps",
    "throttleWriteBpsDevice": "blkio_device_write_bps",
    "throttleReadIOPSDevice": "blkio_device_read_iops",
    "throttleWriteIOPSDevice": "blkio_device_write_iops",
}
Json = dict[str, Any]


def limits(host: Resources) -> Json:
    """What is limited, and nothing of what is not. Raises ``InvalidArgument`` for a block device that is not there."""
    result: Json = {}
    for name, section in (("memory", _memory(host)), ("cpu", _cpu(host)), ("blockIO", _block_io(host))):
        if section:
            result[name] = section
    if host.pids_limit and host.pids_limit > 0:
        result["pids"] = {"limit": host.pids_limit}
    return result


def _memory(host: Resources) -> Json:
    memory: Json = {}
    if host.memory:
        memory["limit"] = host.memory
        # as docker: as much swap again, unless said otherwise
        memory["swap"] = host.memory_swap or host.memory * 2
    if host.memory_reservation:
        memory["reservation"] = host.memory_reservation
    if host.memory_swappiness is not None:
        memory["swappiness"] = host.memory_swappiness
    if host.oom_kill_disable:
        memory["disableOOMKiller"] = True
    return memory


def _cpu(host: Resources) -> Json:
    cpu: Json = {}
    if host.nano_cpus:
        cpu["period"], cpu["quota"] = _CPU_PERIOD_US, host.nano_cpus * _CPU_PERIOD_US // 1_000_000_000
    for key, value in (
        ("period", host.cpu_period),
        ("quota", host.cpu_quota),
        ("shares", host.cpu_shares),
        ("realtimePeriod", host.cpu_realtime_period),
        ("realtimeRuntime", host.cpu_realtime_runtime),
        ("cpus", host.cpuset_cpus),
        ("mems", host.cpuset_mems),
    ):
        if value:
            cpu[key] = value
    return cpu


def _block_io(host: Resources) -> Json:
    result: Json = {}
    if host.blkio_weight:
        result["weight"] = host.blkio_weight
    if host.blkio_weight_device:
        result["weightDevice"] = [{**_device(entry.path), "weight": entry.weight} for entry in host.blkio_weight_device]
    for key, name in _THROTTLES.items():
        entries: list[ThrottleDevice] | None = getattr(host, name)
        if entries:
            result[key] = [{**_device(entry.path), "rate": entry.rate} for entry in entries]
    return result


def _device(path: str) -> Json:
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"cannot limit block device {path}: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISBLK(status.st_mode):
        raise InvalidArgument(f"cannot limit {path}: it is not a block device")
    return {"major": os.major(status.st_rdev), "minor": os.minor(status.st_rdev)}
