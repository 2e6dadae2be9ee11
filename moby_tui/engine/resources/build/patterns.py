"""File patterns: Go's ``path.Match`` for COPY and ADD, and the rules of ``.dockerignore`` on top of it.

https://pkg.go.dev/path#Match, https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from moby_tui.errors import InvalidArgument

_META = frozenset("*?[\\")


def has_wildcard(text: str) -> bool:
    return not _META.isdisjoint(text)


def component(pattern: str) -> re.Pattern[str]:
    """A pattern of one name. Raises ``InvalidArgument``."""
    return _compile(pattern, _expression(pattern))


def _compile(pattern: str, expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression, re.DOTALL)
    except re.error:
        raise InvalidArgument(f"invalid pattern {pattern[:80]!r}: a character class is wrong") from None


def _expression(pattern: str) -> str:
    parts, i = list[str](), 0
    while i < len(pattern):
        char = pattern[i]
        i += 1
        if char == "*":
            parts.append("[^/]*")
        elif char == "?":
            parts.append("[^/]")
        elif char == "[":
            end = pattern.find("]", i + (2 if pattern[i : i + 1] == "^" else 1))
            if end < 0:
                raise InvalidArgument(f"invalid pattern {pattern[:80]!r}: a bracket is not closed")
            negated, inner = ("^", pattern[i + 1 : end]) if pattern[i] == "^" else ("", pattern[i:end])
            parts.append(f"[{negated}{re.escape(inner).replace(chr(92) + '-', '-')}]")
            i = end + 1
        elif char == "\\":
            if i == len(pattern):
                raise InvalidArgument(f"invalid pattern {pattern[:80]!r}: it ends in an escape")
            parts.append(re.escape(pattern[i]))
            i += 1
        else:
            parts.append(re.escape(char))
    return "".join(parts)


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    excludes: bool


class Ignore:
    """A ``.dockerignore``: the last pattern that matches decides. Raises ``InvalidArgument`` for a bad one."""

    def __init__(self, text: str) -> None:
        self._rules: list[_Rule] = []
        for raw in text.removeprefix("\ufeff").splitlines():
            line = raw.strip()
            if line and not raw.startswith("#"):
                pattern = posixpath.normpath(line.removeprefix("!").strip()).lstrip("/")
                if pattern != ".":
                    self._rules.append(_Rule(_compile(pattern, _tree_expression(pattern)), not line.startswith("!")))
        self.has_exceptions = any(not rule.excludes for rule in self._rules)

    def excludes(self, path: str) -> bool:
        """Whether a path, relative to the context, is left out."""
        return next((rule.excludes for rule in reversed(self._rules) if rule.pattern.fullmatch(path)), False)


def _tree_expression(pattern: str) -> str:
    """``**`` is any number of folders; what a pattern names it names with all that is below."""
    parts = []
    for part in pattern.split("/"):
        parts.append("(?:.*/)?" if part == "**" else _expression(part).replace("[^/]*[^/]*", ".*") + "/")
    whole = "".join(parts)
    whole = whole[:-1] if whole.endswith("/") else whole.removesuffix("(?:.*/)?") + ".*"
    return whole + "(?:/.*)?"
