"""The dashboard's own two themes; all of Textual's are there too (ctrl+p, "theme")."""

from __future__ import annotations

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
