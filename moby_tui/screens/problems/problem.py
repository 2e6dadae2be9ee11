"""A problem as it is shown and counted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """The order of the list."""

    ERROR = 0
    WARNING = 1
    NOTICE = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """``kind`` is one word: oom, loop, unhealthy, exit, start, drift, outdated, port, registry, host.

    ``container`` is an id, empty for the host and for registries. ``since`` is Unix seconds, 0 if not known. Texts are clean.
    """

    kind: str
    severity: Severity
    name: str
    title: str
    advice: str
    container: str = ""
    detail: str = ""
    since: float = 0.0

    @property
    def key(self) -> str:
        """What it is muted by: another run of the same container has another, and so has another image for the same name."""
        about = self.detail if self.kind in ("drift", "outdated") else "" if self.container else self.title
        return f"{self.kind}:{self.container or self.name}:{int(self.since)}:{about}"


def counted(problems: list[Problem]) -> int:
    """How many want somebody: notices do not."""
    return sum(problem.severity is not Severity.NOTICE for problem in problems)
