"""A small area plot in braille dots, and a one-line spark of blocks.

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
#: Bits of a braille cell's dots from the bottom up, left and right column (Unicode 2800).
_LEFT, _RIGHT = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)


def spark(values: Sequence[float], width: int, top: float) -> str:
    """The last ``width`` values as blocks; ``top`` is a full block."""
    shown = values[-width:]
    steps = (min(int(value / top * 8 + 0.5), 8) if top > 0 else 0 for value in shown)
    return "".join(_BLOCKS[max(step, 1 if value > 0 else 0)] for step, value in zip(steps, shown, strict=True)).rjust(width)


def braille(values: Sequence[float], width: int, height: int, top: float) -> list[str]:
    """Rows, from the top, of an area under the last ``2 * width`` values, which stand at the right."""
    dots = [0] * (2 * width - len(values)) if len(values) < 2 * width else []
    dots += [_dots(value, height, top) for value in values[-2 * width :]]
    rows: list[str] = []
    for row in range(height - 1, -1, -1):
        cells = (
            0x2800 | _fill(_LEFT, dots[2 * column] - 4 * row) | _fill(_RIGHT, dots[2 * column + 1] - 4 * row)
            for column in range(width)
        )
        rows.append("".join(map(chr, cells)))
    return rows


def _dots(value: float, height: int, top: float) -> int:
    if value <= 0 or top <= 0:
        return 1 if value >= 0 else 0
    return max(1, min(round(value / top * height * 4), height * 4))


def _fill(bits: tuple[int, int, int, int], count: int) -> int:
    return sum(bits[: max(0, min(count, 4))])


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
        shown = self._values[-2 * width :] if width else []
        self._top = _round_up(max([self._floor, *shown]))
        self._rows = braille(shown, width, height, self._top) if width else []

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            return self._heading(width)
        if y > len(self._rows):
            return Strip.blank(width, self.rich_style)
        low = Color.from_rich_color(self.get_component_rich_style("plot--low").color or self.rich_style.color)
        high = Color.from_rich_color(self.get_component_rich_style("plot--high").color or self.rich_style.color)
        height = len(self._rows)
        colour = low.blend(high, (height - y) / max(height - 1, 1))
        return Strip([Segment(self._rows[y - 1], self.rich_style + Style(color=colour.rich_color))], width)

    def _heading(self, width: int) -> Strip:
        line = Text(no_wrap=True, end="")
        line.append(self._title, self.get_component_rich_style("plot--title"))
        value = self._unit(self._values[-1]) if self._values else "–"
        line.append(f" {value}", self.get_component_rich_style("plot--value"))
        scale = self.get_component_rich_style("plot--scale")
        if self._note:
            line.append(f" {self._note}", scale)
        top = f"⌈{self._unit(self._top)}"
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
