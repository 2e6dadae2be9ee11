"""Containers that the dashboard is going to remove: each is kept for a while in which the person can take the removal back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Removal:
    """Containers that were chosen together. ``due`` is when they go, Unix seconds; ``deed`` is the action's id in the activity."""

    containers: tuple[str, ...]
    deed: str
    due: float


class Removals:
    """The removals that wait, oldest first. No clock and no client: who asks says what time it is, and removes."""

    def __init__(self) -> None:
        self._waiting: list[Removal] = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def next_due(self) -> float | None:
        """When the next one is due, Unix seconds."""
        return min((one.due for one in self._waiting), default=None)

    @property
    def identifiers(self) -> set[str]:
        """The containers that wait."""
        return {identifier for one in self._waiting for identifier in one.containers}

    def add(self, removal: Removal) -> None:
        """A container that waits already goes with the new one."""
        again = set(removal.containers)
        kept = []
        for one in self._waiting:
            rest = tuple(identifier for identifier in one.containers if identifier not in again)
            if rest:
                kept.append(Removal(rest, one.deed, one.due))
        self._waiting = [*kept, removal]

    def waits(self, identifier: str) -> bool:
        return any(identifier in one.containers for one in self._waiting)

    def take_back(self) -> Removal | None:
        """Gives up the newest removal and returns it; None if none waits."""
        return self._waiting.pop() if self._waiting else None

    def take_due(self, now: float) -> list[Removal]:
        """The removals whose time has come; they wait no more. An infinite ``now`` takes all."""
        due = [one for one in self._waiting if one.due <= now]
        self._waiting = [one for one in self._waiting if one.due > now]
        return due
