"""Several live logs in one order of time: lines are held back for a moment, since those of another container may be older."""

from __future__ import annotations

from moby_tui.screens.logs.store import LogLine, by_time


class Merger:
    """``put`` lines as they come and ``take`` once a frame. A line is held back for one frame, unless a later one is not.

    Lines that come later still are put in their place by the store.
    """

    def __init__(self) -> None:
        self._young: list[LogLine] = []
        self._due: list[LogLine] = []

    def __len__(self) -> int:
        return len(self._young) + len(self._due)

    def put(self, line: LogLine) -> None:
        self._young.append(line)

    def take(self, *, all: bool = False) -> list[LogLine]:
        """In order of time: what was there at the call before, and what is older than that; with ``all`` what there is."""
        young, due = self._young, self._due
        latest = max((line.stamp for line in (young if all else due)), default=-1)
        taken = sorted([*due, *(line for line in young if line.stamp <= latest)], key=by_time)
        self._due = [line for line in young if line.stamp > latest]
        self._young = []
        return taken
