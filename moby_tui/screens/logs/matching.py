"""Regular expressions whose search takes time in proportion to the line, whatever the expression and the line are.

``re`` tries the ways in which an expression may match one after the other, and ``(a+)+b`` has more than there is time for: what a
container writes would hold up the dashboard. Here all ways are followed at once, as states of an automaton that is made while lines are
read (R. Cox, Regular Expression Matching Can Be Simple And Fast, 2007). What one character may be is left to ``re``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from moby_tui.screens.logs.expressions import Expression, Node

#: Of a longer line the beginning is searched; characters.
MOST_CHARACTERS = 16 * 1024
#: Places in an expression, with its counted repeats written out; states that are remembered.
MOST_PLACES, MOST_STATES = 2000, 1000
#: Places that are looked at for one line where no state is remembered yet: of a line that needs more the beginning is searched.
MOST_LOOKS = 200_000
#: Places that are looked at to find the pieces of one line that match.
MOST_LOOKS_FOR_PIECES = 20_000

_TOO_LARGE = "the expression is too large: its counted repeats make too much of it"


@dataclass(slots=True)
class _Place:
    """A step of the automaton: ``atom`` is read, ``look`` must hold here, or else both ways are free. The match is -1."""

    atom: re.Pattern[str] | None = None
    look: str = ""
    then: int = -1
    other: int | None = None


class _Ended(Exception):
    """There is nothing more to read of a line: it matches, or it needs more time than it gets."""


class _State(dict[str, "_State"]):
    """What is reached by each next character. ``places`` are those at which the match may be; ``after`` what was read last."""

    def __init__(self, matcher: Matcher, places: frozenset[int], after: str) -> None:
        super().__init__()
        self._matcher, self.places, self.after = matcher, places, after

    def __missing__(self, char: str) -> _State:
        return self._matcher._step(self, char)


class Matcher:
    """Searches lines for an expression. Raises ``ValueError`` for what ``Expression`` refuses, and for one that is too large."""

    def __init__(self, source: str | Expression) -> None:
        expression = Expression(source) if isinstance(source, str) else source
        self._places: list[_Place] = []
        self._first = _Builder(self._places).build(expression.node, -1)
        self._states: dict[tuple[frozenset[int], str], _State] = {}
        self._found = _State(self, frozenset(), "")
        self._looks = 0

    def search(self, line: str) -> bool:
        """Whether the expression matches anywhere in a line."""
        self._looks = MOST_LOOKS
        state = self._state(frozenset(), "")
        try:
            for char in line[:MOST_CHARACTERS]:
                state = state[char]
            state = state[line[MOST_CHARACTERS : MOST_CHARACTERS + 1]]  # empty: the end of the line
        except _Ended:
            pass
        return state is self._found

    def spans(self, line: str) -> Iterator[tuple[int, int]]:
        """Begin and end of the pieces that match, from the left and each as long as can be; those without a character left out."""
        self._looks = MOST_LOOKS_FOR_PIECES
        begin = 0
        while self._looks > 0 and (piece := self._piece(line[:MOST_CHARACTERS], begin)):
            if piece[1] > piece[0]:
                yield piece
            begin = max(piece[1], piece[0] + 1)

    def _piece(self, line: str, begin: int) -> tuple[int, int] | None:
        """The next piece from ``begin`` on. Each place that is reached knows at which character its match began."""
        found: tuple[int, int] | None = None
        after = line[begin - 1 : begin] and ("w" if _is_word(line[begin - 1]) else "-")
        begun: dict[int, int] = {}
        for at in range(begin, len(line) + 1):
            if found is None:
                begun.setdefault(self._first, at)
            char = line[at : at + 1]
            following: dict[int, int] = {}
            for place, start in begun.items():
                if found is not None and start > found[0]:
                    continue
                for reached in self._closure([place], after, char):
                    if reached == -1:
                        found = (start, at)
                    elif (atom := self._places[reached].atom) and char and atom.fullmatch(char):
                        following.setdefault(self._places[reached].then, start)
            if (found is not None and not following) or self._looks <= 0:
                break
            begun, after = following, "w" if _is_word(char) else "-"
        return found

    def _state(self, places: frozenset[int], after: str) -> _State:
        """``after`` is kept as what a boundary asks of it: nothing, a letter of a word, or another."""
        key = (places, after)
        state = self._states.get(key)
        if state is None:
            if len(self._states) >= MOST_STATES:
                for one in self._states.values():
                    one.clear()
                self._states.clear()
            state = self._states[key] = _State(self, places, after)
        return state

    def _step(self, state: _State, char: str) -> _State:
        """Reads one character, and remembers what comes of it. Raises ``_Ended`` behind a match, and when all looks are taken."""
        if state is self._found or self._looks <= 0:
            raise _Ended
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
        reached = self._closure([self._first, *state.places], state.after, char)
        return None if -1 in reached else reached

    def _closure(self, todo: list[int], after: str, char: str) -> set[int]:
        """All places that are reached from these between ``after`` and ``char``."""
        seen: set[int] = set()
        while todo:
            number = todo.pop()
            if number in seen:
                continue
            seen.add(number)
            if number == -1:
                continue
            place = self._places[number]
            if place.atom is not None or (place.look and not _holds(place.look, after, char)):
                continue
            todo.append(place.then)
            if place.other is not None:
                todo.append(place.other)
        self._looks -= len(seen)
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


class _Builder:
    """Writes the places of an expression into a list, from behind. Raises ``ValueError`` if there are too many."""

    def __init__(self, places: list[_Place]) -> None:
        self._places = places
        self._steps = 0

    def build(self, node: Node, then: int) -> int:
        """The first place of a node that ``then`` follows."""
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

    def _once(self, node: Node, then: int) -> int:
        self._steps += 1
        if self._steps > 10 * MOST_PLACES:
            raise ValueError(_TOO_LARGE)
        if node.atom is not None or node.look:
            return self._place(_Place(node.atom, node.look, then))
        if not node.either:
            for part in reversed(node.parts):
                then = self.build(part, then)
            return then
        first, *others = [self.build(part, then) for part in node.parts]
        for other in others:
            first = self._place(_Place(then=first, other=other))
        return first

    def _place(self, place: _Place) -> int:
        if len(self._places) >= MOST_PLACES:
            raise ValueError(_TOO_LARGE)
        self._places.append(place)
        return len(self._places) - 1
