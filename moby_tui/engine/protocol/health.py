"""What a monitor says of its container's health: a file beside the state, replaced after each probe, in the words of the Engine API."""

from __future__ import annotations

from moby_tui.engine.protocol.message import MalformedMessage, Message

STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"


class ProbeResult(Message):
    """One probe: its times in RFC 3339, its exit code (-1 if it did not end by itself, or did not begin) and the end of its output."""

    KEYS = {"start": "Start", "end": "End", "exit_code": "ExitCode", "output": "Output"}

    start: str
    end: str
    exit_code: int
    output: str


class HealthReport(Message):
    """``streak`` counts the failures since the last success; ``log`` has the latest results, the oldest first."""

    KEYS = {"status": "Status", "streak": "FailingStreak", "log": "Log"}

    status: str = STARTING
    streak: int = 0
    log: list[ProbeResult] = []

    def check(self, where: str) -> None:
        if self.status not in (STARTING, HEALTHY, UNHEALTHY):
            raise MalformedMessage(f"{where}: there is no status {self.status!r:.80}")
