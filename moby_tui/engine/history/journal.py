"""The journal of the history: a folder of segments to which every engine appends, bounded in bytes and age.

A segment is named after the time of its first record in nanoseconds. A record is a head (magic, version, length and CRC-32 of what follows)
and MessagePack. An append is one ``write(2)`` under an ``flock(2)`` on the folder: a killed writer loses at most its own record. A reader
passes over what is damaged and goes on at the next head.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from moby_tui.engine.history.records import Record

SUFFIX = ".history"
#: The file in the folder that the engine has locked which takes the samples.
RECORDER_LOCK = "recorder.lock"
_HEAD = struct.Struct("<3sBII")
_MAGIC = b"\xf5MH"
_VERSION = 1
#: A record is no larger; whatever says so is damage.
_MOST = 4 * 1024 * 1024
#: The bounds are kept by dropping one of so many segments.
_SEGMENTS = 8
_LEAST_SEGMENT = 32 * 1024
_PATIENCE = 2.0

log = logging.getLogger(__name__)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


class HistoryJournal:
    """Holds no descriptor between calls."""

    def __init__(self, folder: Path, *, max_bytes: int, max_age: float) -> None:
        """``max_bytes`` bounds all segments together, ``max_age`` is in seconds."""
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_age = int(max_age * 1e9)

    def append(self, *records: Record) -> bool:
        """Adds records, which are of now. Never raises for lack of space, rights or time; returns whether they were written."""
        data = b"".join(map(_frame, records))
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return False
        try:
            return _lock(folder) and self._append(folder, data)
        except OSError:
            return False
        finally:
            os.close(folder)

    def read(self, since: int = 0, until: int | None = None) -> Iterator[Record]:
        """The records from ``since`` to ``until`` (nanoseconds), oldest first."""
        try:
            starts = _segments(self._folder)
        except OSError:
            return
        for position, start in enumerate(starts):
            after = starts[position + 1] if position + 1 < len(starts) else None
            if (after is not None and after <= since) or (until is not None and start > until):
                continue
            for record in self._read_segment(start):
                if record.time >= since and (until is None or record.time <= until):
                    yield record

    def size(self) -> int:
        """Bytes of all segments."""
        total = 0
        try:
            for start in _segments(self._folder):
                total += (self._folder / _name(start)).stat().st_size
        except OSError:
            pass
        return total

    def oldest(self) -> int:
        """The time at which the history begins, nanoseconds; 0 if there is none."""
        try:
            return next(iter(_segments(self._folder)), 0)
        except OSError:
            return 0

    def begins_segment(self) -> bool:
        """True if the next append begins a segment: what each segment has to say comes with it."""
        try:
            starts = _segments(self._folder)
            return not starts or self._is_full(starts[-1], (self._folder / _name(starts[-1])).stat().st_size, time.time_ns())
        except OSError:
            return True

    def _is_full(self, start: int, size: int, now: int) -> bool:
        return size > max(self._max_bytes // _SEGMENTS, _LEAST_SEGMENT) or now - start > self._max_age // _SEGMENTS

    def _append(self, folder: int, data: bytes) -> bool:
        starts, now = _segments(folder), time.time_ns()
        if starts:
            segment = os.open(_name(starts[-1]), os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW, dir_fd=folder)
            try:
                size = os.fstat(segment).st_size
                if not self._is_full(starts[-1], size, now):
                    return _write(segment, size, data)
            finally:
                os.close(segment)
        start = max(now, starts[-1] + 1 if starts else 0)
        segment = os.open(_name(start), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
        try:
            written = _write(segment, 0, data)
        finally:
            os.close(segment)
        self._drop(folder, [*starts, start], now)
        return written

    def _drop(self, folder: int, starts: list[int], now: int) -> None:
        """Drops the oldest segments until the bounds are kept, with room for the segment that is being written."""
        sizes = {start: os.stat(_name(start), dir_fd=folder, follow_symlinks=False).st_size for start in starts}
        room = self._max_bytes - self._max_bytes // _SEGMENTS
        while len(starts) > 1 and (sum(sizes[start] for start in starts) > room or starts[1] < now - self._max_age):
            os.unlink(_name(starts.pop(0)), dir_fd=folder)

    def _read_segment(self, start: int) -> Iterator[Record]:
        try:
            data = self._load(start)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                log.warning("history: %s is passed over: %s", _name(start), error.strerror or error)
            return
        position = damaged = 0
        while position < len(data):
            decoded = _record_at(data, position)
            if decoded is None:
                following = data.find(_MAGIC, position + 1)
                following = len(data) if following < 0 else following
                damaged += following - position
                position = following
                continue
            record, position = decoded
            if record is not None:
                yield record
        if damaged:
            log.warning("history: %d damaged bytes in %s are passed over", damaged, _name(start))

    def _load(self, start: int) -> bytes:
        """Raises ``OSError`` for what is no file of ours."""
        fd = os.open(self._folder / _name(start), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            most = max(self._max_bytes, _LEAST_SEGMENT) + _MOST
            data = file.read(most + 1)
        if len(data) > most:
            raise OSError("larger than the whole history may be")
        return data


def _frame(record: Record) -> bytes:
    payload = _encoder.encode(record)
    return _HEAD.pack(_MAGIC, _VERSION, len(payload), zlib.crc32(payload)) + payload


def _record_at(data: bytes, position: int) -> tuple[Record | None, int] | None:
    """A record and where it ends; None in place of a record of a later version; None for damage."""
    if position + _HEAD.size > len(data):
        return None
    magic, version, length, crc = _HEAD.unpack_from(data, position)
    begin = position + _HEAD.size
    if magic != _MAGIC or length > _MOST or begin + length > len(data):
        return None
    payload = data[begin : begin + length]
    if zlib.crc32(payload) != crc:
        return None
    if version != _VERSION:
        return None, begin + length
    try:
        return _decoder.decode(payload), begin + length
    except (msgspec.MsgspecError, RecursionError):
        return None


def _segments(folder: Path | int) -> list[int]:
    """The times at which the segments begin, oldest first."""
    names = (name.removesuffix(SUFFIX) for name in os.listdir(folder) if name.endswith(SUFFIX))
    return sorted(int(name) for name in names if name.isdecimal() and name.isascii() and len(name) <= 20)


def _name(start: int) -> str:
    return f"{start:020d}{SUFFIX}"


def _lock(folder: int) -> bool:
    """Takes the lock, which a process holds for microseconds; gives up if its holder was stopped."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)


def _write(segment: int, size: int, data: bytes) -> bool:
    """Writes all in one call, or nothing."""
    try:
        if os.write(segment, data) == len(data):
            return True
    except OSError:
        pass
    os.ftruncate(segment, size)
    return False
