"""The tokens of a template: the text between actions, and the words within them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from moby_tui.templates.errors import TemplateError
from moby_tui.templates.quoting import go_quote

KEYWORDS = frozenset({"block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with"})

_LEFT, _RIGHT = "{{", "}}"
_SPACE = " \t\r\n"
_WORD = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<declare>:=)
  | (?P<assign>=)
  | (?P<pipe>\|)
  | (?P<string>"(?:[^"\\\n]|\\[^\n])*")
  | (?P<raw>`[^`]*`)
  | (?P<char>'(?:[^'\\\n]|\\[^\n])+')
  | (?P<number>[+-]?(?:\.?[0-9])(?:[0-9A-Za-z_.]|(?<=[eE])[+-]|(?<=[pP])[+-])*)
  | (?P<sign>[+-]\.?\w?)
  | (?P<field>\.\w+)
  | (?P<variable>\$\w*)
  | (?P<dot>\.)
  | (?P<identifier>\w+)
  | (?P<left>\()
  | (?P<right>\))
  | (?P<comma>,)
  | (?P<other>[!-~])
    """,
    re.VERBOSE,
)
#: What may stand directly after a field, a variable or a word.
_ENDS_WORD = frozenset(" \t\r\n.,|:()=}")
_UNFINISHED = {
    '"': "unterminated quoted string",
    "`": "unterminated raw quoted string",
    "'": "unterminated character constant",
    ":": "expected :=",
}


class Token(NamedTuple):
    """``kind`` is ``text``, ``open``, ``close``, ``end of file``, ``keyword``, or a name in the pattern of words."""

    kind: str
    text: str
    position: int

    def __str__(self) -> str:
        if self.kind == "end of file":
            return "EOF"
        if self.kind in ("keyword", "dot"):
            return f"<{self.text}>"
        return f"{go_quote(self.text[:10])}..." if len(self.text) > 10 else go_quote(self.text)


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


class Lexer:
    """Reads one template's text. Iterating raises ``TemplateError`` if a token cannot be."""

    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text
        self._position = 0

    def error(self, message: str, position: int) -> TemplateError:
        return TemplateError(f"template: {self._name}:{line_of(self._text, position)}: {message}")

    def __iter__(self) -> Iterator[Token]:
        trimmed = False
        while True:
            start = self._position
            left = self._text.find(_LEFT, start)
            literal = self._text[start:] if left < 0 else self._text[start:left]
            trims = left >= 0 and self._trims_before(left)
            text = literal.lstrip(_SPACE) if trimmed else literal
            if trims:
                text = text.rstrip(_SPACE)
            if text:
                yield Token("text", text, start)
            if left < 0:
                yield Token("end of file", "", len(self._text))
                return
            self._position = left + len(_LEFT) + (2 if trims else 0)
            if self._text.startswith("/*", self._position):
                trimmed = self._comment()
                continue
            yield Token("open", _LEFT, left)
            yield from self._action()
            trimmed = self._close()
            yield Token("close", _RIGHT, self._position - len(_RIGHT))

    def _trims_before(self, left: int) -> bool:
        return self._text.startswith("-", left + 2) and self._text[left + 3 : left + 4] in tuple(_SPACE)

    def _trims_after(self) -> bool:
        """Whether `` -}}`` is here."""
        mark = self._text[self._position : self._position + 4]
        return mark[:1] in tuple(_SPACE) and mark[1:] == "-" + _RIGHT

    def _close(self) -> bool:
        """Goes past the closing braces; whether they trim what follows."""
        trims = self._trims_after()
        self._position += (2 if trims else 0) + len(_RIGHT)
        return trims

    def _comment(self) -> bool:
        start = self._position
        end = self._text.find("*/", start)
        if end < 0:
            raise self.error("unclosed comment", start)
        self._position = end + 2
        if not (self._trims_after() or self._text.startswith(_RIGHT, self._position)):
            raise self.error("comment ends before closing delimiter", start)
        return self._close()

    def _action(self) -> Iterator[Token]:
        start, depth = self._position, 0
        while True:
            if self._trims_after() or self._text.startswith(_RIGHT, self._position):
                if depth:
                    raise self.error("unclosed left paren", self._position)
                return
            if self._position >= len(self._text):
                raise self.error("unclosed action", start)
            token = self._word()
            depth += (token.kind == "left") - (token.kind == "right")
            if depth < 0:
                raise self.error("unexpected right paren", token.position)
            yield token

    def _word(self) -> Token:
        start = self._position
        match = _WORD.match(self._text, start)
        if match is None or (match.lastgroup == "other" and match.group() in _UNFINISHED):
            raise self.error(self._complaint(self._text[start]), start)
        kind, word = str(match.lastgroup), match.group()
        if kind == "sign":
            raise self.error(f"bad number syntax: {go_quote(word)}", start)
        if kind == "space":
            word = self._before_trim(word, match.end())
        self._position = start + len(word)
        if kind in ("field", "variable", "identifier", "dot"):
            after = self._text[self._position : self._position + 1]
            if after and after not in _ENDS_WORD and not (kind == "variable" and word == "$"):
                raise self.error(f"bad character U+{ord(after):04X} {after!r}", self._position)
        if kind == "identifier":
            kind = "keyword" if word in KEYWORDS else "bool" if word in ("true", "false") else kind
        return Token(kind, word, start)

    def _before_trim(self, space: str, end: int) -> str:
        """Blanks, without the one that belongs to `` -}}``."""
        marks = self._text.startswith("-" + _RIGHT, end)
        return space[:-1] if marks and len(space) > 1 else space

    def _complaint(self, character: str) -> str:
        if character in _UNFINISHED:
            return _UNFINISHED[character]
        return f"unrecognized character in action: U+{ord(character):04X} {character!r}"
