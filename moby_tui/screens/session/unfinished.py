"""What waits for its removal, written down: a dashboard that a signal ended is followed by one that tells it.

Each dashboard has a file of its own, which it holds locked (flock(2)) while something waits, and removes when nothing does. The kernel
ends the lock with the process, however that ends: a file that can be locked is left over.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

#: What is left over for longer is not told any more; seconds.
OLDEST = 7 * 86400.0


class Waiting(msgspec.Struct):
    """The names of the containers by their ids, and when they were written down, Unix seconds."""

    containers: dict[str, str]
    written: float


class Unfinished:
    """The file of this dashboard in ``folder``. A folder that cannot be written costs only the memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"{os.getpid()}-{id(self):x}.json"
        self._file = -1

    def note(self, containers: Mapping[str, str], now: float) -> None:
        """Writes down all that waits; none: the file goes."""
        try:
            if containers:
                self._write(msgspec.json.encode(Waiting(dict(containers), now)))
            elif self._file >= 0:
                self._path.unlink(missing_ok=True)
                self.close()
        except OSError:
            self.close()

    def _write(self, data: bytes) -> None:
        """Locked before there is a word in it: an empty file tells others nothing."""
        if self._file < 0:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, data, 0)

    def close(self) -> None:
        """What waits now is left over from here on."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def left_over(folder: Path, now: float) -> Iterator[tuple[Path, Waiting]]:
    """What dashboards that have ended left, each with its file. Files that are too old or damaged are removed."""
    with suppress(OSError):
        for path in sorted(folder.iterdir()):
            if waiting := _read(path, now):
                yield path, waiting


def _read(path: Path, now: float) -> Waiting | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        waiting = msgspec.json.decode(os.read(file, 1 << 20), type=Waiting)
        if now - waiting.written < OLDEST:
            return waiting
        path.unlink(missing_ok=True)
    except msgspec.DecodeError:
        path.unlink(missing_ok=True)
    except OSError:
        pass  # its dashboard runs
    finally:
        os.close(file)
    return None
