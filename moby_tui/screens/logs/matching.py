"""Regular expressions whose search takes time in proportion to the line, whatever the expression and the line are.

``re`` tries the ways in which an expression may match one after the other, and ``(a+)+b`` has more than there is time for: what a
container writes would hold up the dashboard. Here all ways are followed at once, as states of an automaton that is made while lines are
read (R. Cox, Regular Expression Matching Can Be Simple And Fast, 2007). What one character may be is left to ``re``.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

#: Of a longer line the beginning is searched; characters.
MOST_CHARACTERS = 8192
#: Places in an expression, with its counted repeats written out; groups within each other; states that are remembered.
MOST_PLACES, DEEPEST, MOST_STATES = 2000, 50, 1000

_TOKEN = re.compile(
    r"""(?P<open>\((?:\?:)?(?!\?))
      | (?P<close>\))
      | (?P<alternative>\|)
      | (?P<repeat>(?:[*+?]|\{(?:[0-9]+(?:,[0-9]*)?|,[0-9]*)\})\??)
      | (?P<place>[\^$]|\\[AZbB])
      | (?P<atom>\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[dDsSwWtnrfv]|[^A-Za-z0-9])|\[\^?\]?(?:\\.|[^\]\\])*\]|[^()|*+?\\\[])""",
    re.VERBOSE | re.DOTALL,
)
_TOO_LARGE = "the expression is too large: its counted repeats make too much of it"
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_COUNTS = re.compile(r"\{([0-9]*)(?:(,)([0-9]*))?\}")


@dataclass(slots=True)
class _Place:
    """A step of the automaton: ``atom`` is read, ``look`` must hold here, or else both ways are free. The match is -1."""

    atom: re.Pattern[str] | None = None
    look: str = ""
    then: int = -1
    other: int | None = None


class _State(dict[str, "_State"]):
    """What is reached by each next character. ``places`` are those at which the match may be; ``after`` what was read last."""

    def __init__(self, places: frozenset[int], after: str) -> None:
        super().__init__()
        self.places, self.after = places, after


class Matcher:
    """Small letters match capital ones too, unless the expression has a capital letter. Raises ``ValueError`` for what it cannot be.

    As in ``re``: ``. [] \\d \\w \\s * + ? {m,n} | () (?:) ^ $ \\A \\Z \\b \\B``. What needs to go back (``\\1``, ``(?=``) is refused.
    """

    def __init__(self, source: str) -> None:
        try:
            _compiled(source, re.NOFLAG)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"no regular expression: {error}") from None
        plain = _ESCAPE.sub("", source)
        self._flags = re.DOTALL | (re.IGNORECASE if plain == plain.lower() else re.NOFLAG)
        self._places: list[_Place] = []
        self._first = _Reader(source, self._flags, self._places).start
        self._states: dict[tuple[frozenset[int], str], _State] = {}
        self._found = _State(frozenset(), "")

    def search(self, line: str) -> bool:
        """Whether the expression matches anywhere in a line."""
        state, found = self._state(frozenset(), ""), self._found
        for char in line[:MOST_CHARACTERS]:
            following = state.get(char)
            if following is None:
                following = self._step(state, char)
            if following is found:
                return True
            state = following
        return self._reached(state, line[MOST_CHARACTERS : MOST_CHARACTERS + 1]) is None

    def _state(self, places: frozenset[int], after: str) -> _State:
        """``after`` is kept as what a boundary asks of it: nothing, a letter of a word, or another."""
        key = (places, after)
        state = self._states.get(key)
        if state is None:
            if len(self._states) >= MOST_STATES:
                for one in self._states.values():
                    one.clear()
                self._states.clear()
            state = self._states[key] = _State(places, after)
        return state

    def _step(self, state: _State, char: str) -> _State:
        """Reads one character, and remembers what comes of it."""
        reached = self._reached(state, char)
        if reached is None:
            following = self._found
        else:
            read = (self._places[place] for place in reached)
            places = frozenset(one.then for one in read if one.atom and one.atom.fullmatch(char))
            following = self._found if -1 in places else self._state(places, "w" if _is_word(char) else "-")
        if len(state) < MOST_STATES:
            state[char] = following
        return following

    def _reached(self, state: _State, char: str) -> set[int] | None:
        """The places at which a character may be read before ``char`` (empty: the end of the line). None if the match is reached."""
        todo, seen = [self._first, *state.places], set()
        while todo:
            number = todo.pop()
            if number == -1:
                return None
            if number in seen:
                continue
            seen.add(number)
            place = self._places[number]
            if place.atom is not None or (place.look and not _holds(place.look, state.after, char)):
                continue
            todo.append(place.then)
            if place.other is not None:
                todo.append(place.other)
        return seen


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _holds(look: str, after: str, char: str) -> bool:
    if look in ("^", "\\A"):
        return after == ""
    if look in ("$", "\\Z"):
        return char == ""
    at_boundary = (after == "w") is not (char != "" and _is_word(char))
    return at_boundary is (look == "\\b")


@dataclass(slots=True)
class _Node:
    """A part of an expression: an atom, a place, ``parts`` one after the other or, with ``either``, one of them; so many times."""

    atom: re.Pattern[str] | None = None
    look: str = ""
    parts: tuple[_Node, ...] = ()
    either: bool = False
    least: int = 1
    most: int | None = 1


class _Reader:
    """Writes the places of an expression into a list; ``start`` is the first. Raises ``ValueError``."""

    def __init__(self, source: str, flags: re.RegexFlag, places: list[_Place]) -> None:
        self._source, self._flags, self._places = source, flags, places
        self._steps = 0
        self._tokens = self._read()
        self._token = next(self._tokens, ("", ""))
        self.start = self._build(self._either(0), -1)

    def _read(self) -> Iterator[tuple[str, str]]:
        position = 0
        while position < len(self._source):
            token = _TOKEN.match(self._source, position)
            if token is None:
                raise ValueError(f"{self._source[position : position + 8]} is not possible in the expression of an alert")
            yield token.lastgroup or "", token.group()
            position = token.end()

    def _next(self) -> None:
        self._token = next(self._tokens, ("", ""))

    def _either(self, depth: int) -> _Node:
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} groups within each other")
        ways = [self._sequence(depth)]
        while self._token[0] == "alternative":
            self._next()
            ways.append(self._sequence(depth))
        return ways[0] if len(ways) == 1 else _Node(parts=tuple(ways), either=True)

    def _sequence(self, depth: int) -> _Node:
        parts: list[_Node] = []
        while self._token[0] in ("open", "place", "atom", "repeat"):
            kind, said = self._token
            if kind == "repeat":
                if not parts or parts[-1].most != 1:
                    raise ValueError(f"{said} repeats nothing that can be repeated in the expression of an alert")
                parts[-1] = _repeated(parts[-1], said)
            elif kind == "open":
                self._next()
                parts.append(_Node(parts=(self._either(depth + 1),)))
            else:
                parts.append(_Node(look=said) if kind == "place" else _Node(atom=_compiled(said, self._flags)))
            self._next()
        return _Node(parts=tuple(parts))

    # Into places, from behind: ``then`` is what follows

    def _build(self, node: _Node, then: int) -> int:
        if node.most is None:
            loop = self._place(_Place(then=then))
            self._places[loop].other = then
            self._places[loop].then = self._once(node, loop)
            then = loop
        for _ in range((node.most or node.least) - node.least):
            then = self._place(_Place(then=self._once(node, then), other=then))
        for _ in range(node.least):
            then = self._once(node, then)
        return then

    def _once(self, node: _Node, then: int) -> int:
        self._steps += 1
        if self._steps > 10 * MOST_PLACES:
            raise ValueError(_TOO_LARGE)
        if node.atom is not None or node.look:
            return self._place(_Place(node.atom, node.look, then))
        if not node.either:
            for part in reversed(node.parts):
                then = self._build(part, then)
            return then
        first, *others = [self._build(part, then) for part in node.parts]
        for other in others:
            first = self._place(_Place(then=first, other=other))
        return first

    def _place(self, place: _Place) -> int:
        if len(self._places) >= MOST_PLACES:
            raise ValueError(_TOO_LARGE)
        self._places.append(place)
        return len(self._places) - 1


def _compiled(source: str, flags: re.RegexFlag) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # what a later Python may mean by [[ is not told on the dashboard's screen
        return re.compile(source, flags)


def _repeated(node: _Node, said: str) -> _Node:
    """``said`` is ``*``, ``{2,5}`` and the like; whether as much or as little as possible is taken makes no difference here."""
    said = said.removesuffix("?") if len(said) > 1 else said
    if counts := _COUNTS.fullmatch(said):
        node.least = int(counts[1] or 0)
        node.most = node.least if not counts[2] else int(counts[3]) if counts[3] else None
    else:
        node.least = 1 if said == "+" else 0
        node.most = 1 if said == "?" else None
    return node
