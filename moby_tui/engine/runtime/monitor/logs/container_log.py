"""Cuts a container's output into lines, and passes them to a log driver in blocks.

Runs in the monitor on the way of every byte of output: it works with the interpreter's own byte operations, line by line
nowhere. Only the light part of the standard library is imported.
"""

from __future__ import annotations

import time

#: A line longer than this is logged in pieces, of which only the last ends with a newline (as Docker's copier does).
MAX_PIECE = 16 * 1024


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Sink(Protocol):
        """A log driver. Times are Unix nanoseconds. Errors of the disk or the network are not raised."""

        def lines(self, stream: str, text: bytes, when: int) -> None:
            """Whole lines, none longer than ``MAX_PIECE``."""

        def pieces(self, stream: str, texts: list[bytes], when: int) -> None:
            """Parts of a line; what follows on the same stream continues it."""

        def close(self) -> None: ...


class ContainerLog:
    """The log of one container, written by one process."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._closed = False
        self._carried = {"stdout": b"", "stderr": b""}

    @property
    def behind(self) -> bool:
        """True if the driver has so much to write that the container should wait."""
        return False

    def write(self, stream: str, data: bytes) -> None:
        """Logs a block of output of ``stdout`` or ``stderr``; what follows its last newline waits for the rest of its line."""
        if self._closed:
            return
        if carried := self._carried[stream]:
            data = carried + data
        end = data.rfind(b"\n") + 1
        when = time.time_ns()
        if end:
            self._lines(stream, data[:end], when)
        self._carried[stream] = self._pieces(stream, data[end:], when)

    def close(self) -> None:
        """Logs the unfinished line, if any, and closes the log."""
        for stream, rest in self._carried.items():
            if rest:
                self._sink.pieces(stream, [rest], time.time_ns())
        self._sink.close()
        self._closed = True

    def _lines(self, stream: str, text: bytes, when: int) -> None:
        if not _has_long_line(text):
            self._sink.lines(stream, text, when)
            return
        for line in text[:-1].split(b"\n"):
            self._sink.lines(stream, self._pieces(stream, line, when) + b"\n", when)

    def _pieces(self, stream: str, text: bytes, when: int) -> bytes:
        """Logs the pieces of a line that is too long; returns the rest."""
        if len(text) <= MAX_PIECE:
            return text
        pieces, begin = [], 0
        while len(text) - begin > MAX_PIECE:
            end = _piece_end(text, begin)
            pieces.append(text[begin:end])
            begin = end
        self._sink.pieces(stream, pieces, when)
        return text[begin:]


def _piece_end(text: bytes, begin: int) -> int:
    """The end of a piece of a long line, which is not inside a character."""
    last = begin + MAX_PIECE
    end = last
    while end > last - 4 and text[end] & 0xC0 == 0x80:
        end -= 1
    return end if text[end] & 0xC0 != 0x80 else last


def _has_long_line(lines: bytes) -> bool:
    start = 0
    while start + MAX_PIECE + 1 < len(lines):
        newline = lines.rfind(b"\n", start, start + MAX_PIECE + 1)
        if newline < 0:
            return True
        start = newline + 1
    return False
