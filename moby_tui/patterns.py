"""File patterns: Go's ``path.Match`` for COPY and ADD, and the rules of ``.dockerignore`` on top of it.

https://pkg.go.dev/path#Match, https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from moby_tui.errors import InvalidArgument

_META = frozenset("*?[\\")
#: Two stars, with the slash after them; the first may not stand behind an escape.
_DEEP = re.compile(r"(?<!\\)\*\*/?")


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
    """What stands between two stars is looked for once, and the first that is found is taken (an atomic group): any later one would leave
    less for the rest. So no pattern makes a match take more than the square of the path's length."""
    pieces, i = [""], 0
    while i < len(pattern):
        char = pattern[i]
        i += 1
        if char == "*":
            pieces.append("")
        elif char == "?":
            pieces[-1] += "[^/]"
        elif char == "[":
            expression, i = _class(pattern, i)
            pieces[-1] += expression
        elif char == "\\":
            if i == len(pattern):
                raise InvalidArgument(f"invalid pattern {pattern[:80]!r}: it ends in an escape")
            pieces[-1] += re.escape(pattern[i])
            i += 1
        else:
            pieces[-1] += re.escape(char)
    first, *others = pieces
    between = "".join(f"(?>[^/]*?{piece})" for piece in others[:-1])
    return first + between + (f"[^/]*{others[-1]}" if others else "")


def _class(pattern: str, i: int) -> tuple[str, int]:
    """What stands between brackets, and where it ends: characters and ranges, any of them behind an escape; ``^`` is all others."""
    negated = pattern[i : i + 1] == "^"
    i += negated
    ranges, first = list[str](), True
    while first or pattern[i : i + 1] != "]":
        low, i = _member(pattern, i)
        high = low
        if pattern[i : i + 1] == "-":
            high, i = _member(pattern, i + 1)
        if low <= high:  # none is in a range that runs backwards
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        first = False
    inner = "".join(ranges)
    if negated:
        return f"[^/{inner}]", i + 1
    return f"(?!/)[{inner}]" if inner else "(?!)", i + 1


def _member(pattern: str, i: int) -> tuple[str, int]:
    if pattern[i : i + 1] == "\\":
        i += 1
    elif pattern[i : i + 1] in ("-", "]"):
        raise InvalidArgument(f"invalid pattern {pattern[:80]!r}: a character class is wrong")
    if i >= len(pattern) - 1:
        raise InvalidArgument(f"invalid pattern {pattern[:80]!r}: a bracket is not closed")
    return pattern[i], i + 1


class _Matcher(Protocol):
    def fullmatch(self, path: str, /) -> object: ...


class _Places:
    """A pattern with ``**`` behind a part of a name, as in ``a**b**c``, matched by all the places in the path that it can have come to.

    An expression would look at every way to share the path among the stars. A set of places is a number, whose bit ``i`` is the place
    before the character ``i``: a match takes the pattern's length times the path's.
    """

    def __init__(self, pattern: str) -> None:
        self._steps = list(_steps(pattern))

    def fullmatch(self, path: str) -> bool:
        slashes = _bits(path, re.compile("/"))
        names = (1 << len(path)) - 1 & ~slashes
        places = 1
        for step in self._steps:
            if isinstance(step, re.Pattern):
                places = (places & _bits(path, step)) << 1
            elif step == "*":
                places = _spread(places, names)
            elif step == "**/":
                places |= (slashes & -(places & -places)) << 1
            else:
                return places != 0
        return places & (slashes | 1 << len(path)) != 0


def _steps(pattern: str) -> Iterator[re.Pattern[str] | str]:
    """One character each, ``*``, ``**/`` for any number of folders, and ``**`` for all that comes."""
    i = 0
    while i < len(pattern):
        if deep := _DEEP.match(pattern, i):
            i = deep.end()
            yield "**/" if i < len(pattern) else "**"
        elif pattern[i] == "*":
            i += 1
            yield "*"
        else:
            end = i + 1
            if pattern[i] == "[":
                _, end = _class(pattern, end)
            elif pattern[i] == "\\":
                end += 1
            yield component(pattern[i:end])
            i = end


def _bits(path: str, character: re.Pattern[str]) -> int:
    matching = {each for each in set(path) if character.fullmatch(each)}
    return int("".join("1" if each in matching else "0" for each in reversed(path)) or "0", 2)


def _spread(places: int, through: int) -> int:
    """The places that can be come to over characters of ``through``: one step, then two, then four."""
    distance = 1
    while through:
        places |= (places & through) << distance
        through &= through >> distance
        distance *= 2
    return places


@dataclass(frozen=True)
class _Rule:
    pattern: _Matcher
    excludes: bool


class Ignore:
    """A ``.dockerignore``: the last pattern that matches decides. Raises ``InvalidArgument`` for a bad one."""

    def __init__(self, text: str) -> None:
        self._rules: list[_Rule] = []
        #: the lines that are patterns
        self.patterns: list[str] = []
        for raw in text.removeprefix("\ufeff").split("\n"):
            line = raw.strip()
            if not line or raw.startswith("#"):
                continue
            if line == "!":
                raise InvalidArgument("illegal exclusion pattern: '!'; write what is not to be left out after it")
            pattern = posixpath.normpath(line.removeprefix("!").strip()).lstrip("/")
            if pattern not in (".", ""):
                self.patterns.append(pattern if not line.startswith("!") else f"!{pattern}")
                self._rules.append(_Rule(_tree(pattern), not line.startswith("!")))
        self.has_exceptions = any(not rule.excludes for rule in self._rules)

    def excludes(self, path: str) -> bool:
        """Whether a path, relative to the context, is left out."""
        return next((rule.excludes for rule in reversed(self._rules) if rule.pattern.fullmatch(path)), False)


def _tree(pattern: str) -> _Matcher:
    """Matches what a pattern matches, and everything below it. ``**`` stands for any number of folders; at the end, for any path."""
    parts: list[str] = []
    rest = pattern
    if rest.startswith("**") and not rest.startswith("**/") and not has_wildcard(rest[2:]):
        # anything that ends so, as in **.go
        parts, rest = [".*"], rest[2:]
    *before, last = _DEEP.split(rest)
    if any(piece and not piece.endswith("/") for piece in before[1:]):
        _expression(rest)  # refuses what is no pattern
        return _Places(rest)
    for number, piece in enumerate(before):
        expression = _expression(piece)
        parts.append(f"(?>(?:.*?/)??{expression})" if number else expression)
    if before:
        parts.append("(?:.*/)?" if last else ".*")
    return _compile(pattern, "".join(parts) + _expression(last) + "(?:/.*)?")
