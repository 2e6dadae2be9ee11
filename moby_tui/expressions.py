"""Regular expressions that a person, a client or a file has written.

RE2 searches in time in proportion to the text, whatever text and expression are; ``re`` may take for ever. Its language is that of Go's
``regexp``, in which Docker's filters and log options are written: https://github.com/google/re2/wiki/Syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

#: Bytes that an expression and its automaton may take; one that needs more is refused.
MOST_MEMORY = 1 << 20

#: ``^`` and ``$`` are begin and end of a line.
_LINES = "(?m)"
_PLAIN = r"[\w/@:-]*"
_ESCAPE = r"\\(.)"
#: Begin and end of the whole text, which in a search of lines are those of the line.
_PLACES = {"A": "^", "Z": "$", "z": "$"}


class Match(Protocol):
    def start(self) -> int: ...

    def end(self) -> int: ...


class Pattern(Protocol):
    """What RE2 makes of an expression. Text may be UTF-8; then ``start`` and ``end`` count bytes."""

    def search(self, text: str | bytes, pos: int = 0) -> Match | None: ...

    def finditer(self, text: str | bytes) -> Iterator[Match]: ...


def compile_expression(source: str) -> Pattern:
    """Raises ``ValueError`` for a malformed expression, one that is too large, and what must go back over the text: ``\\1``, ``(?=``."""
    return _compile(source, lines=False, exact=True)


def compile_for_lines(source: str) -> Pattern:
    """The same for a text of many lines: each matches by itself. Small letters match capital ones too, unless there is a capital letter."""
    plain = re.sub(_ESCAPE, "", source, flags=re.DOTALL)
    in_lines = re.sub(_ESCAPE, lambda escape: _PLACES.get(escape[1], escape[0]), source, flags=re.DOTALL)
    return _compile(_LINES + in_lines, lines=True, exact=plain != plain.lower())


def finds(source: str, text: str) -> bool:
    """True if an expression matches somewhere in a text; a malformed one matches nothing, as in Docker's filters."""
    if re.fullmatch(_PLAIN, source):
        return source in text
    pattern = _compiled_or_none(source)
    return pattern is not None and pattern.search(text) is not None


@lru_cache(maxsize=16)
def _compiled_or_none(source: str) -> Pattern | None:
    try:
        return compile_expression(source)
    except ValueError:
        return None


def _compile(source: str, *, lines: bool, exact: bool) -> Pattern:
    import re2  # imported here, since few commands are given an expression

    options = re2.Options()
    options.never_nl, options.case_sensitive = lines, exact
    options.log_errors, options.max_mem = False, MOST_MEMORY
    try:
        pattern: Pattern = re2.compile(source, options)
    except (re2.error, UnicodeError) as error:
        raise ValueError(f"no regular expression: {_describe(error)}") from None
    return pattern


def _describe(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    return text.replace(_LINES, "", 1)
