"""The dashboard's own themes; all of Textual's are there too (``:theme``), ``ansi-dark`` and ``ansi-light`` among them, which have
the terminal's own sixteen colours. ``NO_COLOR`` takes all colour away (no-color.org).
"""

from __future__ import annotations

from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

from moby_tui.screens.palette import PALETTES


def _theme(name: str) -> Theme:
    palette = PALETTES[name]
    return Theme(name, **palette.colours, dark=palette.dark, variables=dict(palette.variables))


DARK, LIGHT, CONTRAST = map(_theme, PALETTES)

_DARK_INKS = [
    (93, 111, 140), (255, 107, 122), (63, 210, 139), (242, 184, 75), (74, 168, 255), (199, 146, 234), (61, 219, 217), (215, 224, 238),
]  # fmt: skip
_LIGHT_INKS = [
    (22, 32, 47), (194, 38, 60), (17, 128, 75), (150, 98, 10), (11, 99, 197), (138, 62, 168), (0, 121, 122), (93, 108, 132),
]  # fmt: skip
#: The sixteen colours of programs and logs on our grounds: each can be read there, black on dark and white on light too.
DARK_ANSI = TerminalTheme((11, 18, 32), (215, 224, 238), _DARK_INKS, [(117, 134, 163), *_DARK_INKS[1:7], (255, 255, 255)])
LIGHT_ANSI = TerminalTheme((245, 248, 252), (22, 32, 47), _LIGHT_INKS, [(77, 95, 128), *_LIGHT_INKS[1:7], (59, 74, 99)])

#: Those of programs in the dashboard's terminals, whose ground is black in every theme; by Rich's names.
TERMINAL_INKS = {
    "black": "#000000", "red": "#e05561", "green": "#8cc265", "yellow": "#d18f52", "blue": "#4aa5f0", "magenta": "#c162de",
    "cyan": "#42b3c2", "white": "#d7dae0", "bright_black": "#7b8794", "bright_red": "#ff616e", "bright_green": "#a5e075",
    "bright_yellow": "#f0a45d", "bright_blue": "#4dc4ff", "bright_magenta": "#de73ff", "bright_cyan": "#4cd1e0",
    "bright_white": "#ffffff",
}  # fmt: skip


#: The theme under ``NO_COLOR``: what it gives a ground of its own stands out, everything else has the terminal's.
WITHOUT_COLOUR = "ansi-dark"


class Colourless(LineFilter):
    """The filter for ``NO_COLOR``: text and ground have the terminal's own colours. What has another ground in the theme is reversed."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text, _without_colour(style) if style else style, control) for text, style, control in segments]


@lru_cache(1024)
def _without_colour(style: Style) -> Style:
    stands_out = style.bgcolor is not None and not style.bgcolor.is_default
    return style + Style(color="default", bgcolor="default", reverse=stands_out != bool(style.reverse))


def row_ground(style: Style) -> Style:
    """What a style does to the ground of a row alone: the colour behind it, or in a terminal's own colours the reverse of all."""
    return Style(bgcolor=style.bgcolor, reverse=style.reverse)
