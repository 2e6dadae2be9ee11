"""Docker's functions in ``--format``, beside Go's own."""

from __future__ import annotations

from moby_tui.templates.functions import Function, FunctionFailed
from moby_tui.templates.values import Slice, to_json

#: The widest line of a table.
_WIDEST = 16 * 2**20


def _split(text: str, separator: str) -> Slice:
    return Slice(text.split(separator) if separator else list(text), "[]string")


def _join(items: Slice, separator: str) -> str:
    return separator.join(items)


def _title(text: str) -> str:
    """Every word's first letter a capital, the others as they are."""
    inside = False
    letters = []
    for letter in text:
        letters.append(letter if inside else letter.title())
        inside = letter.isalnum() or letter == "_" or not (letter.isascii() or letter.isspace())
    return "".join(letters)


def _pad(text: str, before: int, after: int) -> str:
    if not text:
        return text
    if before < 0 or after < 0:
        raise FunctionFailed("strings: negative Repeat count")
    if before + after > _WIDEST:
        raise FunctionFailed(f"more than {_WIDEST} blanks")
    return " " * before + text + " " * after


def _truncate(text: str, length: int) -> str:
    data = text.encode("utf-8", "surrogateescape")
    if length < 0:
        raise FunctionFailed(f"runtime error: slice bounds out of range [:{length}]")
    return text if len(data) < length else data[:length].decode("utf-8", "surrogateescape")


FUNCTIONS: dict[str, Function] = {
    "json": Function(to_json, ("",)),
    "split": Function(_split, ("string", "string")),
    "join": Function(_join, ("[]string", "string")),
    "title": Function(_title, ("string",)),
    "lower": Function(str.lower, ("string",)),
    "upper": Function(str.upper, ("string",)),
    "pad": Function(_pad, ("string", "int", "int")),
    "truncate": Function(_truncate, ("string", "int")),
}


def _heading(text: str, *_: object) -> str:
    return text


#: The functions in the line of headings: each returns the column's name unchanged.
HEADING_FUNCTIONS: dict[str, Function] = {
    "json": Function(_heading, ("string",)),
    "split": Function(_heading, ("string", "string")),
    "join": Function(_heading, ("string", "string")),
    "title": Function(_heading, ("string",)),
    "lower": Function(_heading, ("string",)),
    "upper": Function(_heading, ("string",)),
    "truncate": Function(_heading, ("string", "int")),
}
