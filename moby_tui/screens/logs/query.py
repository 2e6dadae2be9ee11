"""The language in which log lines are searched and filtered.

::

    timeout                     a word, anywhere in the line; "two words" as they stand
    /time(d )?out/              a regular expression (``expressions``)
    level>=warn   level=error   the level that the line names
    status>=500  path~/api      a field of JSON or logfmt: = != < <= > >=, and ~ for "has"
    since:5m  until:14:30       a span before now, a clock time, a date, an RFC 3339 time
    from:web  stream:stderr     the container, the stream
    is:marked                   the lines that were marked
    a b   a and b   a or b   not a   !a   ( … )

Words beside each other must all match; ``and`` binds closer than ``or``. Small letters match capital ones too.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from moby_tui.schema.stream import STDERR, STDOUT
from moby_tui.screens.logs import moments
from moby_tui.screens.logs.levels import NAMES, Level
from moby_tui.screens.logs.terms import (
    And,
    Between,
    Everything,
    FieldIs,
    From,
    LevelIs,
    Marked,
    Not,
    Or,
    Regex,
    StreamIs,
    Term,
    Word,
)

#: Parentheses and negations may be this deep.
_DEEPEST = 50
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<bracket>[()])
      | (?P<regex>/(?:[^/\\]|\\.)+/)(?=[\s)]|$)
      | (?P<quoted>"(?:[^"\\]|\\.)*")
      | (?P<negation>!)(?=[^\s=])
      | (?P<field>[A-Za-z_@][\w.@-]*(?:!=|>=|<=|=|>|<|~))(?P<value>"(?:[^"\\]|\\.)*"|[^\s()]*)
      | (?P<key>(?:since|until|from|stream|is):)(?P<argument>"(?:[^"\\]|\\.)*"|[^\s()]*)
      | (?P<word>[^\s()]+)
    )""",
    re.VERBOSE,
)
_FIELD = re.compile(r"(.+?)(!=|>=|<=|=|>|<|~)")
_STREAMS = {"stdout": STDOUT, "out": STDOUT, "stderr": STDERR, "err": STDERR}


class QueryError(ValueError):
    """A query that cannot be read; the text says what to write instead."""


def parse(query: str, now: float, sources: Callable[[], dict[int, str]] = dict) -> Term:
    """The term that a query says. ``now`` is Unix seconds, for spans; ``sources`` names the containers by number. Raises ``QueryError``."""
    if not query.strip():
        return Everything()
    return _Parser(query, now, sources).parse()


class _Parser:
    def __init__(self, query: str, now: float, sources: Callable[[], dict[int, str]]) -> None:
        self._tokens = _tokens(query)
        self._at = 0
        self._now = now
        self._sources = sources
        self._depth = 0

    def parse(self) -> Term:
        term = self._either()
        if self._peek() is not None:
            raise QueryError("a ) without a ( before it: take it away, or write it in quotes")
        return term

    def _peek(self) -> tuple[str, str, str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _is(self, word: str) -> bool:
        token = self._peek()
        return token is not None and token[0] == "word" and token[1].lower() == word

    def _either(self) -> Term:
        term = self._all()
        while self._is("or"):
            self._at += 1
            term = Or(term, self._all())
        return term

    def _all(self) -> Term:
        term = self._maybe_not()
        while (token := self._peek()) is not None and token[:2] != ("bracket", ")") and not self._is("or"):
            if self._is("and"):
                self._at += 1
            term = And(term, self._maybe_not())
        return term

    def _maybe_not(self) -> Term:
        token = self._peek()
        if token is None or token[:2] == ("bracket", ")") or self._is("and") or self._is("or"):
            before = self._tokens[self._at - 1][1] if self._at else "the beginning"
            raise QueryError(f"something to look for is missing after {before}; write and, or, not in quotes to look for them")
        self._at += 1
        if token[0] == "negation" or (token[0] == "word" and token[1].lower() == "not"):
            return Not(self._deeper(self._maybe_not))
        if token[0] == "bracket":
            term = self._deeper(self._either)
            if self._peek() is None:
                raise QueryError("a ( without a ) after it: close it, or write it in quotes")
            self._at += 1
            return term
        return self._term(*token)

    def _deeper(self, read: Callable[[], Term]) -> Term:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise QueryError(f"more than {_DEEPEST} parentheses and negations within each other")
        term = read()
        self._depth -= 1
        return term

    def _term(self, kind: str, text: str, value: str) -> Term:
        if kind == "regex":
            return _regex(text[1:-1].replace("\\/", "/"))
        if kind == "quoted":
            return Word(_unquoted(text)) if len(text) > 2 else Everything()
        if kind == "field":
            return self._field(text, value)
        if kind == "key":
            return self._key(text[:-1], _unquoted(value))
        return Word(text)

    def _field(self, head: str, value: str) -> Term:
        parts = _FIELD.fullmatch(head)
        assert parts is not None
        name, operator = parts.groups()
        if name.lower() != "level":
            return FieldIs(name, operator, _unquoted(value))
        wanted = value.lower()
        if operator == "~" or (wanted not in NAMES and wanted != "none"):
            raise QueryError("a level is trace, debug, info, warn, error, fatal or none, after = != < <= > or >=")
        return LevelIs(operator, NAMES.get(wanted, Level.NONE))

    def _key(self, name: str, value: str) -> Term:
        if name == "from":
            return From(value, self._sources)
        if name == "stream":
            if value not in _STREAMS:
                raise QueryError("a stream is stdout or stderr")
            return StreamIs(_STREAMS[value])
        if name == "is":
            if value != "marked":
                raise QueryError("after is: comes marked")
            return Marked()
        moment = moments.parse_moment(value, self._now)
        if moment is None:
            raise QueryError(f"after {name}: comes a span (5m), a clock time (14:30), or a date (2026-11-29T14:30:00)")
        return Between(moment, None) if name == "since" else Between(None, moment)


def _tokens(query: str) -> list[tuple[str, str, str]]:
    """Kind, text, and the value of a field or key."""
    tokens: list[tuple[str, str, str]] = []
    position, end = 0, len(query.rstrip())
    while position < end:
        match = _TOKEN.match(query, position)
        assert match is not None, "a word is whatever is no space and no bracket"
        kind = match.lastgroup or ""
        kind = {"value": "field", "argument": "key"}.get(kind, kind)
        value = match["value"] if kind == "field" else match["argument"] if kind == "key" else ""
        tokens.append((kind, match[kind], value or ""))
        position = match.end()
    return tokens


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _regex(source: str) -> Term:
    try:
        return Regex(source)
    except ValueError as error:
        raise QueryError(str(error)) from None
