"""The frame of the page of containers, in pieces of one style each: top line, list, the panel of the details, and the line of the keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from moby_tui.screens.listing import arrangement, columns, containers, top_line
from moby_tui.screens.listing.arrangement import Panel
from moby_tui.screens.listing.columns import GAP, Cells, Order
from moby_tui.screens.palette import PALETTES, Palette, ink
from moby_tui.screens.session.containers import Container, ContainerModel

Line = list[Segment]
#: How much of its colour the row under the cursor has over the ground, and text over a ground that it must differ from.
_CURSOR, _CONTRAST = 0.25, 0.87


_UNSORTED = Order()


@dataclass(frozen=True, slots=True)
class View:
    """What is drawn, and how the person wants to see it. ``part`` and ``beside`` as in ``arrangement``."""

    model: ContainerModel
    engine: str
    palette: Palette
    tabs: Sequence[top_line.Tab]
    now: float
    read_only: bool = False
    order: Order = _UNSORTED
    hidden: frozenset[str] = frozenset()
    part: int = 0
    beside: bool | None = None
    #: Without colours the row under the cursor is reversed.
    colourless: bool = False


def draw(view: View, width: int, height: int) -> list[Line]:
    """The lines of a screen of this size."""
    return _Frame(view, width, height).lines()


class _Frame:
    def __init__(self, view: View, width: int, height: int) -> None:
        self._view, self._width, self._height = view, width, height
        self._colours = view.palette.all()
        self._ground = Style(bgcolor=self._colours["background"])

    def lines(self) -> list[Line]:
        beside = arrangement.is_beside(self._width, self._view.beside)
        part = arrangement.part_of(self._view.part, beside=beside)
        listed, details = arrangement.panels(self._width, self._height, part, beside=beside)
        rows = self._rows()
        chosen = rows[0]
        below = f"{chosen.image} · {chosen.describe(self._view.now)}"
        table = self._table(rows, listed.width - 2 * self._edge, listed.height - 1 - self._edge)
        first = self._panel(listed, containers.HEADING, str(len(rows)), "primary", table)
        second = self._panel(details, chosen.name, below, "border", [])
        middle = [one + other for one, other in zip(first, second, strict=True)] if beside else [*first, *second]
        return [self._top(), *middle, [Segment(" " * self._width, Style(bgcolor=self._colours["panel"]))]]

    @property
    def _edge(self) -> int:
        """The columns that a panel's border takes on each side."""
        return int(self._height >= arrangement.HIGH)

    def _ink(self, name: str) -> str:
        return ink(self._colours, name)

    def _rows(self) -> list[Container]:
        rows = self._view.model.sorted()
        column = next((one for one in containers.columns(lambda *_: -1.0) if one.key == self._view.order.column), None)
        return sorted(rows, key=column.order, reverse=self._view.order.reverse) if column else rows

    # The parts

    def _top(self) -> Line:
        view, panel = self._view, self._colours["panel"]
        states = top_line.states(view.model, named="", read_only=view.read_only, up=True, engine=view.engine, host="", problems=0)
        # what can be clicked is underlined, black or white
        link = Style(color=_blend(panel, "#ffffff" if view.palette.dark else "#000000", _CONTRAST), underline=True)
        line = top_line.line(self._width, view.tabs, "containers", states, lambda _: link)
        # one of the terminal's own colours, as the theme of the same lightness has it
        green = Style(color=PALETTES["moby-dark" if view.palette.dark else "moby-light"].colours["success"])
        pieces = _pieces(line, Style(color=self._ink("text-muted"), bgcolor=panel))
        dressed = [Segment(text, style + green if text == "● " and style else style) for text, style, _ in pieces]
        return _filled(dressed, self._width, Style(bgcolor=panel))

    def _panel(self, panel: Panel, title: str, below: str, colour: str, content: Sequence[Line]) -> list[Line]:
        """A border with a title and what stands in its lower edge; on a low screen there is only its upper edge."""
        border = Style(color=self._ink(colour)) + self._ground
        heading = Style(color=self._ink("primary"), bold=True) + self._ground
        muted = Style(color=self._ink("text-muted")) + self._ground
        if not self._edge:
            rest = [_filled(line, panel.width, self._ground) for line in _at_most(content, panel.height - 1)]
            return [_titled(panel.width, "", title, heading, border), *rest]
        inner = panel.width - 2
        side = Segment("│", border)
        rest = [[side, *_filled(line, inner, self._ground), side] for line in _at_most(content, panel.height - 2)]
        return [
            _titled(panel.width, "╭╮", title, heading, border),
            *rest,
            _titled(panel.width, "╰╯", below, muted, border, at_end=True),
        ]

    # The list

    def _table(self, rows: Sequence[Container], width: int, height: int) -> list[Line]:
        """The headings, and the rows; the cursor is on the first."""
        bar = int(len(rows) + 1 > height)  # the scroll bar's column
        kinds = {column.key: column for column in containers.columns(lambda *_: -1.0)}
        cells = [containers.cells(row, self._view.now, self._ink) for row in rows]
        widths = columns.widths(kinds, self._view.hidden, cells, width - bar)
        headings = {key: columns.label(kinds[key], self._view.order) for key in widths}
        muted = Style(color=self._ink("text-muted")) + self._ground
        plain = Style(color=self._ink("foreground")) + self._ground
        lit = _blend(self._colours["background"], self._colours["primary"], _CURSOR)
        cursor = Style(color=self._ink("foreground"), bgcolor=lit, reverse=self._view.colourless)
        lines = [
            _filled(_row(headings, widths, muted), width, muted),
            _filled(_row(cells[0], widths, cursor), width, cursor),
            *(_filled(_row(one, widths, plain), width, plain) for one in cells[1:height]),
        ]
        return [_cut(line, width - bar) for line in lines]


