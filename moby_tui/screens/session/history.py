"""What the plots are drawn from: the last minutes of one container's resource use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from moby_tui.schema.stats import CpuStats, Stats

#: Samples kept of each container, one a second.
LENGTH = 300


class History:
    """CPU in percent of one CPU, memory in bytes, network and disk in bytes a second; the newest last.

    ``times`` are when the samples were taken, in seconds of the clock that ``add`` is given.
    """

    def __init__(self) -> None:
        self.times = _series()
        self.cpu = _series()
        self.memory = _series()
        self.network = _series()
        self.disk = _series()
        self.received = _series()
        self.sent = _series()
        self.read = _series()
        self.written = _series()
        self.process_counts = _series()
        self.memory_limit = 0
        self.processes = 0
        self._totals = [_Counter() for _ in range(4)]
        self._cpu: CpuStats | None = None

    def add(self, stats: Stats, now: float, *, one_shot: bool = False) -> None:
        """Takes the next sample; ``now`` in seconds of any steady clock. The first has no rate yet.

        ``one_shot``: the sample does not have the CPU time of one before it, so it is compared with the last that was taken.
        """
        if one_shot:
            before, self._cpu = self._cpu, stats.cpu_stats
            stats.precpu_stats = before or stats.cpu_stats
        self.times.append(now)
        self.cpu.append(stats.cpu_percent())
        self.memory.append(float(stats.memory_used()))
        self.memory_limit = stats.memory_stats.limit
        self.processes = stats.pids_stats.current
        self.process_counts.append(float(self.processes))
        networks = (stats.networks or {}).values()
        totals = (
            sum(one.rx_bytes for one in networks),
            sum(one.tx_bytes for one in networks),
            _disk_bytes(stats, "read"),
            _disk_bytes(stats, "write"),
        )
        rates = [counter.rate(total, now) for counter, total in zip(self._totals, totals, strict=True)]
        for series, rate in zip((self.received, self.sent, self.read, self.written), rates, strict=True):
            series.append(rate)
        self.network.append(rates[0] + rates[1])
        self.disk.append(rates[2] + rates[3])


def _series() -> deque[float]:
    return deque(maxlen=LENGTH)


class _Counter:
    """A total that only grows, as a rate. A total that shrank belongs to a new start."""

    def __init__(self) -> None:
        self._total = -1
        self._time = 0.0

    def rate(self, total: int, now: float) -> float:
        before, elapsed = self._total, now - self._time
        self._total, self._time = total, now
        return (total - before) / elapsed if 0 <= before <= total and elapsed > 0 else 0.0


def _disk_bytes(stats: Stats, direction: str) -> int:
    entries = stats.blkio_stats.io_service_bytes_recursive or []
    return sum(entry.value for entry in entries if entry.op.lower() == direction)


class Histories:
    """One history for each container that was looked at."""

    def __init__(self) -> None:
        self._of: dict[str, History] = {}

    def get(self, identifier: str) -> History | None:
        return self._of.get(identifier)

    def add(self, identifier: str, stats: Stats, now: float, *, one_shot: bool = False) -> None:
        self._of.setdefault(identifier, History()).add(stats, now, one_shot=one_shot)

    def keep(self, exists: Callable[[str], bool]) -> None:
        """Forgets the containers that are gone."""
        for identifier in [one for one in self._of if not exists(one)]:
            del self._of[identifier]
