"""The ``local`` driver: blocks of lines as they were written, in compressed files (light imports).

A record is a head, the text, and its length once more, so that it can be read from either end (all numbers little-endian):

======  ==========================================================
u32     length of the text
u64     time in Unix nanoseconds
u8      1 stdout, 2 stderr; 128 more: the last line goes on in the next record of its stream
bytes   the text: whole lines, or one part of a line
u32     length of the text
======  ==========================================================

The text of attributes, a JSON object, stands in a record of its own with stream 0, and is true of all that follow in its file.
"""

from __future__ import annotations

import os
import struct

from moby_tui.engine.protocol.log import LogSettings
from moby_tui.engine.runtime.monitor.logs.rotation import RotatedFile

HEAD = struct.Struct("<LQB")
TAIL = struct.Struct("<L")
AROUND = HEAD.size + TAIL.size
PARTIAL = 0x80
STREAMS = {"stdout": 1, "stderr": 2}


class LocalFile:
    """Records in ``path`` and, rotated, in ``path.1.gz`` and so on."""

    def __init__(self, path: str, settings: LogSettings) -> None:
        """Opens the log for appending. Raises ``OSError``."""
        head = b"".join(_record(0, settings.attributes.encode(), 0)) if settings.attributes else b""
        self._file = RotatedFile(
            path, max_size=settings.max_size, max_files=settings.max_files, compress=settings.compress, head=head
        )
        self._heal()

    @property
    def dropped(self) -> int:
        """Bytes of log that could not be written."""
        return self._file.dropped

    def lines(self, stream: str, text: bytes, when: int) -> None:
        self._append(STREAMS[stream], text, when)

    def pieces(self, stream: str, texts: list[bytes], when: int) -> None:
        for text in texts:
            self._append(STREAMS[stream] | PARTIAL, text, when)

    def close(self) -> None:
        self._file.close()

    def _append(self, flags: int, text: bytes, when: int) -> None:
        self._file.append(_record(flags, text, when), lambda entries, _bound, one: len(entries) if one else 0)

    def _heal(self) -> None:
        """Removes a record that a crash has left incomplete, so that later ones can be found."""
        fd, size = self._file.fileno(), self._file.size
        if not size or record_before(fd, size) is not None:
            return
        position = 0
        while (head := record_at(fd, position)) is not None and head[0] <= size:
            position = head[0]
        os.ftruncate(fd, position)
        self._file.size = position


def record_at(fd: int, position: int) -> tuple[int, int, int] | None:
    """Of the record that begins at ``position``: its end, time and flags. None if the file ends before its head does."""
    head = os.pread(fd, HEAD.size, position)
    if len(head) < HEAD.size:
        return None
    length, when, flags = HEAD.unpack(head)
    return position + AROUND + length, when, flags


def record_before(fd: int, end: int) -> int | None:
    """The start of the record that ends at ``end``; None if there is no complete one."""
    tail = os.pread(fd, TAIL.size, end - TAIL.size) if end >= AROUND else b""
    if len(tail) < TAIL.size:
        return None
    begin = end - AROUND - int(TAIL.unpack(tail)[0])
    head = record_at(fd, begin) if begin >= 0 else None
    return begin if head is not None and head[0] == end else None


def _record(flags: int, text: bytes, when: int) -> list[bytes]:
    return [HEAD.pack(len(text), when, flags), text, TAIL.pack(len(text))]