def _row(cells: Cells, widths: dict[str, int], style: Style) -> Line:
    """The cells of the columns, each between two spaces."""
    line: Line = []
    for key, width in widths.items():
        cell = cells[key].copy()
        cell.truncate(width, overflow="ellipsis")
        spare = " " * (width - cell.cell_len)
        before, after = (" " + spare, " ") if cell.justify == "right" else (" ", spare + " ")
        line += [Segment(before, style), *_pieces(cell, style), Segment(after, style)]
    return line


def _titled(width: int, corners: str, title: str, style: Style, border: Style, *, at_end: bool = False) -> Line:
    """An upper or lower edge. Without corners, which is that of a panel without sides, its title has no spaces beside it."""
    first, last, space = (*corners, " ") if corners else ("", "", "")
    label = Text(title, no_wrap=True)
    label.truncate(max(width - 2 * GAP - 2, 0), overflow="ellipsis")
    drawn = Segment(f"{space}{label.plain}{space}", style)
    spare = width - len(first + last) - 2 - drawn.cell_length
    left, right = (spare, 0) if at_end else (0, spare)
    return [Segment(first + "─" * (left + 1), border), drawn, Segment("─" * (right + 1) + last, border)]


def _pieces(text: Text, base: Style) -> Line:
    """A text in pieces of one style each, over the style of where it stands."""
    own = base + Style.parse(str(text.style)) if isinstance(text.style, str) else base + text.style
    spans = [
        (span.start, span.end, Style.parse(span.style) if isinstance(span.style, str) else span.style) for span in text.spans
    ]
    edges = sorted({0, len(text), *(edge for start, end, _ in spans for edge in (start, end))})
    pieces = []
    for start, end in pairwise(edges):
        style = own
        for first, last, added in spans:
            if first <= start and end <= last:
                style += added
        pieces.append(Segment(text.plain[start:end], style))
    return pieces


def _filled(line: Iterable[Segment], width: int, style: Style) -> Line:
    line = list(line)
    spare = width - sum(piece.cell_length for piece in line)
    return [*line, Segment(" " * spare, style)] if spare > 0 else line


def _cut(line: Line, width: int) -> Line:
    """The part of a line for which there is room."""
    return next(iter(Segment.divide(line, [width])))


def _at_most(lines: Sequence[Line], count: int) -> list[Line]:
    """So many lines, of which those that are missing are empty."""
    return [*lines[:count], *([] for _ in range(count - len(lines)))]


def _blend(ground: str, colour: str, part: float) -> str:
    """A colour over another, of which it lets so much through."""
    below, above = (Color.parse(one).get_truecolor() for one in (ground, colour))
    mixed = (int(one + (other - one) * part) for one, other in zip(below, above, strict=True))
    return "#{:02x}{:02x}{:02x}".format(*mixed)
