"""A container's resource use in Docker's shape. Times in nanoseconds, sizes in bytes."""

from __future__ import annotations

from msgspec import Struct, field


class CpuUsage(Struct, kw_only=True):
    total_usage: int = 0
    usage_in_kernelmode: int = 0
    usage_in_usermode: int = 0
    #: of each CPU; only cgroup version 1 tells
    percpu_usage: list[int] | None = None


class ThrottlingData(Struct, kw_only=True):
    periods: int = 0
    throttled_periods: int = 0
    throttled_time: int = 0


class CpuStats(Struct, kw_only=True):
    cpu_usage: CpuUsage = field(default_factory=CpuUsage)
    system_cpu_usage: int = 0
    online_cpus: int = 0
    throttling_data: ThrottlingData = field(default_factory=ThrottlingData)


class MemoryStats(Struct, kw_only=True):
    """``limit`` is the host's memory where the container has none."""

    usage: int = 0
    #: the most there was; only cgroup version 1 tells
    max_usage: int = 0
    limit: int = 0
    stats: dict[str, int] = field(default_factory=dict)
    failcnt: int = 0


class PidsStats(Struct, kw_only=True):
    current: int = 0
    limit: int = 0


class BlkioEntry(Struct, kw_only=True):
    major: int
    minor: int
    op: str
    value: int


class BlkioStats(Struct, kw_only=True):
    io_service_bytes_recursive: list[BlkioEntry] | None = None
    io_serviced_recursive: list[BlkioEntry] | None = None
    #: what the kernel's CFQ scheduler told, on cgroup version 1, until Linux 5.0
    io_queue_recursive: list[BlkioEntry] | None = None
    io_service_time_recursive: list[BlkioEntry] | None = None
    io_wait_time_recursive: list[BlkioEntry] | None = None
    io_merged_recursive: list[BlkioEntry] | None = None
    io_time_recursive: list[BlkioEntry] | None = None
    sectors_recursive: list[BlkioEntry] | None = None


class NetworkStats(Struct, kw_only=True):
    rx_bytes: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0


class Stats(Struct, kw_only=True):
    """One sample (``read``, RFC 3339) with the CPU half of the sample before it (``preread``)."""

    read: str
    preread: str
    name: str = ""
    id: str = ""
    num_procs: int = 0
    pids_stats: PidsStats = field(default_factory=PidsStats)
    blkio_stats: BlkioStats = field(default_factory=BlkioStats)
    storage_stats: dict[str, int] = field(default_factory=dict)
    cpu_stats: CpuStats = field(default_factory=CpuStats)
    precpu_stats: CpuStats = field(default_factory=CpuStats)
    memory_stats: MemoryStats = field(default_factory=MemoryStats)
    networks: dict[str, NetworkStats] | None = None

    def cpu_percent(self) -> float:
        """Share of one CPU used since the sample before, in percent (200 = two full CPUs), as docker stats computes it."""
        used = self.cpu_stats.cpu_usage.total_usage - self.precpu_stats.cpu_usage.total_usage
        host = self.cpu_stats.system_cpu_usage - self.precpu_stats.system_cpu_usage
        if used <= 0 or host <= 0:
            return 0.0
        return used / host * max(self.cpu_stats.online_cpus, 1) * 100.0

    def memory_used(self) -> int:
        """Bytes in use without the page cache that can be dropped, as docker stats prints it."""
        stats = self.memory_stats.stats
        cache = stats.get("total_inactive_file", stats.get("inactive_file", 0))
        usage = self.memory_stats.usage
        return usage - cache if cache < usage else usage
