"""Words as the builder reads them: quotes, escapes and variables, like a shell's and simpler.

https://docs.docker.com/reference/dockerfile/#environment-replacement: ``$x``, ``${x}``, ``${x:-word}``, ``${x:+word}``,
``${x:?word}``, and each without the colon, which then asks only whether the variable is set; ``${x#pattern}``, ``##``, ``%``,
``%%``, ``${x/pattern/word}`` and ``//``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from moby_tui.engine.resources.dockerfile.globs import Glob
from moby_tui.errors import InvalidArgument

_SOMETHING = re.compile(r"\S")
_NAME_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_DIGITS = frozenset("0123456789")
_SPECIAL = frozenset("@*#?-$!")
#: The deepest nesting of defaults (``${a:-${b:-c}}``): more is an attack on the stack.
_DEEPEST = 50


def expand(text: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """Expands one word: removes quotes, replaces variables. Raises ``InvalidArgument`` for an unfinished quote or variable."""
    return "".join(piece for piece, _ in _Cursor(text, variables, escape).pieces())


def split(text: str, variables: Mapping[str, str], escape: str = "\\") -> list[str]:
    """The words of a line, split at unquoted white space, also at that of a variable's value."""
    words: list[str] = []
    current: str | None = None
    for piece, quoted in _Cursor(text, variables, escape).pieces():
        if quoted:
            current = (current or "") + piece
            continue
        for char in piece:
            if char.isspace():
                if current is not None:
                    words.append(current)
                current = None
            else:
                current = (current or "") + char
    return words if current is None else [*words, current]


def undefined(text: str, variables: Mapping[str, str], escape: str = "\\") -> list[str]:
    """The unset variables that a text uses, in order, without those with a default (``${x:-word}`` and the like)."""
    cursor = _Cursor(text, variables, escape)
    cursor.pieces()
    return list(cursor.missing)


def raw_words(text: str, escape: str = "\\") -> list[str]:
    """The words of a line as they are written, quotes and escapes and all."""
    words: list[str] = []
    position = 0
    while match := _SOMETHING.search(text, position):
        position = word_end(text, match.start(), escape)
        words.append(text[match.start() : position])
    return words


def word_end(text: str, start: int, escape: str = "\\") -> int:
    """The end of the word that begins at a position."""
    quote, position = "", start
    while position < len(text):
        char = text[position]
        if char.isspace() and not quote:
            break
        position += 1
        if char == escape and quote != "'":
            position += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
    return min(position, len(text))


def expand_text(text: str, variables: Mapping[str, str], escape: str) -> str:
    """Replaces the variables of a here-document, in which quotes have no meaning; a character behind an escape stands for itself."""
    return "".join(piece for piece, _ in _TextCursor(text, variables, escape).pieces())


def expand_name(text: str, variables: Mapping[str, str], escape: str) -> str:
    """Replaces the variables in the name of a step, which keeps its quotes, and its escapes but for those of a dollar."""
    return "".join(piece for piece, _ in _NameCursor(text, variables, escape).pieces())


