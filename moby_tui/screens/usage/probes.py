"""How long a container's health probes take: the engine tells of the last few, more are remembered here."""

from __future__ import annotations

from collections import deque

from moby_tui.schema.container import Health
from moby_tui.screens.logs.moments import SECOND, parse_stamp

#: Probes that are remembered.
LENGTH = 300


class Probes:
    """Those of one container, oldest first: ``times`` in Unix seconds, ``seconds`` that each took."""

    def __init__(self) -> None:
        self.times: deque[float] = deque(maxlen=LENGTH)
        self.seconds: deque[float] = deque(maxlen=LENGTH)
        self.status = ""
        self.failing = 0

    def add(self, health: object) -> None:
        """Takes the ``Health`` that an engine tells; probes that are known are not taken twice. Anything else: the container has none."""
        if not isinstance(health, Health) or health.status in ("", "none"):
            return
        self.status, self.failing = health.status, health.failing_streak
        for entry in health.log or []:
            start, end = parse_stamp(entry.start), parse_stamp(entry.end)
            if end >= start > 0 and start / SECOND > (self.times[-1] if self.times else 0.0):
                self.times.append(start / SECOND)
                self.seconds.append((end - start) / SECOND)

    @property
    def note(self) -> str:
        """``healthy``, ``unhealthy, 3 failed in a row``."""
        return f"{self.status}, {self.failing} failed in a row" if self.failing else self.status
