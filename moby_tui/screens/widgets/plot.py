"""A small area plot in eighths of blocks, and the same in one line.

Our own, because the plot libraries for Textual are stale (textual-plotext stands at plotext 5) or bring numpy (textual-plot).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.color import Color
from textual.strip import Strip
from textual.widget import Widget

_BLOCKS = " ▁▂▃▄▅▆▇█"


def spark(values: Sequence[float], width: int, top: float) -> str:
    """The last ``width`` values as blocks, the newest at the right; ``top`` is a full block."""
    return area(values, width, 1, top)[0]


def area(values: Sequence[float], width: int, height: int, top: float) -> list[str]:
    """Rows, from the top, of the area under the last ``width`` values. What is not zero is at least an eighth of a row high."""
    eighths = [_eighths(value, height, top) for value in values[-width:]] if width else []
    missing = " " * (width - len(eighths))
    return [missing + "".join(_BLOCKS[max(0, min(one - 8 * row, 8))] for one in eighths) for row in range(height - 1, -1, -1)]


def _eighths(value: float, height: int, top: float) -> int:
    if value <= 0 or top <= 0:
        return 0
    return max(1, min(round(value / top * height * 8), height * 8))


class Plot(Widget):
    """A titled plot with its newest value and its scale. The scale follows what is shown, and never falls under ``floor``."""

    DEFAULT_CSS = """
    Plot { height: 1fr; min-height: 3; }
    """
    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"plot--title", "plot--value", "plot--scale", "plot--low", "plot--high"}  # noqa: RUF012

    def __init__(self, title: str, unit: Callable[[float], str], *, floor: float, id: str) -> None:
        super().__init__(id=id)
        self._title = title
        self._unit = unit
        self._floor = floor
        self._values: list[float] = []
        self._note = ""
        self._rows: list[str] = []
        self._top = floor

    def show(self, values: Sequence[float], note: str = "") -> None:
        """Draws these values, the newest last; ``note`` stands beside the newest."""
        self._values = list(values)
        self._note = note
        self._layout_rows()
        self.refresh()

    def on_resize(self) -> None:
        self._layout_rows()

    def _layout_rows(self) -> None:
        width, height = self.size.width, max(self.size.height - 1, 1)
        shown = self._values[-width:] if width else []
        self._top = _round_up(max([self._floor, *shown]))
        self._rows = area(shown, width, height, self._top)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            return self._heading(width)
        if y > len(self._rows):
            return Strip.blank(width, self.rich_style)
        low, high = (Color.from_rich_color(self._ink(name).color) for name in ("plot--low", "plot--high"))
        height = len(self._rows)
        colour = low.blend(high, (height - y) / max(height - 1, 1))
        return Strip([Segment(self._rows[y - 1], self.rich_style + Style(color=colour.rich_color))], width)

    def _ink(self, name: str) -> Style:
        """The colour of a component class without its ground."""
        return self.rich_style + Style(color=self.get_component_rich_style(name).color)

    def _heading(self, width: int) -> Strip:
        line = Text(style=self.rich_style, no_wrap=True, end="")
        line.append(self._title, self._ink("plot--title"))
        value = self._unit(self._values[-1]) if self._values else "–"
        line.append(f" {value}", self._ink("plot--value") + Style(bold=True))
        scale = self._ink("plot--scale")
        if self._note:
            line.append(f" {self._note}", scale)
        top = f"max {self._unit(self._top)}"
        if line.cell_len + len(top) < width:
            line.pad_right(width - line.cell_len - len(top))
            line.append(top, scale)
        return Strip(line.render(self.app.console)).adjust_cell_length(width, self.rich_style)


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
