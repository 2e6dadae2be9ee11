"""The last place before the terminal: no piece of a line has a character that is none for a screen.

Models and widgets clean what they show (``text.clean``). A line that is typed into keeps what it was given, as the value of a variable in
the form of ``moby run``: it must come back unchanged. Textual draws it as it is.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from moby_tui.screens import text


class Guard(LineFilter):
    """A filter of all lines that are drawn. It keeps their width."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same pieces, without what no screen may get."""
        if all(piece.text.isprintable() for piece in segments):
            return segments
        return [Segment(text.drawn(piece.text), piece.style, piece.control) for piece in segments]
