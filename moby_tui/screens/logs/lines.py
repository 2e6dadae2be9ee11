"""The lines of a log as they are kept: bounded in number and in bytes, cut into rows of the screen's width. No widgets."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from rich.cells import cell_len, chop_cells

from moby_tui.screens import text

MAX_LINES = 10_000
MAX_BYTES = 16 * 1024 * 1024
#: The rest of a longer line is not shown.
MAX_LINE = 16 * 1024


class Line(NamedTuple):
    """``stamp`` is the time in RFC 3339, or empty; ``coloured`` has no escape sequence but colours, ``plain`` none at all."""

    fd: int
    stamp: str
    coloured: str
    plain: str


class Row(NamedTuple):
    """A piece of a line: what one row of the screen shows."""

    line: int
    start: int
    end: int


def parse(fd: int, data: bytes, *, stamped: bool) -> Line:
    """A line from the log stream. ``stamped``: it begins with its time and a space."""
    stamp = ""
    if stamped:
        head, space, rest = data.partition(b" ")
        if space:
            stamp, data = head.decode("ascii", "replace"), rest
    coloured = text.clean_coloured(data[:MAX_LINE].decode("utf-8", "replace").rstrip("\r\n"))
    plain = text.ESCAPES.sub("", coloured) if "\x1b" in coloured else coloured
    return Line(fd, stamp, coloured, plain)


class LogLines:
    """A bounded run of lines, numbered from 0 at the first that ever came, and the rows they make."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque()
        self._first = 0
        self._bytes = 0
        self._rows: deque[Row] = deque()
        self._width = 0
        self._only: re.Pattern[str] | None = None
        self.longest = 0

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def row_count(self) -> int:
        return len(self._rows)

    def row(self, index: int) -> tuple[Row, Line]:
        row = self._rows[index]
        return row, self._lines[row.line - self._first]

    def plain_rows(self) -> Iterable[str]:
        for row in self._rows:
            yield self._lines[row.line - self._first].plain[row.start : row.end]

    def clear(self) -> None:
        self._lines.clear()
        self._rows.clear()
        self._first = self._bytes = self.longest = 0

    def lay_out(self, width: int, only: re.Pattern[str] | None) -> None:
        """Rows for this width (0: do not wrap) and only of the lines that match."""
        if (width, only) == (self._width, self._only):
            return
        self._width, self._only = width, only
        self._rows.clear()
        for number, line in enumerate(self._lines, self._first):
            self._rows.extend(self._cut(number, line))

    def add(self, lines: list[Line]) -> int:
        """Appends lines; returns how many rows went from the top to keep the bounds."""
        for line in lines[-MAX_LINES:]:
            number = self._first + len(self._lines)
            self._lines.append(line)
            self._bytes += len(line.coloured)
            self.longest = max(self.longest, len(line.plain))
            self._rows.extend(self._cut(number, line))
        return self._trim()

    def _trim(self) -> int:
        dropped = 0
        while len(self._lines) > MAX_LINES or self._bytes > MAX_BYTES:
            self._bytes -= len(self._lines.popleft().coloured)
            self._first += 1
        while self._rows and self._rows[0].line < self._first:
            self._rows.popleft()
            dropped += 1
        return dropped

    def _cut(self, number: int, line: Line) -> Iterable[Row]:
        plain, width = line.plain, self._width
        if self._only is not None and not self._only.search(plain):
            return
        if not width or (len(plain) <= width and (plain.isascii() or cell_len(plain) <= width)):
            yield Row(number, 0, len(plain))
            return
        if plain.isascii():
            for start in range(0, len(plain), width):
                yield Row(number, start, min(start + width, len(plain)))
            return
        start = 0
        for piece in chop_cells(plain, width):
            yield Row(number, start, start + len(piece))
            start += len(piece)

    def find(self, pattern: re.Pattern[str], start: int, step: int) -> int | None:
        """The next row from ``start`` on whose text matches, round the end; ``step`` 1 downwards, -1 upwards."""
        count = len(self._rows)
        for offset in range(count):
            index = (start + step * offset) % count
            row, line = self.row(index)
            if pattern.search(line.plain, row.start, row.end):
                return index
        return None
