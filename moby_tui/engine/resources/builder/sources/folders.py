"""Folders of a build's caller, kept between its builds so that only changed files are sent."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: The names of kept folders begin so, beside the folders of cache mounts.
PREFIX = "context-"


@contextmanager
def kept(places: Path, key: str, scratch: Path) -> Iterator[Path]:
    """The folder of a caller's with this key, locked until the end of the block; a new one in ``scratch`` if another build has it.

    It has what the caller sent the last time. Without a ``key`` nothing is kept.
    """
    lock = _locked(places / f"{PREFIX}{hashlib.sha256(key.encode()).hexdigest()}") if key else None
    if lock is None:
        folder = scratch / f"sent-{os.urandom(8).hex()}"
        folder.mkdir()
        yield folder
        return
    place, fd = lock
    try:
        os.utime(place)
        folder = place / "content"
        folder.mkdir(mode=0o755, exist_ok=True)
        yield folder
    finally:
        os.close(fd)


def _locked(place: Path) -> tuple[Path, int] | None:
    """The place and its lock; None if another build has it."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return place, fd
