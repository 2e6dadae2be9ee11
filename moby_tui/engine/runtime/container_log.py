"""What a container wrote, one JSON line per line of its output, in the form of Docker's json-file driver; rotated.

Written by the monitor on the way of every byte of output: it works on whole blocks with the interpreter's own byte operations,
line by line nowhere. Only the light part of the standard library is imported.
"""

from __future__ import annotations

import os
import re
import time
from typing import NamedTuple

from moby_tui.errors import InvalidArgument, NotImplementedYet

#: A line longer than this is logged in pieces, of which only the last ends with a newline (as Docker's copier does).
MAX_PIECE = 16 * 1024

_CONTROL = bytes(byte for byte in range(0x20) if byte != 0x0A)
_NOT_CONTROL = bytes(set(range(256)) - set(_CONTROL))
_ESCAPES = {byte: b"\\u%04x" % byte for byte in _CONTROL} | {0x09: b"\\t", 0x0D: b"\\r"}
_SIZE = re.compile(r"(\d+)([kmg]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


class LogSettings(NamedTuple):
    """Driver ``json-file`` or ``none``; ``max_size`` in bytes, 0 without bound; ``max_files`` counts the written one too."""

    driver: str = "json-file"
    max_size: int = 10 * 1024 * 1024
    max_files: int = 3


def parse_settings(driver: str, options: dict[str, str]) -> LogSettings:
    """Reads a container's ``LogConfig``. Raises ``InvalidArgument`` for a bad value, ``NotImplementedYet`` for what we lack."""
    driver = driver or "json-file"
    if driver not in ("json-file", "none"):
        raise NotImplementedYet(f"log driver {driver}")
    settings = LogSettings(driver)
    for key, value in options.items():
        if key == "max-size":
            settings = settings._replace(max_size=_parse_size(value))
        elif key == "max-file":
            settings = settings._replace(max_files=_parse_count(value))
        else:
            raise NotImplementedYet(f"log option {key}")
    return settings


def _parse_size(text: str) -> int:
    if text == "-1":
        return 0
    match = _SIZE.fullmatch(text)
    if not match or int(match[1]) == 0:
        raise InvalidArgument(f"invalid log option max-size={text}: give a number with k, m or g, or -1")
    return int(match[1]) * _UNITS[match[2].lower()]


def _parse_count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise InvalidArgument(f"invalid log option max-file={text}: give a number from 1")
    return int(text)


class ContainerLog:
    """The log of one container, written by one process. Nothing that the disk does is raised: output is dropped and counted."""

    def __init__(self, path: str, settings: LogSettings | None = None) -> None:
        """Opens the log to append to it. Raises ``OSError`` where even that fails."""
        self._path = path
        self._settings = settings or LogSettings()
        self._carried = {"stdout": b"", "stderr": b""}
        #: Bytes of log that could not be written.
        self.dropped = 0
        self._fd = -1
        if self._settings.driver != "none":
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
            self._heal()

    def write(self, stream: str, data: bytes) -> None:
        """Logs a block of output of ``stdout`` or ``stderr``; what follows its last newline waits for the rest of its line."""
        if self._fd < 0:
            return
        data = self._carried[stream] + data
        end = data.rfind(b"\n") + 1
        lines, rest = data[:end], data[end:]
        entries = []
        if lines:
            entries.append(_entries(lines, stream))
        while len(rest) > MAX_PIECE:
            piece = rest[: _piece_end(rest)]
            entries.append(_entry(piece, stream))
            rest = rest[len(piece) :]
        self._carried[stream] = rest
        if entries:
            self._append(b"".join(entries))

    def close(self) -> None:
        """Logs what waits for its newline, and closes the log."""
        if self._fd < 0:
            return
        for stream, rest in self._carried.items():
            if rest:
                self._append(_entry(rest, stream))
        os.close(self._fd)
        self._fd = -1

    def _heal(self) -> None:
        """Ends a line that a crash cut, so that the next one is whole."""
        self._size = os.fstat(self._fd).st_size
        if self._size and os.pread(self._fd, 1, self._size - 1) != b"\n":
            self._put(b"\n")

    def _append(self, entries: bytes) -> None:
        bound = self._settings.max_size
        while bound and self._size + len(entries) > bound:
            cut = entries.rfind(b"\n", 0, max(0, bound - self._size)) + 1
            if not cut and not self._size:
                cut = entries.find(b"\n") + 1
            self._put(entries[:cut])
            entries = entries[cut:]
            if not entries or not self._rotate():
                break
        self._put(entries)

    def _put(self, entries: bytes) -> None:
        """Whole entries or, where the disk is full or broken, none of them."""
        written = 0
        try:
            while written < len(entries):
                written += os.write(self._fd, entries[written:] if written else entries)
        except OSError:
            self.dropped += len(entries)
            if written:
                os.ftruncate(self._fd, self._size)
            return
        self._size += written

    def _rotate(self) -> bool:
        """``log`` becomes ``log.1`` and so on; the oldest goes. Returns false where the disk does not let it."""
        fresh = f"{self._path}.new"
        try:
            fd = os.open(fresh, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o640)
        except OSError:
            return False
        try:
            for number in range(self._settings.max_files - 1, 0, -1):
                older = self._path if number == 1 else f"{self._path}.{number - 1}"
                if os.path.lexists(older):
                    os.rename(older, f"{self._path}.{number}")
            os.rename(fresh, self._path)
        except OSError:
            os.close(fd)
            return False
        os.close(self._fd)
        self._fd, self._size = fd, 0
        return True


def _piece_end(text: bytes) -> int:
    """Where the first piece of a long line ends: not within a character."""
    end = MAX_PIECE
    while end > MAX_PIECE - 4 and text[end] & 0xC0 == 0x80:
        end -= 1
    return end if text[end] & 0xC0 != 0x80 else MAX_PIECE


def _entries(lines: bytes, stream: str) -> bytes:
    """Whole lines as entries: one escape of the block, then each newline becomes an entry's end and the next one's beginning."""
    if _has_long_line(lines):
        return b"".join(_line_in_pieces(line + b"\n", stream) for line in lines[:-1].split(b"\n"))
    end = _end_of_entry(stream, b"\\n")
    return b'{"log":"' + _escape(lines[:-1]).replace(b"\n", end + b'{"log":"') + end


def _line_in_pieces(line: bytes, stream: str) -> bytes:
    entries = []
    while len(line) > MAX_PIECE + 1:
        piece = line[: _piece_end(line)]
        entries.append(_entry(piece, stream))
        line = line[len(piece) :]
    return b"".join((*entries, _entries(line, stream)))


def _entry(piece: bytes, stream: str) -> bytes:
    """One entry of a piece that ends within a line."""
    return b'{"log":"' + _escape(piece) + _end_of_entry(stream, b"")


def _end_of_entry(stream: str, newline: bytes) -> bytes:
    return newline + b'","stream":"%b","time":"%b"}\n' % (stream.encode(), format_time(time.time_ns()).encode())


def format_time(nanoseconds: int) -> str:
    """Unix nanoseconds as RFC 3339 in UTC, always with nine digits, so that text order is time order."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09d}Z"


def _has_long_line(lines: bytes) -> bool:
    if len(lines) <= MAX_PIECE + 1:
        return False
    start = 0
    while start + MAX_PIECE + 1 < len(lines):
        newline = lines.rfind(b"\n", start, start + MAX_PIECE + 1)
        if newline < 0:
            return True
        start = newline + 1
    return False


def _escape(text: bytes) -> bytes:
    """The text as the inside of a JSON string, but for its newlines. What is not UTF-8 becomes U+FFFD."""
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            text = text.decode("utf-8", "replace").encode()
    if b"\\" in text:
        text = text.replace(b"\\", b"\\\\")
    if b'"' in text:
        text = text.replace(b'"', b'\\"')
    for byte in set(text.translate(None, _NOT_CONTROL)):
        text = text.replace(bytes((byte,)), _ESCAPES[byte])
    return text
