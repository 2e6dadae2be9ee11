"""What the plots are drawn from: the last minutes of one container's resource use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from moby_tui.schema.stats import Stats

#: Samples kept of each container, one a second.
LENGTH = 300


class History:
    """CPU in percent of one CPU, memory in bytes, network and disk in bytes a second."""

    def __init__(self) -> None:
        self.cpu: deque[float] = deque(maxlen=LENGTH)
        self.memory: deque[float] = deque(maxlen=LENGTH)
        self.network: deque[float] = deque(maxlen=LENGTH)
        self.disk: deque[float] = deque(maxlen=LENGTH)
        self.memory_limit = 0
        self.processes = 0
        self._network_total = _Counter()
        self._disk_total = _Counter()

    def add(self, stats: Stats, now: float) -> None:
        """Takes the next sample; ``now`` in seconds of any steady clock. The first has no rate yet."""
        self.cpu.append(stats.cpu_percent())
        self.memory.append(float(stats.memory_used()))
        self.memory_limit = stats.memory_stats.limit
        self.processes = stats.pids_stats.current
        networks = (stats.networks or {}).values()
        self.network.append(self._network_total.rate(sum(one.rx_bytes + one.tx_bytes for one in networks), now))
        self.disk.append(self._disk_total.rate(_disk_bytes(stats), now))


class _Counter:
    """A total that only grows, as a rate. A total that shrank belongs to a new start."""

    def __init__(self) -> None:
        self._total = -1
        self._time = 0.0

    def rate(self, total: int, now: float) -> float:
        before, elapsed = self._total, now - self._time
        self._total, self._time = total, now
        return (total - before) / elapsed if 0 <= before <= total and elapsed > 0 else 0.0


def _disk_bytes(stats: Stats) -> int:
    entries = stats.blkio_stats.io_service_bytes_recursive or []
    return sum(entry.value for entry in entries if entry.op.lower() in ("read", "write"))


class Histories:
    """One history for each container that was looked at."""

    def __init__(self) -> None:
        self._of: dict[str, History] = {}

    def get(self, identifier: str) -> History | None:
        return self._of.get(identifier)

    def add(self, identifier: str, stats: Stats, now: float) -> None:
        self._of.setdefault(identifier, History()).add(stats, now)

    def keep(self, exists: Callable[[str], bool]) -> None:
        """Forgets the containers that are gone."""
        for identifier in [one for one in self._of if not exists(one)]:
            del self._of[identifier]
