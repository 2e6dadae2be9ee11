"""A reader's place in the journal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO

import msgspec

from moby_tui.engine.events.journal import segment_name, segments
from moby_tui.schema.event import Event

_CHUNK = 256 * 1024
_decoder = msgspec.json.Decoder(Event)


class Cursor:
    """Reads the journal's events in order, each once.

    Its position is after a whole line of one segment, which it holds open: a segment may be deleted while it is read. A reader that
    sleeps while all segments behind the one that it holds are dropped continues at the oldest that is left.
    """

    def __init__(self, directory: str, *, since: int | None = None) -> None:
        """Begins at the first event whose time is ``since`` (Unix nanoseconds) or later; with None after the last event that is there now."""
        self._directory = directory
        self._since = since
        self._start = 0
        self._offset = 0
        self._file: FileIO | None = None
        starts = self._segments()
        if since is None and starts:
            self._enter(starts[-1])
            self._offset = self._end()
        elif since is not None and starts:
            self._enter(max((start for start in starts if start <= since), default=starts[0]))

    def read(self) -> Iterator[Event]:
        """The events that were added since the last call. Lines that are torn or no event are left out."""
        while True:
            # List the next segments before reading this one to its end: once a next one exists, nothing is added to this one.
            following = [start for start in self._segments() if start > self._start]
            yield from self._read_segment()
            if not following:
                return
            self._enter(following[0])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _segments(self) -> list[int]:
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return segments(directory)
        finally:
            os.close(directory)

    def _enter(self, start: int) -> None:
        self.close()
        self._start = start
        self._offset = 0
        try:
            self._file = FileIO(f"{self._directory}/{segment_name(start)}")
        except FileNotFoundError:  # dropped since it was listed; the next one is listed too
            self._file = None

    def _read_segment(self) -> Iterator[Event]:
        while self._file is not None:
            chunk = self._next_lines(self._file.fileno())
            if not chunk:
                return
            for line in chunk.split(b"\n"):
                event = _decode(line)
                if event is not None and (self._since is None or event.time_nano >= self._since):
                    yield event

    def _next_lines(self, fd: int) -> bytes:
        """The next whole lines, some at a time; empty at the end."""
        size = _CHUNK
        while True:
            chunk = os.pread(fd, size, self._offset)
            end = chunk.rfind(b"\n") + 1
            if end or len(chunk) < size:
                break
            size *= 2
        self._offset += end
        return chunk[:end]

    def _end(self) -> int:
        """The offset after the last whole line; a line that is being written counts as not yet there."""
        if self._file is None:
            return 0
        fd = self._file.fileno()
        size = os.fstat(fd).st_size
        position = size
        while position > 0:
            begin = max(0, position - _CHUNK)
            newline = os.pread(fd, position - begin, begin).rfind(b"\n")
            if newline >= 0:
                return begin + newline + 1
            position = begin
        return 0


def _decode(line: bytes) -> Event | None:
    try:
        return _decoder.decode(line)
    except msgspec.MsgspecError:
        return None
