"""One container's past: its events and figures, a window of time, and a cursor in it. Times are Unix seconds. No clock, no client."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from moby_tui.schema.event import Event
from moby_tui.schema.history import Figures
from moby_tui.screens import text

#: "Five minutes before it died".
BEFORE = 300.0
#: The window is no shorter, seconds.
LEAST = 30.0
#: What is marked on the line of time, the most important last: a later one hides an earlier one in the same cell.
MARKS = {
    "create": "·",
    "unpause": "▷",
    "pause": "‖",
    "start": "▲",
    "restart": "▲",
    "health": "♥",
    "kill": "✂",
    "destroy": "□",
    "die": "✖",
    "oom": "✸",
}
_ENDS = ("die", "oom")


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to the container. ``kind`` is one of ``MARKS``, ``told`` says it in words."""

    time: float
    kind: str
    told: str


def happening(event: Event) -> Happening | None:
    """What an event says of a container; None for what is not shown."""
    action, _, detail = event.action.partition(": ")
    attributes = event.actor.attributes
    kind = "health" if action == "health_status" else action
    if event.type != "container" or kind not in MARKS:
        return None
    description = action
    if action == "die":
        description = f"ended with exit code {text.clean(attributes.get('exitCode', '?'))}"
    elif action == "oom":
        description = "ran out of memory"
    elif action == "kill":
        description = f"was sent signal {text.clean(attributes.get('signal', '?'))}"
    elif kind == "health":
        description = f"is {text.clean(detail)}"
    elif action == "destroy":
        description = "was removed"
    elif action in ("start", "create", "restart", "pause"):
        description = {"start": "started", "create": "was created", "restart": "was restarted", "pause": "was paused"}[action]
    elif action == "unpause":
        description = "ran on"
    return Happening(event.time_nano / 1e9 or float(event.time), kind, description)


class Timeline:
    """``begin`` and ``end`` bound what is known; ``left`` and ``right`` the window that is seen; ``cursor`` is within it."""

    def __init__(self) -> None:
        self.happenings: list[Happening] = []
        self.figures: list[Figures] = []
        self._times: list[float] = []
        self.begin = self.end = self.left = self.right = self.cursor = 0.0

    def know(self, happenings: Iterable[Happening], begin: float, end: float) -> None:
        """Takes the events, and the time that is known of. The cursor goes to where the container last ended, or to the end."""
        self.happenings = sorted(happenings, key=lambda one: one.time)
        times = [one.time for one in self.happenings]
        self.begin, self.end = min([begin, *times]), max([end, *times])
        if self.end - self.begin < LEAST:
            self.begin = self.end - LEAST
        self.left, self.right = self.begin, self.end
        ends = self.ends()
        self.cursor = ends[-1] if ends else self.end

    def take_figures(self, figures: Sequence[Figures]) -> None:
        """Takes the figures of the window."""
        self.figures = list(figures)
        self._times = [one.time for one in self.figures]

    def ends(self) -> list[float]:
        """When the container ended, or ran out of memory."""
        return [one.time for one in self.happenings if one.kind in _ENDS]

    @property
    def span(self) -> float:
        return max(self.right - self.left, LEAST)

    def go(self, moment: float) -> bool:
        """Puts the cursor on a time, as far as something is known. True if the window had to move: its figures are others now."""
        self.cursor = min(max(moment, self.begin), self.end)
        if self.left <= self.cursor <= self.right:
            return False
        span = self.right - self.left
        self.left = min(max(self.cursor - span / 2, self.begin), max(self.end - span, self.begin))
        self.right = min(self.left + span, self.end)
        return True

    def zoom(self, factor: float) -> bool:
        """Makes the window shorter (a factor above 1) or longer around the cursor. True if it changed."""
        before = self.left, self.right
        span = min(max((self.right - self.left) / factor, LEAST), self.end - self.begin)
        share = (self.cursor - self.left) / max(self.right - self.left, 1e-9)
        self.left = min(max(self.cursor - span * share, self.begin), self.end - span)
        self.right = self.left + span
        return (self.left, self.right) != before

    def before_end(self) -> float | None:
        """Five minutes before the container's end that comes next, or before its last; None if it never ended."""
        ends = self.ends()
        if not ends:
            return None
        coming = [one for one in ends if one - BEFORE > self.cursor + 1]
        return max((coming[0] if coming else ends[-1]) - BEFORE, self.begin)

    def next_happening(self, step: int) -> Happening | None:
        """The event after, or before, the cursor."""
        times = [one.time for one in self.happenings]
        place = bisect_right(times, self.cursor + 0.001) if step > 0 else bisect_left(times, self.cursor - 0.001) - 1
        return self.happenings[place] if 0 <= place < len(times) else None

    def figure(self) -> int | None:
        """The index of the figures at the cursor: the last that were taken by then; None before the first."""
        place = bisect_right(self._times, self.cursor + 0.001) - 1
        return place if place >= 0 else None

    def cell(self, moment: float, width: int) -> int | None:
        """The cell of a line of this width that a time is in; None outside of the window."""
        if not self.left <= moment <= self.right or width < 1:
            return None
        return min(int((moment - self.left) / self.span * width), width - 1)

    def moment(self, cell: int, width: int) -> float:
        """The time of the middle of a cell."""
        return self.left + (cell + 0.5) / max(width, 1) * self.span

    def marks(self, width: int) -> dict[int, str]:
        """What happened, by the cells of a line."""
        order = list(MARKS)
        marks: dict[int, str] = {}
        for one in sorted(self.happenings, key=lambda one: order.index(one.kind)):
            cell = self.cell(one.time, width)
            if cell is not None:
                marks[cell] = one.kind
        return marks

    def step_for(self, width: int, interval: float) -> int:
        """Seconds for one cell of a plot of this width, so that it shows the whole window; 0 for every sample."""
        step = self.span / max(width, 1)
        return 0 if step <= max(interval, 1.0) else int(step) + 1
