"""Where the terminal's own cursor stands: on the row that the keys act on, in a terminal's tab on the cursor of its program.

That cursor is not seen, as rows are marked by their ground. Screen readers and magnifiers follow it, and read the line on which it stands.
"""

from __future__ import annotations

from textual.geometry import Offset
from textual.widget import Widget


def place(focused: Widget | None) -> Offset | None:
    """The place on the screen of the row under the cursor of the part that has the keys; of a part without rows its first line.

    A part says in ``line_of_cursor``, and where a row does not begin at its edge in ``column_of_cursor``, where its cursor is. None for
    a line that is typed into: Textual has put the cursor there.
    """
    if focused is None or hasattr(focused, "cursor_screen_offset"):
        return None
    # a list of Textual's has one line for each option
    line: int | None = getattr(focused, "line_of_cursor", None)
    option: int | None = getattr(focused, "highlighted", None)
    if option is not None:
        line = option - focused.scroll_offset.y
    column: int = getattr(focused, "column_of_cursor", 0)
    area = focused.content_region
    return Offset(_within(area.x + column, area.x, area.right), _within(area.y + (line or 0), area.y, area.bottom))


def _within(value: int, first: int, end: int) -> int:
    return min(max(value, first), max(end - 1, first))
