"""Which values options take, in the words in which docker's command line refuses others (Go's strconv, docker's types of flags)."""

from __future__ import annotations

import json

from moby_tui.errors import InvalidArgument

_DIGITS = {"0b": 2, "0o": 8, "0x": 16}


def quoted(text: str) -> str:
    """The text as Go's ``%q`` writes it."""
    return json.dumps(text, ensure_ascii=False)


def number(text: str, bits: int = 64, *, signed: bool = True) -> int:
    """The number that Go's ``ParseInt`` or ``ParseUint`` reads, base 0. Raises ``ValueError`` with its message."""
    function = "ParseInt" if signed else "ParseUint"
    try:
        value = _integer(text, signed=signed)
    except ValueError:
        raise ValueError(f"strconv.{function}: parsing {quoted(text)}: invalid syntax") from None
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= value <= high:
        raise ValueError(f"strconv.{function}: parsing {quoted(text)}: value out of range")
    return value


def _integer(text: str, *, signed: bool) -> int:
    digits = text[1:] if signed and text[:1] in ("+", "-") and len(text) > 1 else text
    if not digits.isascii() or not digits[:1].isdigit():
        raise ValueError(text)
    base = _DIGITS.get(digits[:2].lower())
    value = int(digits[2:], base) if base else int(digits, 8 if len(digits) > 1 and digits[0] == "0" else 10)
    return -value if text[0] == "-" else value


def size(text: str) -> None:
    """Raises ``ValueError``, in the words of go-units, for what is no size."""
    from moby_tui.cli.values.units import parse_size

    try:
        parse_size(text)
    except InvalidArgument:
        raise ValueError(_problem_of_size(text)) from None


def _problem_of_size(text: str) -> str:
    end = max((place for place, letter in enumerate(text) if letter in "0123456789. "), default=-1) + 1
    digits, suffix = text[:end].rstrip(" "), text[end:]
    if not end:
        return f"invalid size: '{text}'"
    if digits.count(".") > 1 or not digits.strip("."):
        return f"strconv.ParseFloat: parsing {quoted(digits)}: invalid syntax"
    if digits.startswith("-") or not digits[:1].isdigit():
        return f"invalid size: '{text}'"
    return f"invalid suffix: '{suffix.lower()}'"


def swap(text: str) -> None:
    if text != "-1":
        size(text)


def cpus(text: str) -> None:
    from fractions import Fraction

    try:
        billionths = Fraction(text) * 10**9
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"failed to parse {text} as a rational number") from None
    if billionths.denominator != 1:
        raise ValueError("value is too precise")


def duration(text: str) -> None:
    from moby_tui.cli.values.units import parse_nanoseconds

    try:
        parse_nanoseconds(text)
    except InvalidArgument:
        missing = text.lstrip("+-").replace(".", "", 1).isdecimal()
        problem = "missing unit in duration" if missing else "invalid duration"
        raise ValueError(f"time: {problem} {quoted(text)}") from None
