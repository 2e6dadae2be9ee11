"""What the person did in this dashboard: each action, the command line that does the same, and what came of it. No widgets, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

#: Actions remembered.
REMEMBERED = 1_000


class Outcome(Enum):
    """What has come of an action so far."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    TAKEN_BACK = "taken back"


@dataclass(frozen=True, slots=True)
class Deed:
    """One action. ``began`` in Unix seconds, ``took`` in seconds; ``detail`` is the error, or a remark."""

    id: str
    began: float
    title: str
    command: str
    outcome: Outcome = Outcome.RUNNING
    took: float = 0.0
    detail: str = ""

    @property
    def name(self) -> str:
        return self.command or self.title

    @property
    def words(self) -> str:
        return f"{self.title} {self.command} {self.outcome.value} {self.detail}".lower()


class Activity:
    """The newest actions, oldest first."""

    def __init__(self) -> None:
        self._deeds: deque[Deed] = deque(maxlen=REMEMBERED)
        self._count = 0

    def __len__(self) -> int:
        return len(self._deeds)

    def __iter__(self) -> Iterator[Deed]:
        return iter(self._deeds)

    def get(self, identifier: str) -> Deed | None:
        """The action of an id; None if it is forgotten."""
        return next((deed for deed in self._deeds if deed.id == identifier), None)

    def begin(self, title: str, command: str, now: float) -> str:
        """Writes down that an action begins; returns its id."""
        self._count += 1
        deed = Deed(str(self._count), now, title, command)
        self._deeds.append(deed)
        return deed.id

    def end(self, identifier: str, outcome: Outcome, now: float, detail: str = "") -> None:
        """Writes down what came of it. An action that is forgotten by now is left so."""
        for place, deed in enumerate(self._deeds):
            if deed.id == identifier:
                self._deeds[place] = replace(deed, outcome=outcome, took=max(now - deed.began, 0.0), detail=detail)
                return
