"""Lines of a terminal that are drawn anew in their place, below what stood there before."""

from __future__ import annotations

import os
import unicodedata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

#: Synchronized output: a terminal that knows it shows a frame as a whole.
_BEGIN, _END = "\033[?2026h", "\033[?2026l"
_UP, _REST_OF_LINE, _REST_OF_SCREEN = "\033[{}A", "\033[K", "\033[J"


class InlineView:
    """Takes the place of the lines that it showed before. In a pipe it writes all of them each time."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._drawn = 0

    def show(self, lines: Sequence[str]) -> None:
        """Shows the lines: on a terminal as many, and as much of each, as it has room for."""
        if not self._out.isatty():
            print("\n".join(lines), file=self._out, flush=True)
            return
        lines = [line.expandtabs() for line in "\n".join(lines).split("\n")]
        width, height = os.get_terminal_size(self._out.fileno())
        if width and height:
            lines = _fitted(lines, width, height)
        up = _UP.format(self._drawn) if self._drawn else ""
        text = "".join(f"{line}{_REST_OF_LINE}\n" for line in lines)
        self._out.write(f"{_BEGIN}{up}{text}{_REST_OF_SCREEN}{_END}")
        self._out.flush()
        self._drawn = len(lines)


def _fitted(lines: Sequence[str], width: int, height: int) -> list[str]:
    """The cursor stands in the line below the last one."""
    fitting = [*lines]
    if len(lines) > height - 1:
        fitting = [*lines[: max(height - 2, 0)], f"… {len(lines) - max(height - 2, 0)} more"]
    return [_cut(line, width) for line in fitting]


def _cut(line: str, width: int) -> str:
    cells = 0
    for place, letter in enumerate(line):
        cells += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if cells > width:
            return line[:place]
    return line
