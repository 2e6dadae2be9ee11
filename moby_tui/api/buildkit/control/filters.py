"""Filters of a list's records, in containerd's language (containerd, filters): selectors joined by commas, all of which have to match.

``field==value``, ``field!=value``, ``field~=expression`` and ``field`` alone, which asks whether the record has it.
"""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from moby_tui.errors import InvalidArgument
from moby_tui.expressions import compile_expression

#: A field's value; None if the record does not have it.
Look = Callable[[str], str | None]
Matches = Callable[[Look], bool]
#: A number that is compared: of seconds since 1970, or of seconds.
LookNumber = Callable[[str], float]

_SELECTOR = re.compile(r'([A-Za-z][\w.-]*)(?:(==|!=|~=)("(?:[^"\\]|\\.)*"|[^",]*))?(?:,|$)')
_ESCAPED = re.compile(r"\\(.)")
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|us|\u00b5s|ns|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "\u00b5s": 1e-6, "ns": 1e-9}
_COMPARED = re.compile(r"(\w+)(>=|<=|>|<)(.*)")
_TIMES = ("startedAt", "completedAt")


def any_of(filters: Iterable[str]) -> Matches:
    """True for what one of the filters matches, and for all if there are none. Raises ``InvalidArgument``."""
    parsed = [_parsed(text) for text in filters if text]
    return lambda look: not parsed or any(all(selector(look) for selector in selectors) for selectors in parsed)


def any_of_builds(filters: Iterable[str], known: Iterable[str]) -> Callable[[Look, LookNumber], bool]:
    """The same for records of builds, whose times and durations are compared too (``duration>1s``). ``known`` are the other fields."""
    parsed = [_parsed_with_times(text, frozenset(known)) for text in filters if text]

    def matches(look: Look, number: LookNumber) -> bool:
        return not parsed or any(own(look) and all(compare(number) for compare in compared) for own, compared in parsed)

    return matches


def _parsed(text: str) -> list[Matches]:
    conditions, at = list[Matches](), 0
    while at < len(text):
        selector = _SELECTOR.match(text, at)
        if selector is None:
            raise InvalidArgument(f"invalid filter {text[:80]!r}: write field==value, field!=value, field~=expression or field")
        conditions.append(_selector(*selector.groups(default="")))
        at = selector.end()
    return conditions


def _selector(field: str, operator: str, value: str) -> Matches:
    if value.startswith('"'):
        value = _ESCAPED.sub(r"\1", value[1:-1])
    if operator == "==":
        return lambda look: look(field) == value
    if operator == "!=":
        return lambda look: (look(field) or "") != value
    if not operator:
        return lambda look: look(field) is not None
    try:
        expression = compile_expression(value)
    except ValueError as error:
        raise InvalidArgument(f"invalid filter: {error}") from None
    return lambda look: expression.search(look(field) or "") is not None


def _parsed_with_times(text: str, known: frozenset[str]) -> tuple[Matches, list[Callable[[LookNumber], bool]]]:
    try:
        fields = [field for row in csv.reader([text], strict=True) for field in row]
    except csv.Error as error:
        raise InvalidArgument(f"invalid filter {text[:80]!r}: {error}") from None
    compared = [match for field in fields if (match := _COMPARED.fullmatch(field)) and match[1] not in known]
    rest = [field for field in fields if not any(match[0] == field for match in compared)]
    return any_of([",".join(rest)]), [_comparison(*match.groups()) for match in compared]


def _comparison(field: str, operator: str, text: str) -> Callable[[LookNumber], bool]:
    if field not in (*_TIMES, "duration"):
        raise InvalidArgument(f"invalid filter {field[:40]!r}: only {', '.join((*_TIMES, 'duration'))} are compared")
    limit = _moment(text) if field in _TIMES else _seconds(text)
    if limit is None:
        raise InvalidArgument(f"invalid filter {field}{operator}{text[:40]}: write a duration (1h30m), or a time as in RFC 3339")
    return {
        ">=": lambda look: look(field) >= limit,
        "<=": lambda look: look(field) <= limit,
        ">": lambda look: look(field) > limit,
        "<": lambda look: look(field) < limit,
    }[operator]


def _moment(text: str) -> float | None:
    """A time, or how long ago it was."""
    if (seconds := _seconds(text)) is not None:
        return time.time() - seconds
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _seconds(text: str) -> float | None:
    """A duration as Go writes it."""
    if text == "0":
        return 0.0
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
