"""A small area plot in eighths of blocks, and the same in one line.

Our own, because the plot libraries for Textual are stale (textual-plotext stands at plotext 5) or bring numpy (textual-plot).
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from moby_tui.screens import text

_BLOCKS = " ▁▂▃▄▅▆▇█"


def spark(values: Sequence[float], width: int, top: float) -> str:
    """The last ``width`` values as blocks, the newest at the right; ``top`` is a full block."""
    return area(values, width, 1, top)[0]


def area(values: Sequence[float], width: int, height: int, top: float) -> list[str]:
    """Rows, from the top, of the area under the last ``width`` values. What is not zero is at least an eighth of a row high."""
    columns = [_column(_eighths(value, height, top), height) for value in values[-width:]] if width else []
    missing = " " * (width - len(columns))
    return [missing + "".join(row) for row in zip(*columns, strict=True)] if columns else [missing] * height


@functools.lru_cache(1024)
def _column(eighths: int, height: int) -> str:
    """A bar so many eighths of a row high, a character for each row, from the top."""
    return "".join(_BLOCKS[max(0, min(eighths - 8 * row, 8))] for row in range(height - 1, -1, -1))


def _eighths(value: float, height: int, top: float) -> int:
    if value <= 0 or top <= 0:
        return 0
    return max(1, min(round(value / top * height * 8), height * 8))


class Plot(Widget, can_focus=True):
    """A titled plot with its newest value and its axes. The scale follows what is shown, and never falls under ``floor``.

    The mouse, or left and right, puts a cursor on a sample: the title then tells its value and age instead of the newest.
    """

    DEFAULT_CSS = """
    Plot { height: 1fr; min-height: 3; }
    """
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "cursor(-1)", "Earlier", show=False),
        Binding("right", "cursor(1)", "Later", show=False),
        Binding("home", "cursor(-100000)", "Oldest", show=False),
        Binding("end", "cursor(100000)", "Newest", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "plot--title",
        "plot--value",
        "plot--scale",
        "plot--low",
        "plot--high",
        "plot--cursor",
    }

    class Pointed(Message):
        """The cursor is on another sample."""

        def __init__(self, plot: Plot, index: int | None) -> None:
            super().__init__()
            self.plot, self.index = plot, index

        @property
        def control(self) -> Plot:
            return self.plot

    def __init__(self, title: str, unit: Callable[[float], str], *, floor: float, id: str) -> None:
        super().__init__(id=id)
        self._title = title
        self._unit = unit
        self._floor = floor
        self._values: list[float] = []
        self._times: list[float] = []
        self._note = ""
        self._missing = ""
        self._clock = False
        self._rows: list[str] = []
        self._top = floor
        #: samples from the newest back to the one under the cursor; -1: no cursor
        self._back = -1
        #: what ``_written`` returned when it was last drawn
        self._drawn: list[str] = []
        self._inks: dict[str, Style] = {}

    def show(
        self, values: Sequence[float], note: str = "", times: Sequence[float] = (), missing: str = "", *, clock: bool = False
    ) -> None:
        """Draws these values, the newest last. ``note`` stands beside the newest; ``times`` are seconds of any clock, one for each value;
        ``missing`` says why there are no values. With ``clock`` the times are Unix seconds, and told as such, not as how long ago.
        """
        self._clock = clock
        self._values, self._times = list(values), list(times)
        self._note, self._missing = note, missing
        self._layout_rows()
        self._refresh_changed()

    def _refresh_changed(self) -> None:
        """Draws the lines that differ: of an idle container none does, once the plot is full."""
        before, self._drawn = self._drawn, self._written()
        if len(before) != len(self._drawn):
            self.refresh()
            return
        differ = [y for y, (one, other) in enumerate(zip(before, self._drawn, strict=True)) if one != other]
        if differ:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in differ))

    def point(self, index: int | None) -> None:
        """Puts the cursor on a value by its index, or takes it away."""
        self._back = -1 if index is None else len(self._values) - 1 - index
        self.refresh()

    @property
    def pointed(self) -> int | None:
        """The index of the value under the cursor."""
        return len(self._values) - 1 - self._back if 0 <= self._back < len(self._values) else None

    def on_resize(self) -> None:
        self._layout_rows()
        # the rows of the former width have been drawn already
        self._drawn = []
        self._refresh_changed()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._move_to(self.size.width - 1 - event.x)

    def on_leave(self) -> None:
        if not self.has_focus:
            self._move_to(-1)

    def on_blur(self) -> None:
        self._move_to(-1)

    def action_cursor(self, step: int) -> None:
        self._move_to(min(max(max(self._back, 0) - step, 0), len(self._values) - 1, self._room - 1))

    def _move_to(self, back: int) -> None:
        back = back if 0 <= back < min(len(self._values), self._room) else -1
        if back != self._back:
            self._back = back
            self.refresh()
            self.post_message(self.Pointed(self, self.pointed))

    # Drawing

    @property
    def _gutter(self) -> int:
        """Cells at the left for the labels of the scale, where there is room for them."""
        return 6 if self.size.width >= 44 and self.size.height >= 6 else 0

    @property
    def _has_axis(self) -> bool:
        return self.size.height >= 5 and len(self._times) == len(self._values) > 1

    @property
    def _room(self) -> int:
        """Samples that are seen."""
        return max(self.size.width - self._gutter, 0)

    def _layout_rows(self) -> None:
        height = max(self.size.height - 1 - self._has_axis, 1)
        shown = self._values[-self._room :] if self._room else []
        self._top = _round_up(max([self._floor, *shown]))
        self._rows = area(shown, self._room, height, self._top)

    def _written(self) -> list[str]:
        """A text for each line. Lines with the same text look the same, unless width, style or cursor have changed."""
        width, height = self.size.width, len(self._rows)
        if self._missing and not self._values:
            plot = [self._missing, *[""] * (height - 1)]
        else:
            # with the height, of which the colours depend
            plot = [f"{y}/{height}{self._label(y, height)}{row}" for y, row in enumerate(self._rows, 1)]
        axis = [self._axis_text(width)] if self._has_axis else []
        return ["\n".join(self._heading_parts()), *plot, *axis]

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            return self._heading(width)
        if y == len(self._rows) + 1 and self._has_axis:
            return self._axis(width)
        if y > len(self._rows):
            return Strip.blank(width, self._ground)
        if self._missing and not self._values:
            return self._missing_line(y, width)
        height = len(self._rows)
        style = self._slope(y, height)
        row = self._rows[y - 1]
        pieces = [Segment(self._label(y, height), self._ink("plot--scale"))] if self._gutter else []
        if self.pointed is None:
            return Strip([*pieces, Segment(row, style)], width)
        place = len(row) - 1 - self._back
        ground = self.get_component_rich_style("plot--cursor").bgcolor
        parts = (row[:place], style), (row[place], style + Style(bgcolor=ground)), (row[place + 1 :], style)
        return Strip([*pieces, *(Segment(part, ink) for part, ink in parts if part)], width)

    def _label(self, y: int, height: int) -> str:
        """The scale at its top, middle and bottom."""
        if y == 1:
            return f"{self._unit(self._top).removesuffix('/s'):>5}▕"
        if y == height:
            return "    0▕"
        if height >= 5 and y == (height + 1) // 2 and height % 2:
            return f"{self._unit(self._top / 2).removesuffix('/s'):>5}▕"
        return "     ▕"

    def _axis_labels(self) -> tuple[str, str, str]:
        """What is told of the oldest sample that is seen, of one in the middle, and of the newest."""
        shown = self._times[-self._room :]
        first, middle, last = shown[0], shown[len(shown) // 2], shown[-1]
        if self._clock:
            labels = [time.strftime("%H:%M", time.localtime(moment)) for moment in (first, middle, last)]
            return labels[0], labels[1], labels[2]
        ages = [f"-{text.age(last - moment)}" if last - moment >= 1 else "" for moment in (first, middle)]
        return ages[0], ages[1], "now"

    def _axis(self, width: int) -> Strip:
        return Strip([Segment(self._axis_text(width), self._ink("plot--scale"))], width)

    def _axis_text(self, width: int) -> str:
        shown = self._times[-self._room :]
        line = [" "] * width
        first, middle, newest = self._axis_labels()
        last = width - len(newest)
        for index, label in ((0, first), (len(shown) // 2, middle)):
            at = width - len(shown) + index
            if len(shown) - index > len(label) + len(newest) + 1:
                line[at : at + len(label)] = label
        line[last:] = newest
        return "".join(line)[:width]

    def _missing_line(self, y: int, width: int) -> Strip:
        words = self._missing if y == 1 else ""
        line = Text(words, no_wrap=True, end="")
        line.truncate(width, overflow="ellipsis")
        return Strip([Segment(line.plain, self._ink("plot--scale"))]).adjust_cell_length(width, self._ground)

    def notify_style_update(self) -> None:
        self._inks.clear()
        super().notify_style_update()

    @property
    def _ground(self) -> Style:
        """The style of the widget itself. It and those below are kept until the styles change, since Textual makes them anew each time."""
        if "" not in self._inks:
            self._inks[""] = self.rich_style
        return self._inks[""]

    def _ink(self, name: str) -> Style:
        """The colour of a component class without its ground."""
        if name not in self._inks:
            self._inks[name] = self._ground + Style(color=self.get_component_rich_style(name).color)
        return self._inks[name]

    def _slope(self, y: int, height: int) -> Style:
        """The colour of a row: from that of low values to that of high ones."""
        name = f"{y} of {height}"
        if name not in self._inks:
            low, high = (Color.from_rich_color(self._ink(end).color) for end in ("plot--low", "plot--high"))
            self._inks[name] = self._ground + Style(color=low.blend(high, (height - y) / max(height - 1, 1)).rich_color)
        return self._inks[name]

    def _heading_parts(self) -> tuple[str, str, str]:
        """The value that is told, what stands beside it, and the top of the scale."""
        pointed = self.pointed
        index = len(self._values) - 1 if pointed is None else pointed
        value = self._unit(self._values[index]) if self._values else "–"
        return value, self._note if pointed is None else self._age(pointed), f"max {self._unit(self._top)}"

    def _heading(self, width: int) -> Strip:
        value, note, top = self._heading_parts()
        line = Text(style=self._ground, no_wrap=True, end="")
        line.append(self._title, self._ink("plot--title"))
        line.append(f" {value}", self._ink("plot--value") + Style(bold=True))
        scale = self._ink("plot--scale")
        if note:
            line.append(f" {note}", scale)
        if not self._gutter and line.cell_len + len(top) < width:
            line.pad_right(width - line.cell_len - len(top))
            line.append(top, scale)
        return Strip(line.render(self.app.console)).adjust_cell_length(width, self._ground)

    def _age(self, index: int) -> str:
        if len(self._times) != len(self._values):
            return ""
        if self._clock:
            return time.strftime("at %H:%M:%S", time.localtime(self._times[index]))
        return f"{text.age(self._times[-1] - self._times[index])} ago" if index < len(self._times) - 1 else "now"


def _round_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten (of 1024 above a kibibyte, where the values are bytes)."""
    if value <= 0:
        return 1.0
    unit = 1.0
    while value / unit >= 1024:
        unit *= 1024
    for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1024):
        if value <= step * unit:
            return step * unit
    return value
