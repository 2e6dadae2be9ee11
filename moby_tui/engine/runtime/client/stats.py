"""A container's resource use in Docker's shape, read from its control group and /proc."""

from __future__ import annotations

import functools
import math
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from moby_tui.engine.kernel.cgroup import files
from moby_tui.engine.kernel.cgroup.group import Cgroup
from moby_tui.schema.base import ZERO_TIME
from moby_tui.schema.stats import (
    BlkioEntry,
    BlkioStats,
    CpuStats,
    CpuUsage,
    MemoryStats,
    NetworkStats,
    PidsStats,
    Stats,
    ThrottlingData,
)

_TICK_NANOSECONDS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
#: user nice system idle iowait irq softirq steal: what is after them is counted in user and nice already (proc_stat(5)).
_CPU_FIELDS = 8
_NETWORK_FIELDS = 16
#: Bytes in which the first line of /proc/stat is: eleven words.
_FIRST_LINE = 512


def sample(cgroup: Cgroup, pid: int, previous: Stats | None, name: str, id: str) -> Stats:
    """One sample; ``previous`` gives the CPU half that rates are reckoned from. ``pid`` is the container's first process.

    Raises ``OSError`` if the container has ended meanwhile.
    """
    usage = cast("dict[str, dict[str, Any]]", cgroup.usage())
    pids, memory, io = usage["pids"], usage["memory"], usage["io"]
    return Stats(
        read=_now(),
        preread=previous.read if previous is not None else ZERO_TIME,
        name=name,
        id=id,
        pids_stats=PidsStats(current=pids.get("current", 0), limit=pids.get("limit", 0)),
        blkio_stats=_block_stats(io, legacy="each" in usage["cpu"]),
        cpu_stats=_cpu(usage["cpu"]),
        precpu_stats=previous.cpu_stats if previous is not None else CpuStats(),
        memory_stats=MemoryStats(
            usage=memory.get("usage", 0),
            max_usage=memory.get("most", 0),
            limit=memory.get("limit") or host_memory(),
            stats=memory.get("stat", {}),
            failcnt=memory.get("failures", 0),
        ),
        networks=networks(pid),
    )


def _cpu(usage: dict[str, Any]) -> CpuStats:
    host = _machine.now()
    return CpuStats(
        cpu_usage=CpuUsage(
            total_usage=usage.get("total", 0),
            usage_in_kernelmode=usage.get("system", 0),
            usage_in_usermode=usage.get("user", 0),
            percpu_usage=cast("list[int] | None", usage.get("each")),
        ),
        system_cpu_usage=host.cpu_time,
        online_cpus=host.cpus,
        throttling_data=ThrottlingData(
            periods=usage.get("periods", 0),
            throttled_periods=usage.get("throttled_periods", 0),
            throttled_time=usage.get("throttled_time", 0),
        ),
    )


def _block_stats(io: dict[str, Any], *, legacy: bool) -> BlkioStats:
    """As Docker, whose lists are empty on cgroup version 1 where they are null on version 2."""
    stats = BlkioStats(
        io_service_bytes_recursive=_block_io(io.get("bytes")), io_serviced_recursive=_block_io(io.get("operations"))
    )
    if legacy:
        for name in stats.__struct_fields__:
            setattr(stats, name, getattr(stats, name) or [])
    return stats


def _block_io(entries: list[tuple[int, int, str, int]] | None) -> list[BlkioEntry] | None:
    if not entries:
        return None
    return [BlkioEntry(major=major, minor=minor, op=op, value=value) for major, minor, op, value in entries]


class HostUse(NamedTuple):
    """``cpu_time`` as ``host_cpu_time`` has it; ``cpus`` are those that are online."""

    cpu_time: int
    cpus: int


class Machine:
    """The machine's figures, read once for the samples of several containers that are taken within one tick of its clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._read_at = -math.inf
        self._use = HostUse(0, 1)

    def now(self) -> HostUse:
        now = self._clock()
        if now - self._read_at >= _TICK_NANOSECONDS / 1e9:
            self._read_at, self._use = now, HostUse(host_cpu_time(), os.cpu_count() or 1)
        return self._use


_machine = Machine(time.monotonic)


def host_cpu_time() -> int:
    """What all CPUs of the machine have spent since boot, idle or not, in nanoseconds."""
    fields = _head("/proc/stat", _FIRST_LINE).split(b"\n", 1)[0].split()[1 : 1 + _CPU_FIELDS]
    return sum(map(int, fields)) * _TICK_NANOSECONDS


@functools.cache
def host_memory() -> int:
    """The machine's memory in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def networks(pid: int) -> dict[str, NetworkStats] | None:
    """The counters of the interfaces a process sees, without loopback; None if it has none, or the host's."""
    if os.stat(f"/proc/{pid}/ns/net").st_ino == os.stat("/proc/self/ns/net").st_ino:
        return None
    return parse_network(files.read(f"/proc/{pid}/net/dev"))


def _head(path: str, size: int) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, size)
    finally:
        os.close(fd)


def parse_network(text: str) -> dict[str, NetworkStats] | None:
    """Reads /proc/PID/net/dev (proc_pid_net(5))."""
    interfaces: dict[str, NetworkStats] = {}
    for line in text.splitlines():
        # a name may hold a colon (an alias), the numbers do not
        name, separator, counters = line.rpartition(":")
        numbers = counters.split()
        if not separator or len(numbers) < _NETWORK_FIELDS or name.strip() == "lo":
            continue
        receive, transmit = [int(number) for number in numbers[:4]], [int(number) for number in numbers[8:12]]
        interfaces[name.strip()] = NetworkStats(
            rx_bytes=receive[0],
            rx_packets=receive[1],
            rx_errors=receive[2],
            rx_dropped=receive[3],
            tx_bytes=transmit[0],
            tx_packets=transmit[1],
            tx_errors=transmit[2],
            tx_dropped=transmit[3],
        )
    return interfaces or None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
