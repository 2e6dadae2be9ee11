"""The colours of the dashboard's own themes, as they are declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict


class Colours(TypedDict):
    """Those that every theme has, by Textual's names."""

    primary: str
    secondary: str
    accent: str
    foreground: str
    background: str
    surface: str
    panel: str
    boost: str
    success: str
    warning: str
    error: str


@dataclass(frozen=True, slots=True)
class Palette:
    """``variables`` stand in the place of what Textual would make of the colours."""

    colours: Colours
    variables: Mapping[str, str]
    dark: bool = True

    def all(self) -> dict[str, str]:
        """Colours and variables by their names."""
        return {**{name: str(colour) for name, colour in self.colours.items()}, **self.variables}


_DARK = Palette(
    {
        "primary": "#4aa8ff",
        "secondary": "#8b9dc3",
        "accent": "#3ddbd9",
        "foreground": "#d7e0ee",
        "background": "#0b1220",
        "surface": "#0f1829",
        "panel": "#152238",
        "boost": "#1b2b45",
        "success": "#3fd28b",
        "warning": "#f2b84b",
        "error": "#ff6b7a",
    },
    {"text-muted": "#7586a3", "border": "#26395a", "footer-key-foreground": "#4aa8ff", "text-secondary": "#8fb4e8"},
)
_LIGHT = Palette(
    {
        "primary": "#0b63c5",
        "secondary": "#4d5f80",
        "accent": "#00797a",
        "foreground": "#16202f",
        "background": "#f5f8fc",
        "surface": "#ffffff",
        "panel": "#e4ecf6",
        "boost": "#dae5f3",
        "success": "#11804b",
        "warning": "#96620a",
        "error": "#c2263c",
    },
    {"text-muted": "#5d6c84", "border": "#b9c9de", "footer-key-foreground": "#0b63c5", "text-secondary": "#2b5a9b"},
    dark=False,
)
#: Black, white and three colours that are told apart by their lightness too; ratio of text to ground at least 7 (WCAG 2.2, 1.4.6).
_CONTRAST = Palette(
    {
        "primary": "#ffd700",
        "secondary": "#ffffff",
        "accent": "#00ffff",
        "foreground": "#ffffff",
        "background": "#000000",
        "surface": "#000000",
        "panel": "#1c1c1c",
        "boost": "#303030",
        "success": "#5fff5f",
        "warning": "#ffd75f",
        "error": "#ff8787",
    },
    {
        "text-muted": "#d0d0d0",
        "border": "#ffffff",
        "footer-key-foreground": "#ffd700",
        "text-secondary": "#ffffff",
        "text-disabled": "#d0d0d0",
        "input-selection-background": "#004f8f",
    },
)
#: By the names of the themes. The first is that of a dashboard for which none was chosen.
PALETTES: dict[str, Palette] = {"moby-dark": _DARK, "moby-light": _LIGHT, "moby-contrast": _CONTRAST}


def ink(variables: Mapping[str, str], name: str) -> str:
    """A colour of the theme as Rich takes it; one that is relative to its ground is the text's."""
    value = variables.get(name, "")
    if not value.startswith(("#", "ansi_")):
        value = variables.get("foreground", "")
    return value.removeprefix("ansi_")
