"""What the disk under the data root refuses, said so that a person knows what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moby_tui.errors import StorageFull, StorageReadOnly

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def refusals_told(root: Path) -> Iterator[None]:
    """Raises ``StorageFull`` for ENOSPC and EDQUOT, ``StorageReadOnly`` for EROFS; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise full(root) from error
        if error.errno == errno.EROFS:
            raise read_only(root) from error
        raise


def refusal(root: Path) -> StorageFull | StorageReadOnly | None:
    """Why nothing can be written now, where that is so (statvfs(3))."""
    status = os.statvfs(root)
    if status.f_flag & os.ST_RDONLY:
        return read_only(root)
    return full(root) if status.f_bavail == 0 else None


def check_writable(root: Path) -> None:
    """Raises ``StorageReadOnly``: overlayfs would only say that something is invalid."""
    if os.statvfs(root).f_flag & os.ST_RDONLY:
        raise read_only(root)


def full(root: Path) -> StorageFull:
    return StorageFull(
        f"no space left on the disk of data root {root}; free some, or remove containers and images, and try again"
    )


def read_only(root: Path) -> StorageReadOnly:
    return StorageReadOnly(f"data root {root} is on a read-only file system; mount it writable and try again")
