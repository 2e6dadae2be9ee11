"""Which lines of a store a filter leaves, found chunk by chunk, so that a million lines never hold up the screen."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from itertools import accumulate

from moby_tui.screens.logs.store import CHUNK_LINES, Chunk, LogStore
from moby_tui.screens.logs.terms import Everything, Term


class Shown:
    """The lines of ``store`` that match ``term``, by their place among each other. ``advance`` until ``settled``."""

    def __init__(self, store: LogStore, term: Term | None = None) -> None:
        self.store = store
        self.term: Term = term or Everything()
        self._of: dict[Chunk, _Matches] = {}
        self._counts: list[int] | None = None

    @property
    def everything(self) -> bool:
        return isinstance(self.term, Everything)

    def __len__(self) -> int:
        """How many lines are known to match."""
        return len(self.store) if self.everything else self._totals()[-1]

    def advance(self, most: int = CHUNK_LINES) -> bool:
        """Looks through at most so many lines that were not looked through, the newest chunk first. True once all are."""
        if self.everything:
            return True
        chunks = self.store.chunks
        if len(self._of) > len(chunks):
            kept = set(chunks)
            self._of = {chunk: matches for chunk, matches in self._of.items() if chunk in kept}
            self._counts = None
        for chunk in reversed(chunks):
            if self._is_known(chunk):
                continue
            if most <= 0:
                return False
            matches = self._of.setdefault(chunk, _Matches())
            most -= matches.extend(chunk, self.term, most)
            self._counts = None
            if not self._is_known(chunk):
                return False
        return True

    @property
    def settled(self) -> bool:
        """Whether all lines were looked through."""
        return self.everything or all(map(self._is_known, self.store.chunks))

    def next(self, number: int, step: int) -> int | None:
        """The next line that matches, from ``number`` on in the direction of ``step`` (1 or -1), without going round the end.

        None if there is none, and also while lines on the way to it were not looked through (``settled``).
        """
        for position, _ in search(self.store, number, step):
            chunk = self.store.chunks[position]
            if not self.everything and not self._is_known(chunk):
                return None
            place = self.place(number) if step > 0 else self.place(number + 1) - 1
            if 0 <= place < len(self):
                index = self.number(place)
                if self.store.chunk_of(index) == position:
                    return index
        return None

    def _is_known(self, chunk: Chunk) -> bool:
        matches = self._of.get(chunk)
        return matches is not None and matches.seen == len(chunk)

    def number(self, place: int) -> int:
        """The number of the line at a place, 0 the first. Raises ``IndexError``."""
        if not 0 <= place < len(self):
            raise IndexError(place)
        if self.everything:
            return self.store.first + place
        totals = self._totals()
        position = bisect_right(totals, place) - 1
        matches = self._of[self.store.chunks[position]]
        return self.store.begin_of(position) + matches.indices[place - totals[position]]

    def place(self, number: int) -> int:
        """The place of a line, or of the next one that matches; the length of all if there is none."""
        number = max(number, self.store.first)
        if self.everything:
            return min(number - self.store.first, len(self.store))
        if number >= self.store.end:
            return len(self)
        position = self.store.chunk_of(number)
        matches = self._of.get(self.store.chunks[position])
        before = self._totals()[position]
        return before + (bisect_left(matches.indices, number - self.store.begin_of(position)) if matches else 0)

    def forget(self) -> None:
        """Everything is to be looked through again: marks or names have changed."""
        self._of.clear()
        self._counts = None

    def _totals(self) -> list[int]:
        """The matches before each chunk, and last of all."""
        if self._counts is None or len(self._counts) != len(self.store.chunks) + 1:
            counts = (self._of.get(chunk) for chunk in self.store.chunks)
            self._counts = list(accumulate((len(matches.indices) if matches else 0 for matches in counts), initial=0))
        return self._counts


class _Matches:
    """The lines of one chunk that match, of those that were ``seen``."""

    __slots__ = ("indices", "seen")

    def __init__(self) -> None:
        self.indices = array("I")
        self.seen = 0

    def extend(self, chunk: Chunk, term: Term, most: int) -> int:
        """Looks through at most ``most`` more lines. Returns how many."""
        stop = min(len(chunk), self.seen + most)
        selected = term.select(chunk, self.seen) if stop == len(chunk) else term.select(chunk.part(self.seen, stop))
        at = selected.find(1)
        while at >= 0:
            self.indices.append(self.seen + at)
            at = selected.find(1, at + 1)
        looked, self.seen = stop - self.seen, stop
        return looked


def find(store: LogStore, term: Term, number: int, step: int) -> int | None:
    """The next line that matches, from ``number`` on in the direction of ``step`` (1 or -1), without going round the end; None if none.

    For a whole store this takes as long as searching its bytes once; ``Shown.next`` waits for no search.
    """
    for position, start in search(store, number, step):
        if (hit := within(store, term, position, start, step)) is not None:
            return hit
    return None


def search(store: LogStore, number: int, step: int) -> list[tuple[int, int]]:
    """The chunks to look through, in order, each with the index of the line to begin at."""
    if not len(store):
        return []
    number = min(max(number, store.first), store.end - 1)
    position = store.chunk_of(number)
    start = number - store.begin_of(position)
    if step > 0:
        return [(position, start), *((later, 0) for later in range(position + 1, len(store.chunks)))]
    return [(position, start), *((earlier, len(store.chunks[earlier]) - 1) for earlier in range(position - 1, -1, -1))]


def within(store: LogStore, term: Term, position: int, start: int, step: int) -> int | None:
    """The first line of one chunk that matches, from index ``start`` on in the direction of ``step``."""
    selected = term.select(store.chunks[position], start if step > 0 else 0)
    index = selected.find(1) if step > 0 else selected.rfind(1, 0, start + 1)
    return None if index < 0 else store.begin_of(position) + index + (start if step > 0 else 0)
