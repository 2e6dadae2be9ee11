"""The values of templates: Python's own, and classes for values of Go that Python lacks.

``None`` is Go's nil in an interface. ``bool``, ``int``, ``float``, ``str``, ``list`` and ``dict`` are what JSON makes of them; the
classes here say what JSON does not: structs, nil pointers, nil slices and maps, and what a map has for a key that it lacks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from moby_tui.templates.floats import json_float


class Missing:
    """Go's invalid value: what a map gives for a key that it lacks."""

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()


def known(value: Any) -> Any:
    """What a function of any type is given for a value that is missing."""
    return None if value is MISSING else value


class NilPointer:
    """A nil pointer to a struct or value of this type."""

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name

    def __bool__(self) -> bool:
        return False


class Number(str):
    """A number as JSON has it, unread (Go's ``json.Number``, which is a string)."""


class Time(str):
    """A moment in RFC 3339; printed as Go prints a ``time.Time``."""

    def go_text(self) -> str:
        date, _, clock = self.partition("T")
        zone = clock.endswith("Z")
        offset = "+0000 UTC" if zone else f"{clock[-6:].replace(':', '')} {clock[-6:].replace(':', '')}"
        clock = clock[:-1] if zone else clock[:-6]
        whole, dot, fraction = clock.partition(".")
        fraction = fraction.rstrip("0")
        return f"{date} {whole}{dot if fraction else ''}{fraction} {offset}"


class NamedInteger(int):
    """An integer of a Go type of its own, which Go prints by its ``String`` method."""

    type_name = "int"

    def go_text(self) -> str:
        raise NotImplementedError


class Month(NamedInteger):
    """``time.Month``: January is 1."""

    type_name = "time.Month"

    def go_text(self) -> str:
        return _MONTHS[self - 1]


class Weekday(NamedInteger):
    """``time.Weekday``: Sunday is 0."""

    type_name = "time.Weekday"

    def go_text(self) -> str:
        return _WEEKDAYS[self]


class Duration(NamedInteger):
    """``time.Duration``: nanoseconds, printed as ``1h2m3.5s``."""

    type_name = "time.Duration"

    def go_text(self) -> str:
        sign, rest = "-" if self < 0 else "", abs(self)
        if rest < 10**9:
            for unit, name in ((10**6, "ms"), (10**3, "µs"), (1, "ns")):
                if rest >= unit:
                    return f"{sign}{_decimal(rest, unit)}{name}"
            return "0s"
        minutes, nanoseconds = divmod(rest, 60 * 10**9)
        text = f"{_decimal(nanoseconds, 10**9)}s"
        if minutes:
            text = f"{minutes % 60}m{text}"
        return sign + (f"{minutes // 60}h{text}" if minutes >= 60 else text)


def _decimal(value: int, unit: int) -> str:
    """The quotient in decimals, without zeros at its end; ``unit`` is a power of ten."""
    whole, rest = divmod(value, unit)
    digits = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


_MONTHS = tuple(
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
)
_WEEKDAYS = tuple(["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"])


class Slice(list[Any]):
    """A list whose Go type is known; None stands for one that is nil."""

    def __init__(self, items: list[Any] | None, type_name: str) -> None:
        super().__init__(items or ())
        self.is_nil, self.type_name = items is None, type_name


class Map(dict[str, Any]):
    """A map whose Go type is known; ``zero`` is what ``index`` gives for a key that it lacks."""

    def __init__(self, items: Mapping[str, Any] | None, type_name: str, zero: Any = None) -> None:
        super().__init__(items or {})
        self.is_nil, self.type_name, self.zero = items is None, type_name, zero


class Struct:
    """A Go struct: fields in their order, by Go's names, and methods.

    ``json_names`` says what a field is called in JSON where that differs, or None if it is left out. ``escapes_html``: its own
    encoder in Go escapes what HTML reads, whatever the one does that has called it.
    """

    def __init__(
        self,
        type_name: str,
        fields: Mapping[str, Any],
        *,
        methods: Mapping[str, Callable[..., Any]] | None = None,
        json_names: Mapping[str, str | None] | None = None,
        pointer: bool = False,
        escapes_html: bool = False,
    ) -> None:
        self.name, self.fields, self.methods = type_name, dict(fields), methods or {}
        self.json_names, self.pointer, self.escapes_html = json_names or {}, pointer, escapes_html

    @property
    def type_name(self) -> str:
        return f"*{self.name}" if self.pointer else self.name

    def to_json(self) -> dict[str, Any]:
        named = ((self.json_names.get(name, name), value) for name, value in self.fields.items())
        return {name: value for name, value in named if name is not None and not isinstance(value, Missing)}


def type_name(value: Any) -> str:
    """Go's name of the value's type."""
    named = getattr(value, "type_name", None)
    if named is not None:
        return str(named)
    for kind, name in _TYPES:
        if isinstance(value, kind):
            return name
    return "interface {}" if value is None or value is MISSING else type(value).__name__


_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (int, "int"),  # a NamedInteger has said its own
    (float, "float64"),
    (Number, "json.Number"),
    (Time, "time.Time"),
    (str, "string"),
    (list, "[]interface {}"),
    (dict, "map[string]interface {}"),
)


def is_true(value: Any) -> bool:
    """Whether Go's templates take it for true: not for false, zero, nil, nor for what is empty. A struct is always true."""
    return True if isinstance(value, Struct) else bool(value) and value is not MISSING


def to_json(value: Any) -> str:
    """The value as Go's encoder writes it (without the escapes meant for HTML): a struct in the order of its fields, a map by its keys."""
    if isinstance(value, (Missing, NilPointer)) or value is None:
        return "null"
    if isinstance(value, Struct):
        text = _object(value.to_json().items())
        return html_escaped(text) if value.escapes_html else text
    if isinstance(value, dict):
        return "null" if getattr(value, "is_nil", False) else _object(sorted(value.items()))
    if isinstance(value, list):
        return "null" if getattr(value, "is_nil", False) else "[" + ",".join(map(to_json, value)) + "]"
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, float):
        return json_float(value)
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def html_escaped(document: str) -> str:
    """A document of JSON without ``<``, ``>`` and ``&``, as Go's ``json.Marshal`` writes it."""
    return document.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _object(items: Any) -> str:
    return "{" + ",".join(f"{_text(name)}:{to_json(value)}" for name, value in items) + "}"


def _text(text: str) -> str:
    """As Go's encoder: what is no UTF-8 becomes U+FFFD, and the two line separators of Unicode are escaped."""
    valid = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if not text.isascii() else text
    return json.dumps(valid, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
