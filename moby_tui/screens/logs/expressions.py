"""Regular expressions that a person may write, for searches of logs and events and for alert rules.

RE2 searches in time in proportion to the text, whatever text and expression are: the lines come from containers, which are hostile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

#: Bytes that an expression and its automaton may take; one that needs more is refused.
MOST_MEMORY = 1 << 20

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
#: Begin and end of the whole text, which in a search are those of the line.
_PLACES = {"A": "^", "Z": "$", "z": "$"}


class Match(Protocol):
    def start(self) -> int: ...

    def end(self) -> int: ...


class Pattern(Protocol):
    """What RE2 makes of an expression. No match reaches over the end of a line."""

    def search(self, text: str | bytes, pos: int = 0) -> Match | None: ...

    def finditer(self, text: str | bytes) -> Iterator[Match]: ...


def compile_expression(source: str) -> Pattern:
    """Small letters match capital ones too, unless the expression has a capital letter. The text may be UTF-8.

    The language is RE2's (https://github.com/google/re2/wiki/Syntax): without what must go back over the text, ``\\1`` and ``(?=``. Raises
    ``ValueError`` for any other expression and for one that is too large.
    """
    import re2  # imported here, since few dashboards have an expression to search for

    options = re2.Options()
    options.never_nl, options.log_errors, options.max_mem = True, False, MOST_MEMORY
    plain = _ESCAPE.sub("", source)
    options.case_sensitive = plain != plain.lower()
    try:
        pattern: Pattern = re2.compile("(?m)" + _ESCAPE.sub(_in_line, source), options)
    except (re2.error, UnicodeError) as error:
        raise ValueError(f"no regular expression: {_reason(error)}") from None
    return pattern


def _in_line(escape: re.Match[str]) -> str:
    return _PLACES.get(escape[1], escape[0])


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
