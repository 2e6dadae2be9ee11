"""The room of a dialog: one part of it scrolls, all else is always on the screen."""

from __future__ import annotations

from textual.widget import Widget

#: Lines around what a dialog has: its border and padding, above and below.
FRAME = 4


def fit(dialog: Widget, part: Widget, most: int = 1000) -> None:
    """Gives ``part`` of a dialog the lines that the rest of it leaves on the screen: one at least, ``most`` at most."""
    others = dialog.virtual_size.height - part.outer_size.height
    part.styles.max_height = min(max(dialog.screen.size.height - others - FRAME, 1), most)