class _Cursor:
    """Reads a text once, from left to right; yields pieces and whether they stood in quotes or behind an escape."""

    def __init__(self, text: str, variables: Mapping[str, str], escape: str) -> None:
        self._text = text
        self._position = 0
        self._depth = 0
        self._variables = variables
        #: names that are used and not set; a dict keeps their order
        self.missing: dict[str, None] = {}
        self._escape = escape

    def pieces(self) -> list[tuple[str, bool]]:
        return self._until("")

    def _peek(self) -> str:
        return self._text[self._position : self._position + 1]

    def _next(self) -> str:
        char = self._peek()
        self._position += 1
        return char

    def _until(self, stop: str) -> list[tuple[str, bool]]:
        """Up to and with ``stop`` (empty: to the end)."""
        pieces: list[tuple[str, bool]] = []
        while char := self._next():
            if char == stop:
                return pieces
            if char == "'":
                pieces.append((self._single_quoted(), True))
            elif char == '"':
                pieces.append((self._double_quoted(), True))
            elif char == "$":
                pieces.append((self._dollar(), False))
            elif char == self._escape:
                pieces.append((self._next(), True))
            else:
                pieces.append((char, False))
        if stop:
            raise self._unfinished(stop)
        return pieces

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._position)
        if end < 0:
            raise self._unfinished("'")
        quoted = self._text[self._position : end]
        self._position = end + 1
        return quoted

    def _double_quoted(self) -> str:
        quoted = ""
        while char := self._next():
            if char == '"':
                return quoted
            if char == "$":
                quoted += self._dollar()
            elif char == self._escape and (following := self._peek()) and following in ('"', "$", self._escape):
                quoted += self._next()
            else:
                quoted += char
        raise self._unfinished('"')

    def _dollar(self) -> str:
        if self._peek() != "{":
            name = self._name()
            return self._value(name) if name else "$"
        self._position += 1
        self._depth += 1
        if self._depth > _DEEPEST:
            raise InvalidArgument(f"substitutions are nested more than {_DEEPEST} deep")
        value = self._braced()
        self._depth -= 1
        return value

    def _braced(self) -> str:
        name = self._name()
        operator = self._next()
        if not name or not operator:
            raise InvalidArgument(f"bad substitution in {self._text[:80]!r}; write ${{name}}")
        if operator == "}":
            return self._value(name)
        return self._modified(name, operator)

    def _value(self, name: str) -> str:
        if name not in self._variables and name[0] in _NAME_START:
            self.missing[name] = None
        return self._variables.get(name, "")

    def _modified(self, name: str, operator: str) -> str:
        colon = operator == ":"
        if colon:
            operator = self._next()
        if operator in ("#", "%", "/") and not colon:
            return self._cut(name, operator)
        if not operator or operator not in "-+?":
            raise InvalidArgument(f"unsupported modifier ({':' if colon else ''}{operator}) in substitution of {name}")
        word = "".join(piece for piece, _ in self._until("}"))
        value = self._variables.get(name)
        present = bool(value) if colon else value is not None
        if operator == "+":
            return word if present else ""
        if operator == "?" and not present:
            raise InvalidArgument(f"{name}: {word or 'is not set'}")
        return (value or "") if present else word

    def _cut(self, name: str, operator: str) -> str:
        """``#`` and ``%`` remove a match at the beginning or the end, doubled the longest one; ``/`` replaces the first match, ``//`` all."""
        twice = self._peek() == operator
        if twice:
            self._position += 1
        value = self._value(name)
        if operator == "/":
            pattern, ended = self._pattern("/}")
            new = "" if ended == "}" else "".join(piece for piece, _ in self._until("}"))
            return Glob(pattern).replaced(value, new, all=twice) if pattern else value
        pattern, _ = self._pattern("}")
        if operator == "#":
            positions = list(Glob(pattern).ends(value))
            return value[positions[-1 if twice else 0] :] if positions else value
        positions = list(Glob(pattern).beginnings(value))
        return value[: positions[-1 if twice else 0]] if positions else value

    def _pattern(self, stops: str) -> tuple[list[tuple[str, bool]], str]:
        """A pattern up to one of ``stops``, and which it was."""
        pieces: list[tuple[str, bool]] = []
        while char := self._next():
            if char in stops:
                return pieces, char
            if char == self._escape:
                pieces.append((self._next(), True))
            elif char == "$":
                pieces.append((self._dollar(), True))
            else:
                pieces.append((char, False))
        raise self._unfinished("}")

    def _name(self) -> str:
        """A variable's name, a positional parameter's digits, or one special character; these two are never set."""
        start = self._position
        first = self._peek()
        if first in _NAME_START and first:
            while (char := self._peek()) and (char in _NAME_START or char in _DIGITS):
                self._position += 1
        elif first in _DIGITS and first:
            while (char := self._peek()) and char in _DIGITS:
                self._position += 1
        elif first in _SPECIAL and first:
            self._position += 1
        return self._text[start : self._position]

    def _unfinished(self, what: str) -> InvalidArgument:
        return InvalidArgument(f"unexpected end of {self._text[:80]!r} while looking for matching {what}")


class _TextCursor(_Cursor):
    """A cursor over a here-document."""

    def _is_escaped(self, char: str) -> bool:
        """True if an escape before this character takes its meaning."""
        return bool(char)

    def _until(self, stop: str) -> list[tuple[str, bool]]:
        if stop:
            return super()._until(stop)
        pieces: list[tuple[str, bool]] = []
        while char := self._next():
            if char == "$":
                pieces.append((self._dollar(), False))
            elif char == self._escape and self._is_escaped(self._peek()):
                pieces.append((self._next(), True))
            else:
                pieces.append((char, False))
        return pieces


class _NameCursor(_TextCursor):
    """A cursor over the name of a step."""

    def _is_escaped(self, char: str) -> bool:
        return char == "$"
