"""The lines of many logs in one bounded store, ordered by time. No widgets, no clock, no client.

A million lines are kept as bytes in chunks, not as objects: a chunk is one run of text with a newline after each line, beside arrays with
each line's end, time, source, stream and level. Searches run over the bytes of a chunk (``terms``).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import accumulate
from operator import attrgetter
from typing import NamedTuple

#: A chunk is closed at either.
CHUNK_LINES = 4096
CHUNK_BYTES = 512 * 1024
#: Bytes that a line takes beside its text.
OVERHEAD = 24
DEFAULT_LIMIT = 64 * 1024 * 1024
#: The stream of a line that the dashboard itself wrote between the lines of a container: a start, an end, a gap.
NOTE = 0
#: Sources are numbered in one byte.
MOST_SOURCES = 250


class LogLine(NamedTuple):
    """``stamp`` is nanoseconds since 1970; ``source`` the number of a container; ``fd`` STDOUT, STDERR or NOTE; ``text`` clean UTF-8.

    ``coloured`` is the text with its colours (SGR), empty if it has none.
    """

    stamp: int
    source: int
    fd: int
    level: int
    text: bytes
    coloured: str = ""
    marked: bool = False


by_time = attrgetter("stamp")


class Chunk:
    """A run of lines."""

    __slots__ = ("ascii", "coloured", "data", "ends", "fds", "levels", "marks", "sources", "stamps")

    def __init__(self) -> None:
        self.data = bytearray()
        #: of each line: the offset behind its newline
        self.ends = array("I")
        self.stamps = array("q")
        self.sources = bytearray()
        self.fds = bytearray()
        self.levels = bytearray()
        self.marks = bytearray()
        self.coloured: dict[int, str] = {}
        self.ascii = True

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def size(self) -> int:
        """Bytes in memory, about."""
        return len(self.data) + OVERHEAD * len(self.ends) + sum(map(len, self.coloured.values()))

    @property
    def full(self) -> bool:
        return len(self.ends) >= CHUNK_LINES or len(self.data) >= CHUNK_BYTES

    def append(self, line: LogLine) -> int:
        """Returns the bytes that it takes."""
        if line.coloured:
            self.coloured[len(self.ends)] = line.coloured
        self.ascii = self.ascii and line.text.isascii()
        self.data += line.text
        self.data.append(10)
        self.ends.append(len(self.data))
        self.stamps.append(line.stamp)
        self.sources.append(line.source)
        self.fds.append(line.fd)
        self.levels.append(line.level)
        self.marks.append(line.marked)
        return len(line.text) + 1 + OVERHEAD + len(line.coloured)

    def begin(self, index: int) -> int:
        """The offset at which a line begins."""
        return self.ends[index - 1] if index else 0

    def text(self, index: int) -> bytes:
        return bytes(self.data[self.begin(index) : self.ends[index] - 1])

    def part(self, start: int, stop: int) -> Chunk:
        """Some of the lines, to be searched: without their colours."""
        part, begin = Chunk(), self.begin(start)
        part.ascii = self.ascii
        part.data = self.data[begin : self.ends[stop - 1]]
        part.ends = array("I", [end - begin for end in self.ends[start:stop]])
        part.stamps, part.sources, part.fds = self.stamps[start:stop], self.sources[start:stop], self.fds[start:stop]
        part.levels, part.marks = self.levels[start:stop], self.marks[start:stop]
        return part

    def line(self, index: int) -> LogLine:
        return LogLine(
            self.stamps[index], self.sources[index], self.fds[index], self.levels[index],
            self.text(index), self.coloured.get(index, ""), bool(self.marks[index]),
        )  # fmt: skip

    def lines(self, start: int = 0) -> Iterator[LogLine]:
        return (self.line(index) for index in range(start, len(self)))

    def index_at(self, offset: int) -> int:
        """The line that an offset of ``data`` is in."""
        return bisect_right(self.ends, offset)


class LogStore:
    """Lines are numbered from 0 at the first that ever came; those with the lowest numbers go when there are too many bytes."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self.limit = limit
        self.chunks: list[Chunk] = []
        #: the number of the oldest line that is kept
        self.first = 0
        self.bytes = 0
        #: Changes when lines were put between others: the numbers of later lines are no longer the same.
        self.generation = 0
        #: Bytes of the longest line that ever came.
        self.longest = 0
        self._begins: list[int] | None = None

    def __len__(self) -> int:
        return self.end - self.first

    @property
    def end(self) -> int:
        """The number that the next line gets."""
        begins = self._chunk_begins()
        return begins[-1] + len(self.chunks[-1]) if begins else self.first

    @property
    def last_stamp(self) -> int:
        return self.chunks[-1].stamps[-1] if self.chunks else 0

    def clear(self) -> None:
        self.first = self.end
        self.chunks.clear()
        self.bytes = 0
        self._begins = None

    def add(self, lines: list[LogLine]) -> None:
        """Takes lines that are in order of time among themselves. Those older than what is kept are put between it."""
        if not lines:
            return
        if lines[0].stamp >= self.last_stamp:
            self._append(lines)
        else:
            self._insert(lines)
        self._trim()

    def line(self, number: int) -> LogLine:
        """Raises ``IndexError`` for one that is not kept."""
        chunk, index = self.place(number)
        return chunk.line(index)

    def place(self, number: int) -> tuple[Chunk, int]:
        """The chunk that has a line, and the line's index there. Raises ``IndexError``."""
        position = self.chunk_of(number)
        return self.chunks[position], number - self._chunk_begins()[position]

    def chunk_of(self, number: int) -> int:
        """The position of the chunk that has a line. Raises ``IndexError``."""
        if not self.first <= number < self.end:
            raise IndexError(number)
        return bisect_right(self._chunk_begins(), number) - 1

    def begin_of(self, position: int) -> int:
        """The number of the first line of a chunk."""
        return self._chunk_begins()[position]

    def mark(self, number: int, *, on: bool) -> None:
        """Marks a line, or takes the mark away."""
        chunk, index = self.place(number)
        chunk.marks[index] = on

    def number_at(self, stamp: int) -> int:
        """The number of the first line at this time or later; ``end`` if there is none."""
        for position, chunk in enumerate(self.chunks):
            if chunk.stamps[-1] >= stamp:
                return self.begin_of(position) + bisect_right(chunk.stamps, stamp - 1)
        return self.end

    def drop_source(self, source: int) -> None:
        """Forgets the lines of one container."""
        kept = [line for chunk in self.chunks for line in chunk.lines() if line.source != source]
        self.clear()
        self.generation += 1
        self._append(kept)

    def _append(self, lines: Iterable[LogLine]) -> None:
        chunk = self.chunks[-1] if self.chunks else None
        for line in lines:
            if chunk is None or chunk.full:
                chunk = Chunk()
                self.chunks.append(chunk)
                self._begins = None
            self.bytes += chunk.append(line)
            if len(line.text) > self.longest:
                self.longest = len(line.text)

    def _insert(self, lines: list[LogLine]) -> None:
        """Makes the chunks from the first late line on anew, up to the chunk that begins after the last line."""
        left = self._position_before(lines[0].stamp)
        right = self._position_before(lines[-1].stamp) + 1
        replaced, rest = self.chunks[left:right], self.chunks[right:]
        del self.chunks[left:]
        self.bytes -= sum(chunk.size for chunk in (*replaced, *rest))
        self._begins = None
        kept = (line for chunk in replaced for line in chunk.lines())
        if self.chunks:
            self.chunks.append(Chunk())
        self._append(merge(kept, lines, key=by_time))
        self.chunks = [chunk for chunk in self.chunks if len(chunk)] + rest
        self.bytes += sum(chunk.size for chunk in rest)
        self._begins = None
        self.generation += 1

    def _position_before(self, stamp: int) -> int:
        """The last chunk that begins at this time or before; the first one if none does."""
        return max(bisect_right(self.chunks, stamp, key=lambda chunk: chunk.stamps[0]) - 1, 0)

    def _trim(self) -> None:
        while self.bytes > self.limit and len(self.chunks) > 1:
            gone = self.chunks.pop(0)
            self.bytes -= gone.size
            self.first += len(gone)
            self._begins = None

    def _chunk_begins(self) -> list[int]:
        if self._begins is None:
            lengths = [len(chunk) for chunk in self.chunks[:-1]]
            self._begins = list(accumulate(lengths, initial=self.first)) if self.chunks else []
        return self._begins
