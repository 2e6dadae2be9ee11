"""``linux.resources`` of the OCI runtime configuration: what a container may use (config-linux.md, "Control groups")."""

from __future__ import annotations

import os
import stat

from moby_tui.engine.protocol.configuration import BlockDevice, BlockIo, Cpu, Memory, Pids, Resources
from moby_tui.engine.store.records.containers import Resources as Asked
from moby_tui.engine.store.records.containers import ThrottleDevice
from moby_tui.errors import InvalidArgument

_CPU_PERIOD_US = 100_000
_THROTTLES = {
    "read_bps": "blkio_device_read_bps",
    "write_bps": "blkio_device_write_bps",
    "read_iops": "blkio_device_read_iops",
    "write_iops": "blkio_device_write_iops",
}


def limits(host: Asked) -> Resources:
    """What is limited, and nothing of what is not. Raises ``InvalidArgument`` for a block device that is not there."""
    memory, cpu, block = _memory(host), _cpu(host), _block_io(host)
    return Resources(
        memory=memory if memory.values() else None,
        cpu=cpu if cpu.values() else None,
        block_io=block if block.values() else None,
        pids=Pids(limit=host.pids_limit) if host.pids_limit and host.pids_limit > 0 else None,
    )


def _memory(host: Asked) -> Memory:
    memory = Memory(swappiness=host.memory_swappiness)
    if host.memory:
        memory.limit = host.memory
        # as docker: as much swap again, unless said otherwise
        memory.swap = host.memory_swap or host.memory * 2
    if host.memory_reservation:
        memory.reservation = host.memory_reservation
    if host.kernel_memory_tcp:
        memory.kernel_tcp = host.kernel_memory_tcp
    if host.oom_kill_disable:
        memory.disable_oom_killer = True
    return memory


def _cpu(host: Asked) -> Cpu:
    quota = host.nano_cpus * _CPU_PERIOD_US // 1_000_000_000
    return Cpu(
        period=host.cpu_period or (_CPU_PERIOD_US if host.nano_cpus else None),
        quota=host.cpu_quota or quota or None,
        shares=host.cpu_shares or None,
        realtime_period=host.cpu_realtime_period or None,
        realtime_runtime=host.cpu_realtime_runtime or None,
        cpus=host.cpuset_cpus,
        mems=host.cpuset_mems,
    )


def _block_io(host: Asked) -> BlockIo:
    block = BlockIo(weight=host.blkio_weight or None)
    for entry in host.blkio_weight_device or []:
        block.weight_device.append(_device(entry.path).replaced(weight=entry.weight))
    for name, key in _THROTTLES.items():
        entries: list[ThrottleDevice] = getattr(host, key) or []
        if entries:
            setattr(block, name, [_device(entry.path).replaced(rate=entry.rate) for entry in entries])
    return block


def _device(path: str) -> BlockDevice:
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"cannot limit block device {path}: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISBLK(status.st_mode):
        raise InvalidArgument(f"cannot limit {path}: it is not a block device")
    return BlockDevice(major=os.major(status.st_rdev), minor=os.minor(status.st_rdev))
