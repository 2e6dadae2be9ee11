"""A shell's patterns in substitutions (``${name#pattern}``): ``*`` is any characters, ``?`` any one.

All possible matches are followed at the same time, so that the time is bounded by the length of pattern and text: a
regular expression's is not, and a Dockerfile is hostile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_ANY, _MANY = "?", "*"


class Glob:
    """``pieces`` are characters, each with a flag: True if it is literal."""

    def __init__(self, pieces: Sequence[tuple[str, bool]]) -> None:
        self._tokens = [(char, fixed) for piece, fixed in pieces for char in piece]

    def ends(self, text: str) -> Iterator[int]:
        """Where a match that begins with the text may end, in order."""
        states = self._closed({0})
        for position in range(len(text) + 1):
            if len(self._tokens) in states:
                yield position
            if position == len(text) or not states:
                return
            states = self._closed(self._after(states, text[position]))

    def beginnings(self, text: str) -> Iterator[int]:
        """Where a match that ends with the text may begin, the last first."""
        mirrored = Glob(self._tokens[::-1])
        return (len(text) - end for end in mirrored.ends(text[::-1]))

    def replaced(self, text: str, new: str, *, all: bool) -> str:
        """With ``new`` in the place of the first match, or of each; a match is as long as it can be."""
        done, at = "", 0
        while span := self._search(text, at):
            start, end = span
            done += text[at:start] + new
            if end == start:
                done += text[start : start + 1]
                end += 1
            at = end
            if not all or at >= len(text):
                break
        return done + text[at:]

    def _search(self, text: str, begin: int) -> tuple[int, int] | None:
        """The first match, and of those that begin there the longest."""
        longest: tuple[int, int] | None = None
        # the earliest beginning of each way
        ways: dict[int, int] = {}
        for position in range(begin, len(text) + 1):
            if longest is None:
                for state in self._closed({0}):
                    ways.setdefault(state, position)
            start = ways.pop(len(self._tokens), None)
            if start is not None:
                longest = start, position
            if longest is not None:
                ways = {state: start for state, start in ways.items() if start <= longest[0]}
            if position == len(text) or (longest and not ways):
                break
            after: dict[int, int] = {}
            for state, start in sorted(ways.items(), key=lambda way: way[1]):
                for next_state in self._closed(self._after({state}, text[position])):
                    after.setdefault(next_state, start)
            ways = after
        return longest

    def _closed(self, states: set[int]) -> set[int]:
        """Adds the positions that are reached without a character: a star may match nothing."""
        pending = list(states)
        while pending:
            state = pending.pop()
            if state < len(self._tokens) and self._tokens[state] == (_MANY, False) and state + 1 not in states:
                states.add(state + 1)
                pending.append(state + 1)
        return states

    def _after(self, states: set[int], char: str) -> set[int]:
        following = set[int]()
        for state in states:
            if state == len(self._tokens):
                continue
            token, fixed = self._tokens[state]
            if not fixed and token == _MANY:
                following.add(state)
            elif token == char or (not fixed and token == _ANY):
                following.add(state + 1)
        return following
