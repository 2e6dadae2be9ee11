"""A table of facts that are read, not acted on: the last column takes the room that is left and wraps."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.events import Resize
from textual.widgets import DataTable

#: The last column has at least so many cells.
LEAST = 24
#: No other column is made narrower than this.
NARROWEST = 8
#: For each tone a variable of the theme.
TONES = {"good": "success", "bad": "error", "warn": "warning", "faint": "text-muted", "strong": "primary"}

#: A cell: its text, which is clean, or text and tone.
Cell = str | tuple[str, str]


class FactsTable(DataTable[Text]):
    """``columns`` are titles and widths; the last width is not read: it has what is left, at least ``least``. ``show`` replaces the rows if
    they differ from those that it has. ``empty`` stands in the whole width if there is none.
    """

    def __init__(self, columns: Sequence[tuple[str, int]], *, empty: str = "", least: int = LEAST, id: str) -> None:
        super().__init__(id=id, cursor_type="row", cursor_foreground_priority="renderable")
        self._kinds = tuple(columns)
        self._empty, self._least = empty, least
        #: In place of facts: a line and its tone.
        self._message: Cell = ""
        self._facts: tuple[tuple[Cell, ...], ...] | None = None
        self._keys: tuple[str, ...] = ()
        #: Of each column whether its cells wrap: the last one does, and those for which there is less room than they want.
        self._wraps: list[bool] = []

    @property
    def chosen(self) -> str:
        """The key of the row under the cursor; empty without one."""
        return self._keys[self.cursor_row] if self.cursor_row < len(self._keys) else ""

    @property
    def has_facts(self) -> bool:
        return bool(self._facts)

    @property
    def line_of_cursor(self) -> int:
        """The line of the row under the cursor, from the first line of the widget on."""
        return self._get_row_region(self.cursor_row).y - self.scroll_offset.y

    def show(self, facts: Sequence[Sequence[Cell]], keys: Sequence[str] = ()) -> None:
        """``keys`` names the rows, as ``chosen`` gives them."""
        rows = tuple(tuple(row) for row in facts)
        if rows != self._facts or tuple(keys) != self._keys or self._message:
            chosen = self.chosen
            self._facts, self._keys, self._message = rows, tuple(keys), ""
            self._lay()
            if chosen in self._keys:
                self.move_cursor(row=self._keys.index(chosen))

    def say(self, message: str, tone: str = "faint") -> None:
        """Shows a clean line in place of facts."""
        if self._message != (message, tone):
            self._facts, self._keys, self._message = (), (), (message, tone)
            self._lay()

    def on_resize(self, event: Resize) -> None:
        self._lay()

    def _lay(self) -> None:
        message = self._message or ((self._empty, "faint") if self._empty and self._facts == () else "")
        self.show_header = not message
        if message:
            self._lay_message(message)
        else:
            self._lay_facts()

    def _lay_message(self, message: Cell) -> None:
        """One column of the whole width."""
        self._wraps = [True]
        with self.app.batch_update():
            self.clear(columns=True)
            self.add_column("", width=max(self.size.width - 3, 1))
            self.add_row(self._text(message, 0), height=None)

    def _lay_facts(self) -> None:
        place = self.cursor_row
        room = self.size.width - 2 * len(self._kinds) - 2
        fixed = [width for _, width in self._kinds[:-1]]
        widths = _shrink(list(fixed), room - self._least)
        self._wraps = [width < whole for width, whole in zip(widths, fixed, strict=True)] + [True]
        last = max(room - sum(widths), self._least)
        with self.app.batch_update():
            self.clear(columns=True)
            for (title, _), width in zip(self._kinds, [*widths, last], strict=True):
                self.add_column(title, width=width)
            for row in self._facts or ():
                self.add_row(*map(self._text, row, range(len(row))), height=None)
            self.move_cursor(row=place)

    def _text(self, cell: Cell, column: int) -> Text:
        content, tone = cell if isinstance(cell, tuple) else (cell, "")
        wraps = self._wraps[column]
        return Text(content, self._tone(tone), no_wrap=not wraps, overflow="fold" if wraps else "ellipsis")

    def _tone(self, name: str) -> str:
        value = self.app.theme_variables.get(TONES.get(name, ""), "")
        return value if value.startswith("#") else ""


def _shrink(widths: list[int], room: int) -> list[int]:
    """The widest columns become narrower until all fit."""
    while sum(widths) > room and max(widths, default=0) > NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths
