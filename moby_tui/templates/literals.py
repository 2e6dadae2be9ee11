"""Constants as Go writes them: strings, characters and numbers."""

from __future__ import annotations

import re

from moby_tui.templates.quoting import go_quote

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)
_NAMED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"'}
_NUMBER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(r"[+-]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?")


def unquote(quoted: str) -> str:
    """The string in quotes of either kind. Raises ``ValueError`` for an escape that does not exist."""
    if quoted.startswith("`"):
        return quoted[1:-1].replace("\r", "")
    raw = bytearray()
    position = 0
    body = quoted[1:-1]
    for match in _ESCAPE.finditer(body):
        raw += body[position : match.start()].encode("utf-8", "surrogateescape")
        raw += _escape(match, quoted[0])
        position = match.end()
    raw += body[position:].encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "surrogateescape")


def _escape(match: re.Match[str], quote: str) -> bytes:
    byte, short, long, octal, named = match.groups()
    if byte or octal:
        number = int(byte, 16) if byte else int(octal, 8)
        if number > 255:
            raise ValueError("invalid syntax")
        return bytes([number])
    if short or long:
        return chr(int(short or long, 16)).encode("utf-8")
    if named not in _NAMED or (named in "'\"" and named != quote):
        raise ValueError("invalid syntax")
    return _NAMED[named].encode()


def number(text: str) -> int | float:
    """An integer or a float. Raises ``ValueError``."""
    if _NUMBER.fullmatch(text):
        digits = text.replace("_", "")
        if re.fullmatch(r"[+-]?0[0-7]+", digits):
            return int(digits, 8)
        whole = int(digits, 0)
        if not -(2**63) <= whole < 2**63:
            raise ValueError(f"integer overflow: {go_quote(text)}")
        return whole
    if _FLOAT.fullmatch(text):
        value = float(text.replace("_", ""))
        if value in (float("inf"), float("-inf")):
            raise ValueError(f"illegal number syntax: {go_quote(text)}")
        return value
    if re.fullmatch(r"[+-]?0[xX][0-9a-fA-F_]*\.?[0-9a-fA-F_]*[pP][+-]?[0-9]+", text):
        return float.fromhex(text.replace("_", ""))
    valid = _NUMBER.match(text) or _FLOAT.match(text)
    raise ValueError(f"bad number syntax: {go_quote(text[: valid.end() + 1] if valid else text)}")
