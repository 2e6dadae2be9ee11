"""The style sheet of the dashboard: what was parsed once stays parsed until the theme changes."""

from __future__ import annotations

from textual.cache import LRUCache
from textual.css.model import RuleSet
from textual.css.stylesheet import CssSource, Stylesheet, StylesheetErrors, StylesheetParseError
from textual.css.types import CSSLocation

#: More than there are sources: our files, and the default styles of each class of widget.
SOURCES = 1024


class KeptStylesheet(Stylesheet):
    """Textual's own keeps 64 parsed sources, fewer than there are, and so parses all of them again for each new class of widget and
    each new page. It also gathers all rules anew for each; here those of a new source are added to the others.
    """

    def __init__(self, *, variables: dict[str, str] | None = None) -> None:
        super().__init__(variables=variables)
        self._parse_cache = LRUCache(SOURCES)
        #: The sources of which the rules are gathered, in their order.
        self._gathered: list[tuple[CSSLocation, CssSource]] = []
        self._map: dict[str, list[RuleSet]] = {}

    def set_variables(self, variables: dict[str, str]) -> None:
        """Drops what was parsed with other values of the variables."""
        if variables != self._variables:
            super().set_variables(variables)
            self._gathered.clear()

    def reparse(self) -> None:
        """Parses what is new, or all if the variables have changed since. Raises ``StylesheetParseError``; the rules stay as they were."""
        self.parse()

    def parse(self) -> None:
        """Adds the rules of new sources; gathers all anew if others have changed. Raises ``StylesheetParseError``."""
        sources = list(self.source.items())
        known = len(self._gathered)
        if not known or sources[:known] != self._gathered or self._invalid_css:
            self._gathered.clear()
            super().parse()
            self._map = {}
            self._add_to_map(self._rules)
        else:
            rules = [rule for place, source in sources[known:] for rule in self._rules_of(place, source)]
            self._rules = [*self._rules, *rules]
            self._add_to_map(rules)
        self._gathered = sources
        self._require_parse = False

    def _rules_of(self, place: CSSLocation, source: CssSource) -> list[RuleSet]:
        """The rules of one source."""
        rules = self._parse_rules(source.content, place, source.is_defaults, source.tie_breaker, source.scope)
        if any(rule.errors for rule in rules):
            self._invalid_css.add(source.content)
            raise StylesheetParseError(StylesheetErrors(rules))
        return rules

    def _add_to_map(self, rules: list[RuleSet]) -> None:
        for rule in rules:
            for name in rule.selector_names:
                self._map.setdefault(name, []).append(rule)

    @property
    def rules_map(self) -> dict[str, list[RuleSet]]:
        """The rules by the names in their selectors."""
        if self._require_parse:
            self.parse()
        return self._map
