"""What a query is made of. Each term says of every line of a chunk whether it matches, by searching the chunk's bytes.

``select`` returns one byte for each line, 1 for a match. ``marks`` finds the pieces of a line to highlight.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Protocol

from moby_tui.expressions import compile_for_lines
from moby_tui.screens.logs.fields import fields
from moby_tui.screens.logs.levels import Level
from moby_tui.screens.logs.store import Chunk


class Term(Protocol):
    def select(self, chunk: Chunk, start: int = 0) -> bytes:
        """For the lines of a chunk from ``start`` on: 1 for a match, else 0."""
        ...

    def marks(self, text: str) -> Iterator[tuple[int, int]]:
        """Begin and end of each piece of a line that the term matched."""
        ...


class Everything:
    """The empty query."""

    def select(self, chunk: Chunk, start: int = 0) -> bytes:
        return b"\1" * (len(chunk) - start)

    def marks(self, text: str) -> Iterator[tuple[int, int]]:
        return iter(())


class Word:
    """Text as it stands. Small letters match both cases, a capital letter makes the case count."""

    def __init__(self, text: str, *, exact: bool | None = None) -> None:
        """``exact``: whether the case counts; None lets the text decide."""
        self.text = text
        self._exact = text != text.lower() if exact is None else exact
        self._bytes = text.encode()

    def select(self, chunk: Chunk, start: int = 0) -> bytes:
        marks = bytearray(len(chunk) - start)
        if self.text.isascii():
            _find(chunk.data if self._exact else chunk.data.lower(), self._bytes, chunk, start, marks)
        elif not chunk.ascii:
            begin = chunk.begin(start)
            text = chunk.data[begin:].decode("utf-8", "replace")
            _find_text(text if self._exact else text.lower(), lambda whole, at: whole.find(self.text, at), marks)
        return bytes(marks)

    def marks(self, text: str) -> Iterator[tuple[int, int]]:
        whole = text if self._exact else text.lower()
        at = whole.find(self.text)
        while at >= 0:
            yield at, at + len(self.text)
            at = whole.find(self.text, at + len(self.text))


class Regex:
    """A regular expression (``expressions.compile_for_lines``). Raises ``ValueError``."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._pattern = compile_for_lines(source)

    def select(self, chunk: Chunk, start: int = 0) -> bytes:
        data, search = bytes(chunk.data), self._pattern.search
        marks = bytearray(len(chunk) - start)
        at = chunk.begin(start)
        while at < len(data) and (match := search(data, at)):
            index = chunk.index_at(match.start())
            if index >= len(chunk):
                break
            marks[index - start] = 1
            at = chunk.ends[index]
        return bytes(marks)

    def marks(self, text: str) -> Iterator[tuple[int, int]]:
        return ((match.start(), match.end()) for match in self._pattern.finditer(text) if match.end() > match.start())


class LevelIs:
    """``level>=warn``. A line without a level matches only ``!=`` and ``=none``."""

    def __init__(self, operator: str, level: Level) -> None:
        compare = COMPARISONS[operator]
        unnamed = operator == "!=" or level == Level.NONE
        self._table = bytes(compare(value, level) if value or unnamed else 0 for value in range(256))

    def select(self, chunk: Chunk, start: int = 0) -> bytes:
        return bytes(chunk.levels[start:]).translate(self._table)

    def marks(self, text: str) -> Iterator[tuple[int, int]]:
        return iter(())


class FieldIs:
    """``status=500``, ``path~/api``, ``ms>100``: compares a field of JSON or logfmt; as numbers where both are."""

    def __init__(self, name: str, operator: str, value: str) -> None:
        self.name, self.operator, self.value = name, operator, value
        self._number = _number(value)
        # What a line must have to be read at all. An escape in JSON may hide a name; such names are not written by people.
        self._candidates = Word(name.rpartition(".")[2] if name.isascii() else "")

    def select(self, chunk: Chunk, start: int = 0) -> bytes:
        candidates = self._candidates.select(chunk, start)
        marks = bytearray(len(candidates))
        at = candidates.find(1)
        while at >= 0:
            marks[at] = self.matches(chunk.text(start + at).decode("utf-8", "replace"))
            at = candidates.find(1, at + 1)
        return bytes(marks)

    def matches(self, line: str) -> bool:
        value = fields(line).get(self.name)
        if value is None:
            return False
        if self.operator == "~":
            return self.value.lower() in value.lower()
        number = _number(value)
        if self._number is not None and number is not None:
            return bool(COMPARISONS[self.operator](number, self._number))
        return bool(COMPARISONS[self.operator](value.lower(), self.value.lower()))

    def marks(self, text: str) -> Iterator[tuple[int, int]]:
        return Word(self.value.lower()).marks(text) if self.value and self.operator in ("=", "~") else iter(())


