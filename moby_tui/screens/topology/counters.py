"""What the interfaces of a container have received and sent, and how fast between two looks."""

from __future__ import annotations

from datetime import datetime

from moby_tui.schema.stats import NetworkStats, Stats
from moby_tui.screens import text


class Counters:
    """Keeps the last two looks at one container."""

    def __init__(self) -> None:
        self._looks: list[tuple[float, dict[str, NetworkStats]]] = []

    def add(self, stats: Stats) -> None:
        """Takes the next look; its time is that of the engine."""
        self._looks = [*self._looks[-1:], (_seconds(stats.read), dict(stats.networks or {}))]

    def rows(self) -> list[tuple[str, ...]]:
        """Interface, received, a second, sent, a second, dropped and errors; sizes in text."""
        if not self._looks:
            return []
        now, current = self._looks[-1]
        before, earlier = self._looks[0]
        elapsed = now - before
        rows: list[tuple[str, ...]] = []
        for name, one in sorted(current.items()):
            old = earlier.get(name) if elapsed > 0 else None
            received = f"{text.size((one.rx_bytes - old.rx_bytes) / elapsed)}/s" if old else "…"
            sent = f"{text.size((one.tx_bytes - old.tx_bytes) / elapsed)}/s" if old else "…"
            packets, errors = one.rx_packets + one.tx_packets, one.rx_errors + one.tx_errors
            lost = f"{one.rx_dropped + one.tx_dropped} dropped, {errors} errors of {packets} packets"
            rows.append((text.clean(name), text.size(one.rx_bytes), received, text.size(one.tx_bytes), sent, lost))
        return rows


def _seconds(read: str) -> float:
    try:
        return datetime.fromisoformat(read[:26].rstrip("Z") + "+00:00").timestamp()
    except ValueError:
        return 0.0
