"""How lines of logs are cut into the rows of a screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rich.cells import cell_len, chop_cells

from moby_tui.screens.logs.shown import Shown


class Row(NamedTuple):
    """A piece of the line with this number, from one character to another."""

    number: int
    start: int
    end: int


class Rows:
    """The rows of the lines in ``shown``. ``words`` gives what is shown of the line with a number.

    ``room``: the cells that the words of a row have; 0: a line is one row, however long.
    """

    def __init__(self, shown: Shown, words: Callable[[int], str], room: int) -> None:
        self._shown, self._words, self._room = shown, words, room

    def of_line(self, number: int) -> list[Row]:
        """The rows that a line takes."""
        words, room = self._words(number), self._room
        if not room or (len(words) <= room and (words.isascii() or cell_len(words) <= room)):
            return [Row(number, 0, len(words))]
        if words.isascii():
            return [Row(number, start, min(start + room, len(words))) for start in range(0, len(words), room)]
        rows: list[Row] = []
        start = 0
        for piece in chop_cells(words, room):
            rows.append(Row(number, start, start + len(piece)))
            start += len(piece)
        return rows

    def page(self, top: int, height: int) -> list[Row]:
        """The rows of a screen that begins with the line at the place ``top``."""
        rows: list[Row] = []
        while top < len(self._shown) and len(rows) < height:
            rows += self._at(top)
            top += 1
        return rows[:height]

    def last_page(self, height: int) -> list[Row]:
        """The rows of a screen that ends with the last line."""
        rows: list[Row] = []
        place = len(self._shown) - 1
        while place >= 0 and len(rows) < height:
            rows[:0] = self._at(place)
            place -= 1
        return rows[-height:] if height else []

    def lines_on_last_page(self, height: int) -> int:
        """How many lines fill the screen to its end; the first of them perhaps in part."""
        if not self._room:
            return min(len(self._shown), height)
        rows = lines = 0
        while lines < len(self._shown) and rows < height:
            lines += 1
            rows += len(self._at(len(self._shown) - lines))
        return lines

    def top_of_page_before(self, place: int, height: int) -> int:
        """The place of the line with which a screen begins whose last line is the one at ``place``."""
        rows = len(self._at(place))
        while place > 0 and rows < height:
            rows += len(self._at(place - 1))
            if rows > height:
                break
            place -= 1
        return place

    def _at(self, place: int) -> list[Row]:
        return self.of_line(self._shown.number(place))
