"""The fields of a structured log line: a JSON object, or logfmt (``key=value key="two words"``)."""

from __future__ import annotations

import re
from typing import Any

import msgspec

#: Nested objects are told with dots (``http.status``) down to this depth.
_DEPTH = 6
_PAIR = re.compile(r'(?:^|(?<=\s))([A-Za-z_@][\w.@/-]*)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
_ESCAPED = re.compile(r"\\(.)")
_MESSAGES = ("msg", "message", "log", "event", "text")


def fields(line: str) -> dict[str, str]:
    """Names and values, empty for a line without any. What stands before a JSON object is passed over."""
    begin = line.find("{")
    if begin >= 0 and line.rstrip().endswith("}"):
        try:
            document = msgspec.json.decode(line[begin:])
        except (msgspec.DecodeError, RecursionError):
            document = None
        if isinstance(document, dict):
            values: dict[str, str] = {}
            _flatten("", document, values, 0)
            return values
    return {
        name: _ESCAPED.sub(r"\1", quoted) if quoted else bare
        for name, quoted, bare in _PAIR.findall(line)
    }  # fmt: skip


def message(found: dict[str, str]) -> str:
    """The field that is the text of the line; empty if no field is known to be."""
    return next((found[name] for name in _MESSAGES if found.get(name)), "")


def _flatten(prefix: str, document: dict[str, Any], found: dict[str, str], depth: int) -> None:
    for key, value in document.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and depth < _DEPTH:
            _flatten(f"{name}.", value, found, depth + 1)
        else:
            found[name] = _as_text(value)


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except (RecursionError, msgspec.MsgspecError):
        return "…"
