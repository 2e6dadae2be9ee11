"""The style sheet of the dashboard: what was parsed once stays parsed until the theme changes."""

from __future__ import annotations

from textual.cache import LRUCache
from textual.css.stylesheet import Stylesheet

#: More than there are sources: our files, and the default styles of each class of widget.
SOURCES = 1024


class KeptStylesheet(Stylesheet):
    """Textual's own keeps 64 parsed sources, fewer than there are, and so parses all of them again for each new class of widget and
    each new page.
    """

    def __init__(self, *, variables: dict[str, str] | None = None) -> None:
        super().__init__(variables=variables)
        self._parse_cache = LRUCache(SOURCES)

    def set_variables(self, variables: dict[str, str]) -> None:
        """Drops what was parsed with other values of the variables."""
        if variables != self._variables:
            super().set_variables(variables)

    def reparse(self) -> None:
        """Parses what is new, or all if the variables have changed since. Raises ``StylesheetParseError``; the rules stay as they were."""
        self.parse()
