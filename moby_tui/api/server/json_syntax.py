"""What is wrong with text that is not JSON, in the words of the Docker Engine's decoder: users and scripts look these up."""

from __future__ import annotations

import re

_SPACE = re.compile(r"[ \t\r\n]*")
_WORDS = {"t": "true", "f": "false", "n": "null"}
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
#: A part of a number, and whether it must be there (RFC 8259, section 6).
_NUMBER = tuple(map(re.compile, (r"-?(?:0|[1-9][0-9]*)", r"(?:\.[0-9]+)?", r"(?:[eE][+-]?[0-9]+)?")))
_DIGITS_BEGIN = re.compile(r"-|\.|[eE][+-]?")
_END = "unexpected EOF"
_DEEPEST = 10_000
_CLOSING = {"{": "}", "[": "]"}
#: Bytes that are not UTF-8, as ``surrogateescape`` has them (PEP 383).
_BYTES = range(0xDC80, 0xDD00)
_NAMES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", "\\": "\\\\", "'": "\\'"}


class _Malformed(Exception):
    """Its text says what is wrong."""


def complaint(text: str) -> str:
    """The first violation of the grammar, by its character and what was expected there; empty for a whole document."""
    try:
        return _Reader(text).document()
    except _Malformed as error:
        return str(error)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def document(self) -> str:
        """Reads one value, whatever follows it. The brackets that are open are kept in a list: depth is up to the client."""
        opened: list[str] = []
        begun = self._value(opened)
        while opened:
            if len(opened) > _DEEPEST:
                raise _Malformed("exceeded max depth")
            begun = self._next(opened, begun)
        return ""

    def _value(self, opened: list[str]) -> bool:
        """Reads a value, of an object or array its bracket only, for which it returns True."""
        first = self._peek()
        if first in _CLOSING:
            self._at += 1
            opened.append(first)
            return True
        if first == '"':
            self._string()
        elif first in _WORDS:
            self._word(_WORDS[first])
        elif first == "-" or first in "0123456789":
            self._number()
        else:
            raise self._unexpected("looking for beginning of value")
        return False

    def _next(self, opened: list[str], begun: bool) -> bool:
        """Reads on in an object or array, which has no value yet if it has only ``begun``: to the next value, or its end."""
        within = opened[-1]
        if not (begun and self._peek() != _CLOSING[within]):
            self._expect({",", _CLOSING[within]}, "after object key:value pair" if within == "{" else "after array element")
            if self._text[self._at - 1] != ",":
                opened.pop()
                return False
        if within == "{":
            self._key()
        return self._value(opened)

    def _key(self) -> None:
        if self._peek() != '"':
            raise self._unexpected("looking for beginning of object key string")
        self._string()
        self._expect({":"}, "after object key")

    def _string(self) -> None:
        self._at += 1
        while True:
            self._at = self._match(_PLAIN)
            character = self._here()
            if character == '"':
                self._at += 1
                return
            if character != "\\":
                raise self._unexpected("in string")
            self._escape()

    def _escape(self) -> None:
        if match := _ESCAPE.match(self._text, self._at):
            self._at = match.end()
            return
        length = 6 if self._text.startswith("\\u", self._at) else 2
        if len(self._text) < self._at + length:
            raise _Malformed(_END)
        raise _Malformed(f"invalid escape sequence `{self._text[self._at : self._at + length]}` in string")

    def _word(self, word: str) -> None:
        for letter in word:
            if self._here() != letter:
                raise self._unexpected(f"in literal {word} (expecting {_quoted(letter)})")
            self._at += 1

    def _number(self) -> None:
        for part in _NUMBER:
            if match := part.match(self._text, self._at):
                self._at = match.end()
            if (match is None or not match[0]) and (begun := _DIGITS_BEGIN.match(self._text, self._at)):
                self._at = begun.end()
                self._here()
                raise self._unexpected("in numeric literal")

    def _expect(self, characters: set[str], where: str) -> None:
        if self._peek() not in characters:
            raise self._unexpected(where)
        self._at += 1

    def _peek(self) -> str:
        """The next character that is no space; raises ``_Malformed`` at the end."""
        self._at = self._match(_SPACE)
        return self._here()

    def _here(self) -> str:
        if self._at == len(self._text):
            raise _Malformed(_END)
        return self._text[self._at]

    def _match(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        return match.end() if match else self._at

    def _unexpected(self, where: str) -> _Malformed:
        return _Malformed(f"invalid character {_quoted(self._text[self._at])} {where}")


def _quoted(character: str) -> str:
    """A character between single quotes, as Go writes it."""
    if character.isprintable() or character in _NAMES:
        return f"'{_NAMES.get(character, character)}'"
    code = ord(character)
    if code in _BYTES:
        code -= _BYTES.start - 0x80
        return f"'\\x{code:02x}'"
    return f"'\\x{code:02x}'" if code < 0x80 else f"'\\u{code:04x}'" if code < 0x10000 else f"'\\U{code:08x}'"
