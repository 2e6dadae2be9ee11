"""Finds the records of holdings (``sandbox.py``) that no process has locked: the monitor that held them was killed.

Every engine looks when it opens the data root, so this imports only the light part of the standard library.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def sandboxes(networks: Path) -> Path:
    """The folder of all records: ``<container id>/<name>``."""
    return networks / "sandboxes"


def is_any(networks: Path) -> bool:
    """True if a record is free, so that ``Sandboxes.reconcile`` has something to undo."""
    return any(_is_free(path) for path in records(sandboxes(networks)))


def is_any_of(networks: Path, container_id: str) -> bool:
    """True if a record of this container is free."""
    return any(_is_free(path) for path in files(sandboxes(networks) / container_id))


def records(folder: Path) -> Iterator[Path]:
    """The records of all containers. ``folder`` is that of ``sandboxes``."""
    for container in files(folder):
        yield from files(container)


def files(folder: Path) -> list[Path]:
    """The entries of a folder; none if it does not exist."""
    try:
        return [folder / name for name in os.listdir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def lock(path: Path, flags: int = 0) -> int | None:
    """Locks a record and returns its descriptor; None if another process has it locked, or it is gone.

    ``flags`` are added to those of open(2). A record that was replaced between open(2) and flock(2) counts as gone.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    except (FileNotFoundError, FileExistsError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def _is_free(path: Path) -> bool:
    descriptor = lock(path)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None
