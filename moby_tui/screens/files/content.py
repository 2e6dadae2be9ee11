"""The content of one file for a viewer: lines of text, or rows of bytes, from a file without a name on the disk."""

from __future__ import annotations

import mmap
import os
import re
import tempfile
from array import array
from typing import IO

from moby_tui.screens import text

#: Bytes that are kept of a file.
MOST = 256 << 20
#: Bytes of a line that are shown.
LONGEST_LINE = 4096
#: Bytes in a row of hexadecimal digits.
ROW = 16
#: Bytes that tell text from other content.
_SAMPLE = 8192
_PRINTABLE = bytes({*range(0x20, 0x7F), 0x09, 0x0A, 0x0D, 0x1B, 0x08, 0x0C})


class Content:
    """Filled by ``append`` as the bytes come, in any thread; read by row. ``whole`` is true once all of it is here.

    ``hexadecimal`` says how it is shown: at first as the content suggests.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with the viewer
        self.size = 0
        self.whole = self.cut = False
        self.hexadecimal = False
        #: Where each line begins.
        self._lines = array("Q", [0])

    def append(self, data: bytes) -> bool:
        """Takes the next bytes; false once it has enough."""
        data = data[: MOST - self.size]
        if not self.size:
            self.hexadecimal = is_binary(data[:_SAMPLE])
        start = self.size
        os.pwrite(self._file.fileno(), data, start)
        at = data.find(b"\n")
        while at >= 0:
            self._lines.append(start + at + 1)
            at = data.find(b"\n", at + 1)
        self.size += len(data)
        self.cut = self.size >= MOST
        return not self.cut

    def finish(self) -> None:
        """No more bytes come."""
        self.whole = True

    def close(self) -> None:
        self._file.close()

    @property
    def rows(self) -> int:
        """How many rows there are to show."""
        if self.hexadecimal:
            return -(-self.size // ROW)
        return len(self._lines) - (1 if self._lines[-1] == self.size else 0)

    @property
    def width(self) -> int:
        """Digits of the number at the beginning of a row."""
        return max(len(f"{self.size:x}"), 8) if self.hexadecimal else len(str(self.rows))

    def row(self, number: int) -> str:
        """One row, without its number: a cleaned line, or bytes and the characters that they are."""
        return self._bytes_row(number) if self.hexadecimal else self._line(number)

    def label(self, number: int) -> str:
        """What stands before a row: the number of the line, or where the bytes are."""
        return f"{number * ROW:0{self.width}x}" if self.hexadecimal else f"{number + 1:>{self.width}}"

    def _line(self, number: int) -> str:
        start = self._lines[number]
        end = self._lines[number + 1] if number + 1 < len(self._lines) else self.size
        line = self._read(start, min(end - start, LONGEST_LINE)).decode("utf-8", "replace")
        return text.clean(line.rstrip("\r\n").expandtabs()) + (" …" if end - start > LONGEST_LINE else "")

    def _bytes_row(self, number: int) -> str:
        data = self._read(number * ROW, ROW)
        halves = (" ".join(f"{byte:02x}" for byte in part) for part in (data[: ROW // 2], data[ROW // 2 :]))
        letters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in data)
        return f"{'  '.join(halves):<{ROW * 3}}  {letters}"

    def _read(self, start: int, size: int) -> bytes:
        return os.pread(self._file.fileno(), size, start)

    def find(self, words: str, after: int, *, backward: bool = False) -> int | None:
        """The row of the next hit beyond a row, round the end; None if there is none. Small letters find capital ones in text."""
        needle = words.encode()
        if not needle or not self.size:
            return None
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            at = _find(data, needle, self._start(after), self._start(after + 1), backward=backward)
        return None if at < 0 else self._row_of(at)

    def _start(self, row: int) -> int:
        if self.hexadecimal:
            return min(row * ROW, self.size)
        return self._lines[row] if 0 <= row < len(self._lines) else self.size

    def _row_of(self, offset: int) -> int:
        if self.hexadecimal:
            return offset // ROW
        low, high = 0, len(self._lines)
        while low < high:
            middle = (low + high) // 2
            if self._lines[middle] <= offset:
                low = middle + 1
            else:
                high = middle
        return low - 1


def _find(data: mmap.mmap, needle: bytes, start: int, end: int, *, backward: bool) -> int:
    """The next hit from the row that begins at ``start`` and ends at ``end``; -1 for none."""
    if needle.lower() == needle:
        pattern = re.compile(re.escape(needle), re.IGNORECASE)
        if backward:
            before = after = -1
            for hit in pattern.finditer(data):
                if hit.start() < start:
                    before = hit.start()
                after = hit.start()
            return before if before >= 0 else after
        next_one = pattern.search(data, end) or pattern.search(data, 0)
        return next_one.start() if next_one else -1
    if backward:
        position = data.rfind(needle, 0, start)
        return position if position >= 0 else data.rfind(needle)
    position = data.find(needle, end)
    return position if position >= 0 else data.find(needle)


def is_binary(sample: bytes) -> bool:
    """True if the beginning of a file is no text: it has a NUL, or much that is neither printable nor UTF-8."""
    if b"\0" in sample:
        return True
    odd = len(sample.translate(None, _PRINTABLE))
    if not odd:
        return False
    try:
        # the last letter may be cut
        sample[:-3].decode()
    except UnicodeDecodeError:
        return odd > len(sample) // 10
    return False
