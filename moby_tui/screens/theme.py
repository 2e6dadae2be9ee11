"""The dashboard's own themes; all of Textual's are there too (``:theme``), ``ansi-dark`` and ``ansi-light`` among them, which have
the terminal's own sixteen colours. ``NO_COLOR`` takes all colour away (no-color.org).
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import Monochrome
from textual.theme import Theme

DARK = Theme(
    name="moby-dark",
    primary="#4aa8ff",
    secondary="#8b9dc3",
    accent="#3ddbd9",
    foreground="#d7e0ee",
    background="#0b1220",
    surface="#0f1829",
    panel="#152238",
    boost="#1b2b45",
    success="#3fd28b",
    warning="#f2b84b",
    error="#ff6b7a",
    dark=True,
    variables={"text-muted": "#7586a3", "border": "#26395a", "footer-key-foreground": "#4aa8ff", "text-secondary": "#8fb4e8"},
)
LIGHT = Theme(
    name="moby-light",
    primary="#0b63c5",
    secondary="#4d5f80",
    accent="#00797a",
    foreground="#16202f",
    background="#f5f8fc",
    surface="#ffffff",
    panel="#e4ecf6",
    boost="#dae5f3",
    success="#11804b",
    warning="#96620a",
    error="#c2263c",
    dark=False,
    variables={"text-muted": "#5d6c84", "border": "#b9c9de", "footer-key-foreground": "#0b63c5", "text-secondary": "#2b5a9b"},
)
#: Black, white and three colours that are told apart by their lightness too; ratio of text to ground at least 7 (WCAG 2.2, 1.4.6).
CONTRAST = Theme(
    name="moby-contrast",
    primary="#ffd700",
    secondary="#ffffff",
    accent="#00ffff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    boost="#303030",
    success="#5fff5f",
    warning="#ffd75f",
    error="#ff8787",
    dark=True,
    variables={"text-muted": "#d0d0d0", "border": "#ffffff", "footer-key-foreground": "#ffd700", "text-secondary": "#ffffff"},
)


class Colourless(Monochrome):
    """Textual's filter for ``NO_COLOR``, which fails on text without a style."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return super().apply([Segment(text, style or Style.null(), control) for text, style, control in segments], background)


def ink(variables: Mapping[str, str], name: str) -> str:
    """A colour of the theme as Rich takes it; one that is relative to its ground is the text's."""
    value = variables.get(name, "")
    if not value.startswith(("#", "ansi_")):
        value = variables.get("foreground", "")
    return value.removeprefix("ansi_")
