"""Switches that say whether they are on by a letter, not by a colour alone: ``[x]`` and ``[ ]``."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Checkbox, SelectionList

ON, OFF = "x", " "


class Tick(Checkbox):
    """One switch, with its label beside it."""

    @property
    def _button(self) -> Content:
        """The box before the label. Textual draws the same letter in it whether the switch is on or off."""
        return Content(f"[{ON if self.value else OFF}]")


class Ticks(SelectionList[str]):
    """A list of switches, each of one line."""

    def render_line(self, y: int) -> Strip:
        """Textual's line begins with the three pieces of the switch and a blank."""
        pieces = list(super().render_line(y))
        place = self.scroll_offset.y + y
        if place >= self.option_count or len(pieces) < 4:
            return Strip(pieces)
        mark = ON if self.get_option_at_index(place).value in self._selected else OFF
        ground, meta = pieces[3].style, pieces[1].style
        style = ground + Style.from_meta(meta.meta) if ground and meta else ground
        return Strip([Segment(f"[{mark}]", style), *pieces[3:]])
