"""Where the terminal's own cursor stands: on the row that the keys act on.

That cursor is not seen, as rows are marked by their ground. Screen readers and magnifiers follow it, and read the line on which it stands.
"""

from __future__ import annotations

from textual.geometry import Offset
from textual.widget import Widget


def place(focused: Widget | None) -> Offset | None:
    """The place on the screen of the row under the cursor of the part that has the keys.

    None for a part without rows: a line that is typed into and a terminal say themselves where their cursor is.
    """
    if focused is None:
        return None
    # a list of Textual's has one line for each option
    line: int | None = getattr(focused, "line_of_cursor", None)
    option: int | None = getattr(focused, "highlighted", None)
    if option is not None:
        line = option - focused.scroll_offset.y
    if line is None:
        return None
    area = focused.content_region
    return Offset(area.x, min(max(area.y + line, area.y), max(area.bottom - 1, area.y)))
