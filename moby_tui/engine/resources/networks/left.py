"""Whether something is left of a network that nobody watches over: a holding's record that can be locked (see ``sandbox.py``).

Every engine looks when it opens, and few find anything: nothing is imported for it.
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
    """Whether ``Sandboxes.reconcile`` would find something to do."""
    return any(_is_free(path) for path in records(sandboxes(networks)))


def is_any_of(networks: Path, container_id: str) -> bool:
    """Whether the container has a record that is nobody's."""
    return any(_is_free(path) for path in files(sandboxes(networks) / container_id))


def records(folder: Path) -> Iterator[Path]:
    for container in files(folder):
        yield from files(container)


def files(folder: Path) -> list[Path]:
    """What is in a folder, which need not be there."""
    try:
        return [folder / name for name in os.listdir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def lock(path: Path, flags: int = 0) -> int | None:
    """The record, locked, or None where somebody else has it or it is gone."""
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
