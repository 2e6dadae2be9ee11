"""The journal of events: what every process appends to and every process reads.

A directory of segments, each named after the ``timeNano`` of its first event, each line one event in Docker's shape. An
append holds an ``flock(2)`` on the directory, so that the lines of all processes are whole, in order, and no two bear the
same time. Only the light part of the standard library is imported: the monitors publish too.
"""

from __future__ import annotations

import fcntl
import json
import os
import time

SUFFIX = ".jsonl"
#: ``timeNano`` is the last key of a line, so that the end of a segment tells the last time without reading it.
_TIME_KEY = b'"timeNano":'
_TAIL = 64
_LOCK_PATIENCE = 5.0


class Journal:
    """Appends events. Holds no descriptor between calls: safe to share between threads and to keep across a fork."""

    def __init__(
        self, directory: str, *, max_bytes: int = 4 * 1024 * 1024, max_segments: int = 4, max_age: float = 30 * 86400
    ) -> None:
        """``max_bytes`` bounds one segment, ``max_segments`` their number; what is older than ``max_age`` seconds goes too."""
        self._directory = directory
        self._max_bytes = max_bytes
        self._max_segments = max_segments
        self._max_age = int(max_age * 1e9)

    def publish(self, type: str, action: str, id: str, attributes: dict[str, str], scope: str = "local") -> bool:
        """Appends one event and thereby wakes the readers of every process.

        Never raises for lack of space or rights: a container must not fail because of an event. Returns whether it was written.
        """
        event = {"Type": type, "Action": action, "Actor": {"ID": id, "Attributes": attributes}, "scope": scope}
        try:
            directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return False
        try:
            return _lock(directory) and self._append(directory, json.dumps(event, separators=(",", ":"), ensure_ascii=False))
        except OSError:
            return False
        finally:
            os.close(directory)

    def _append(self, directory: int, event: str) -> bool:
        """Writes the event as the next line; the caller holds the lock."""
        starts = segments(directory)
        newest = os.open(segment_name(starts[-1]), os.O_RDWR | os.O_APPEND, dir_fd=directory) if starts else -1
        try:
            size = os.fstat(newest).st_size if starts else 0
            last, whole = _last_time(newest, size) if starts else (0, True)
            now = max(time.time_ns(), last + 1, starts[-1] + 1 if starts else 0)
            line = f'{event[:-1]},"time":{now // 1_000_000_000},"timeNano":{now}}}\n'.encode("utf-8", "replace")
            if starts and not self._full(starts[-1], size + len(line), now):
                return _write(newest, size, line if whole else b"\n" + line)
        finally:
            if newest >= 0:
                os.close(newest)
        return self._begin_segment(directory, starts, now, line)

    def _full(self, start: int, size: int, now: int) -> bool:
        return size > self._max_bytes or now - start > self._max_age // self._max_segments

    def _begin_segment(self, directory: int, starts: list[int], now: int, line: bytes) -> bool:
        segment = os.open(segment_name(now), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
        try:
            written = _write(segment, 0, line)
        finally:
            os.close(segment)
        if not written:
            os.unlink(segment_name(now), dir_fd=directory)
            return False
        for start in self._expired([*starts, now], now):
            os.unlink(segment_name(start), dir_fd=directory)
        return True

    def _expired(self, starts: list[int], now: int) -> list[int]:
        """The segments to delete: those beyond the number, and those whose events are all too old (the next one begins before the limit)."""
        surplus = max(0, len(starts) - self._max_segments)
        while surplus < len(starts) - 1 and starts[surplus + 1] < now - self._max_age:
            surplus += 1
        return starts[:surplus]


def segments(directory: int | str) -> list[int]:
    """The segments in a directory, a descriptor or a path, oldest first: the time in nanoseconds at which each begins."""
    names = (name.removesuffix(SUFFIX) for name in os.listdir(directory) if name.endswith(SUFFIX))
    return sorted(int(name) for name in names if name.isdecimal())


def segment_name(start: int) -> str:
    return f"{start:020d}{SUFFIX}"


def _lock(directory: int) -> bool:
    """Takes the lock, which a process holds for microseconds. Gives up if its holder was stopped (SIGSTOP) while it had the lock."""
    deadline = time.monotonic() + _LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.0005)


def _last_time(segment: int, size: int) -> tuple[int, bool]:
    """The time of the last whole line, and whether the segment ends with one (not after a crash in the middle of a write)."""
    tail = os.pread(segment, _TAIL, max(0, size - _TAIL))
    stamp = tail[tail.rfind(_TIME_KEY) + len(_TIME_KEY) :].removesuffix(b"}\n")
    if tail.endswith(b"}\n") and _TIME_KEY in tail and stamp.isdigit():
        return int(stamp), True
    content = os.pread(segment, size, 0)
    for line in reversed(content.split(b"\n")):
        try:
            return int(json.loads(line)["timeNano"]), content.endswith(b"\n") or not content
        except (ValueError, KeyError, TypeError):
            continue
    return 0, content.endswith(b"\n") or not content


def _write(segment: int, size: int, line: bytes) -> bool:
    """Writes all of the data in one call, or nothing."""
    try:
        if os.write(segment, line) == len(line):
            return True
    except OSError:
        pass
    os.ftruncate(segment, size)
    return False