class Between:
    """Lines from ``since`` on, before ``until``; nanoseconds, None for no bound. Lines without a time match."""

    def __init__(self, since: int | None, until: int | None) -> None:
        self.since, self.until = since, until

    def select(self, chunk: Chunk, start: int = 0) -> bytes:
        stamps, count = chunk.stamps, len(chunk)
        first = bisect_left(stamps, self.since) if self.since is not None else 0
        last = bisect_left(stamps, self.until) if self.until is not None else count
        first, last = max(first, start), max(last, start, first)
        return b"\0" * (first - start) + b"\1" * (last - first) + b"\0" * (count - last)

    def marks(self, text: str) -> Iterator[tuple[int, int]]:
        return iter(())


class StreamIs:
    """``stream:stderr``."""

    def __init__(self, fd: int) -> None:
        self._table = bytes(value == fd for value in range(256))

    def select(self, chunk: Chunk, start: int = 0) -> bytes:
        return bytes(chunk.fds[start:]).translate(self._table)

    def marks(self, text: str) -> Iterator[tuple[int, int]]:
        return iter(())


class From:
    """``from:web``: lines of the containers whose name has this text. ``sources`` gives the names, by the number of the source."""

    def __init__(self, name: str, sources: Callable[[], dict[int, str]]) -> None:
        self._name, self._sources = name.lower(), sources

    def select(self, chunk: Chunk, start: int = 0) -> bytes:
        chosen = {number for number, name in self._sources().items() if self._name in name.lower()}
        return bytes(chunk.sources[start:]).translate(bytes(value in chosen for value in range(256)))

    def marks(self, text: str) -> Iterator[tuple[int, int]]:
        return iter(())


class Marked:
    """``is:marked``."""

    def select(self, chunk: Chunk, start: int = 0) -> bytes:
        return bytes(chunk.marks[start:])

    def marks(self, text: str) -> Iterator[tuple[int, int]]:
        return iter(())


class And:
    def __init__(self, left: Term, right: Term) -> None:
        self.left, self.right = left, right

    def select(self, chunk: Chunk, start: int = 0) -> bytes:
        left = self.left.select(chunk, start)
        if not any(left):
            return left
        return _bits(int.from_bytes(left) & int.from_bytes(self.right.select(chunk, start)), len(left))

    def marks(self, text: str) -> Iterator[tuple[int, int]]:
        yield from self.left.marks(text)
        yield from self.right.marks(text)


class Or:
    def __init__(self, left: Term, right: Term) -> None:
        self.left, self.right = left, right

    def select(self, chunk: Chunk, start: int = 0) -> bytes:
        left = self.left.select(chunk, start)
        return _bits(int.from_bytes(left) | int.from_bytes(self.right.select(chunk, start)), len(left))

    def marks(self, text: str) -> Iterator[tuple[int, int]]:
        yield from self.left.marks(text)
        yield from self.right.marks(text)


class Not:
    def __init__(self, term: Term) -> None:
        self.term = term

    def select(self, chunk: Chunk, start: int = 0) -> bytes:
        return self.term.select(chunk, start).translate(_INVERTED)

    def marks(self, text: str) -> Iterator[tuple[int, int]]:
        return iter(())


COMPARISONS: dict[str, Callable[[object, object], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,  # type: ignore[operator]
    "<=": lambda left, right: left <= right,  # type: ignore[operator]
    ">": lambda left, right: left > right,  # type: ignore[operator]
    ">=": lambda left, right: left >= right,  # type: ignore[operator]
}
_INVERTED = bytes((1, *[0] * 255))


def _bits(value: int, length: int) -> bytes:
    return value.to_bytes(length)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _find(data: bytearray, sought: bytes, chunk: Chunk, start: int, found: bytearray) -> None:
    """Marks the lines from ``start`` on that have these bytes."""
    at = data.find(sought, chunk.begin(start))
    while at >= 0:
        index = chunk.index_at(at)
        if index >= len(chunk):
            return
        found[index - start] = 1
        at = data.find(sought, chunk.ends[index])


def _find_text(text: str, find: Callable[[str, int], int], found: bytearray) -> None:
    """Marks the lines of a text in which ``find`` finds something."""
    at = index = counted = 0
    while at < len(text) and (hit := find(text, at)) >= 0:
        index += text.count("\n", counted, hit)
        counted = hit
        end = text.find("\n", hit)
        end = len(text) if end < 0 else end
        if index >= len(found):
            return
        found[index] = 1
        at = end + 1
