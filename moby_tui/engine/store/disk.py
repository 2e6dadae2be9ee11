"""What the disk under the data root refuses, said so that a person knows what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moby_tui.errors import StorageFull, StorageReadOnly

_FULL = (errno.ENOSPC, errno.EDQUOT)
#: Enough for the database's log, its index, and some rows.
_RESERVE_BYTES = 512 * 1024


@contextmanager
def refusals_told(*roots: Path) -> Iterator[None]:
    """Raises ``StorageFull`` for ENOSPC and EDQUOT, ``StorageReadOnly`` for EROFS; other errors pass.

    ``roots`` are the folders that are written to: the error does not say which it was.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (*_FULL, errno.EROFS):
            raise
        guessed = full if error.errno in _FULL else read_only
        reasons = [reason for root in roots if (reason := refusal(root)) is not None]
        raise (reasons[0] if reasons else guessed(roots[0] if roots else None)) from error


def refusal(root: Path, needed: int = 0) -> StorageFull | StorageReadOnly | None:
    """Why nothing, or not as much as ``needed`` bytes, can be written now, where that is so (statvfs(3))."""
    status = os.statvfs(root)
    if status.f_flag & os.ST_RDONLY:
        return read_only(root)
    return full(root) if status.f_bavail * status.f_frsize <= needed else None


def keep_reserve(path: Path) -> None:
    """Holds some space back in a file, which is given up when the disk is full: a container cannot be removed without writing that down.

    It is made again once there is plenty.
    """
    free = _free(path.parent)
    try:
        if free < _RESERVE_BYTES:
            path.unlink(missing_ok=True)
        elif free > 8 * _RESERVE_BYTES and not path.exists():
            _allocate(path)
    except OSError:
        # a read-only disk, or somebody was quicker
        pass


def _free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _allocate(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, _RESERVE_BYTES)
    finally:
        os.close(fd)


def check_writable(root: Path) -> None:
    """Raises ``StorageReadOnly``: overlayfs would only say that something is invalid."""
    if os.statvfs(root).f_flag & os.ST_RDONLY:
        raise read_only(root)


def full(root: Path | None) -> StorageFull:
    return StorageFull(f"no space left on the disk of {_named(root)}; free some, or remove containers and images, and try again")


def read_only(root: Path | None) -> StorageReadOnly:
    return StorageReadOnly(f"{_named(root)} is on a read-only file system; mount it writable and try again")


def _named(root: Path | None) -> str:
    return str(root) if root else "the data root"
