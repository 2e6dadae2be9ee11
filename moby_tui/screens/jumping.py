"""What jump mode can go to on a page: parts that take the keys, tabs, and the rows of the list that has them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from textual.geometry import Offset
from textual.screen import Screen
from textual.widgets import Tab, TabbedContent

from moby_tui.screens.dialogs.jump import Target
from moby_tui.screens.widgets.object_table import ObjectTable


def targets(screen: Screen[Any]) -> Iterator[Target]:
    """From the top, the rows of the focused list first."""
    focused = screen.focused
    if isinstance(focused, ObjectTable):
        for place, identifier in enumerate(focused.seen()):
            y = focused.region.y + 1 + place
            if y < focused.region.bottom:
                yield Target(Offset(focused.region.x, y), partial(focused.go_to, identifier))
    for tab in screen.query(Tab):
        holder = next((one for one in tab.ancestors if isinstance(one, TabbedContent)), None)
        if tab.region and holder is not None and tab.id:
            yield Target(tab.region.offset, partial(_open, holder, tab.id.removeprefix("--content-tab-")))
    for widget in screen.focus_chain:
        if widget.region and widget is not focused:
            yield Target(widget.region.offset, widget.focus)


def _open(holder: TabbedContent, pane: str) -> None:
    holder.active = pane
