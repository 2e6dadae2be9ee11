"""The language of regular expressions that a person may write: that of ``re`` without what must go back over the text."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import takewhile

#: Groups within each other.
DEEPEST = 50

_TOKEN = re.compile(
    r"""(?P<open>\((?:\?:)?(?!\?))
      | (?P<close>\))
      | (?P<alternative>\|)
      | (?P<repeat>(?:[*+?]|\{(?:[0-9]+(?:,[0-9]*)?|,[0-9]*)\})\??)
      | (?P<place>[\^$]|\\[AZbB])
      | (?P<atom>\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[dDsSwWtnrfv]|[^A-Za-z0-9])|\[\^?\]?(?:\\.|[^\]\\])*\]|[^()|*+?\\\[])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_COUNTS = re.compile(r"\{([0-9]*)(?:(,)([0-9]*))?\}")
#: An atom that stands for one character alone.
_ITSELF = re.compile(r"\\([^A-Za-z0-9])|([^\\.\[])", re.DOTALL)
#: Larger numbers of tries are not told apart.
_MANY = 1 << 30


@dataclass(slots=True)
class Node:
    """A part of an expression: an atom, a place, ``parts`` one after the other or, with ``either``, one of them; so many times."""

    atom: re.Pattern[str] | None = None
    look: str = ""
    parts: tuple[Node, ...] = ()
    either: bool = False
    least: int = 1
    most: int | None = 1


class Expression:
    """An expression that was read. Small letters match capital ones too, unless it has a capital letter.

    As in ``re``: ``. [] \\d \\w \\s * + ? {m,n} | () (?:) ^ $ \\A \\Z \\b \\B``. What needs to go back (``\\1``, ``(?=``) is refused.
    Raises ``ValueError``.
    """

    def __init__(self, source: str) -> None:
        try:
            compiled(source, re.NOFLAG)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"no regular expression: {error}") from None
        plain = _ESCAPE.sub("", source)
        self.source = source
        self.exact = plain != plain.lower()
        self.flags = re.DOTALL | (re.NOFLAG if self.exact else re.IGNORECASE)
        self.node = _Reader(source, self.flags).node

    @property
    def literal(self) -> str:
        """The longest text that is in whatever the expression matches; empty if there is none."""
        return max(_literals(self.node), key=len, default="")

    @property
    def tries(self) -> int:
        """How many characters ``re`` may look at from one place of a text on; a large number if the text decides on that."""
        ways, length = _ways(self.node)
        return min(ways * length, _MANY)


def compiled(source: str, flags: re.RegexFlag) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # what a later Python may mean by [[ is not told on the dashboard's screen
        return re.compile(source, flags)


def _literals(node: Node) -> Iterator[str]:
    """Texts that are in every match of a node."""
    if node.either or not node.least:
        return
    parts = list(node.parts)
    while parts:
        letters = "".join(map(_letter, takewhile(_letter, parts)))
        if letters:
            yield letters
            del parts[: len(letters)]
        else:
            yield from _literals(parts.pop(0))


def _letter(node: Node) -> str:
    """The character that a node is; empty if it may be another, or more or less than one."""
    if node.atom is None or node.least != 1 or node.most != 1:
        return ""
    itself = _ITSELF.fullmatch(node.atom.pattern)
    return (itself[1] or itself[2]) if itself and node.atom.pattern.isascii() else ""


def _ways(node: Node) -> tuple[int, int]:
    """In how many ways a node may match, and how many characters the longest takes."""
    if node.most is None:
        return _MANY, 1
    parts = [_ways(part) for part in node.parts]
    counts, lengths = [ways for ways, _ in parts] or [1], [length for _, length in parts] or [1 if node.atom else 0]
    if node.either:
        once, length = sum(counts), max(lengths)
    else:
        once, length = reduce(_times, counts), sum(lengths)
    if once == 1:
        return min(node.most - node.least + 1, _MANY), min(length * node.most, _MANY)
    ways = power = 1
    for times in range(1, node.most + 1):
        power = _times(power, once)
        ways = power if times <= node.least else ways + power
        if power == _MANY:
            break
    return min(ways, _MANY), min(length * node.most, _MANY)


def _times(left: int, right: int) -> int:
    return min(left * right, _MANY)


class _Reader:
    """``node`` is the whole expression. Raises ``ValueError``."""

    def __init__(self, source: str, flags: re.RegexFlag) -> None:
        self._source, self._flags = source, flags
        self._tokens = self._read()
        self._token = next(self._tokens, ("", ""))
        self.node = self._either(0)

    def _read(self) -> Iterator[tuple[str, str]]:
        position = 0
        while position < len(self._source):
            token = _TOKEN.match(self._source, position)
            if token is None:
                raise ValueError(f"{self._source[position : position + 8]} is not possible in an expression here")
            yield token.lastgroup or "", token.group()
            position = token.end()

    def _next(self) -> None:
        self._token = next(self._tokens, ("", ""))

    def _either(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} groups within each other")
        ways = [self._sequence(depth)]
        while self._token[0] == "alternative":
            self._next()
            ways.append(self._sequence(depth))
        return ways[0] if len(ways) == 1 else Node(parts=tuple(ways), either=True)

    def _sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while self._token[0] in ("open", "place", "atom", "repeat"):
            kind, said = self._token
            if kind == "repeat":
                if not parts or parts[-1].most != 1:
                    raise ValueError(f"{said} repeats nothing that can be repeated in an expression here")
                parts[-1] = _repeated(parts[-1], said)
            elif kind == "open":
                self._next()
                parts.append(Node(parts=(self._either(depth + 1),)))
            else:
                parts.append(Node(look=said) if kind == "place" else Node(atom=compiled(said, self._flags)))
            self._next()
        return Node(parts=tuple(parts))


def _repeated(node: Node, said: str) -> Node:
    """``said`` is ``*``, ``{2,5}`` and the like; whether as much or as little as possible is taken makes no difference here."""
    said = said.removesuffix("?") if len(said) > 1 else said
    if counts := _COUNTS.fullmatch(said):
        node.least = int(counts[1] or 0)
        node.most = node.least if not counts[2] else int(counts[3]) if counts[3] else None
    else:
        node.least = 1 if said == "+" else 0
        node.most = 1 if said == "?" else None
    return node
