"""A line of time with what happened on it, and a cursor that goes back and forth."""

from __future__ import annotations

import time
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from moby_tui.screens.replay.timeline import MARKS, Timeline


class TimeBar(Widget):
    """Two rows: the line, and the times of its ends and of the cursor."""

    DEFAULT_CSS = """
    TimeBar { height: 2; padding: 0 1; }
    """
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"time--line", "time--good", "time--bad", "time--cursor", "time--label"}

    class Moved(Message):
        """A person has clicked on a time, Unix seconds."""

        def __init__(self, moment: float) -> None:
            super().__init__()
            self.moment = moment

    def __init__(self, timeline: Timeline, *, id: str) -> None:
        super().__init__(id=id)
        self._timeline = timeline

    def on_click(self, event: events.Click) -> None:
        width = self.scrollable_content_region.width
        offset = event.get_content_offset(self)
        if offset is not None:
            self.post_message(self.Moved(self._timeline.moment(offset.x, width)))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if not self._timeline.end or width < 12:
            return Strip.blank(width, self.rich_style)
        return self._line(width) if y == 0 else self._labels(width)

    def _line(self, width: int) -> Strip:
        marks = self._timeline.marks(width)
        cursor = self._timeline.cell(self._timeline.cursor, width)
        segments = []
        for cell in range(width):
            kind = marks.get(cell)
            bad = kind in ("die", "oom", "kill", "destroy")
            ink = self._ink("time--bad" if bad else "time--good" if kind else "time--line")
            if cell == cursor:
                ink += Style(bgcolor=self.get_component_rich_style("time--cursor").bgcolor, bold=True)
            segments.append(Segment(MARKS[kind] if kind else "─", ink))
        return Strip(segments, width).simplify()

    def _labels(self, width: int) -> Strip:
        timeline = self._timeline
        form = "%H:%M:%S" if timeline.end - timeline.begin < 72000 else "%m-%d %H:%M"
        left, right = (time.strftime(form, time.localtime(moment)) for moment in (timeline.left, timeline.right))
        here = time.strftime("%m-%d %H:%M:%S", time.localtime(timeline.cursor))
        line = list(f"{left}{right:>{max(width - len(left), 0)}}"[:width].ljust(width))
        cell = timeline.cell(timeline.cursor, width) or 0
        at = min(max(cell - len(here) // 2, len(left) + 2), width - len(right) - len(here) - 2)
        if at <= len(left) + 1:
            return Strip([Segment("".join(line), self._ink("time--label"))], width)
        before, after = "".join(line[:at]), "".join(line[at + len(here) :])
        label = self._ink("time--label")
        return Strip([Segment(before, label), Segment(here, self.rich_style + Style(bold=True)), Segment(after, label)], width)

    def _ink(self, name: str) -> Style:
        """The colour of a component class without its ground."""
        return self.rich_style + Style(color=self.get_component_rich_style(name).color)
