"""From the kernel's errors to ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from moby_tui.errors import StorageFull, StorageReadOnly


@contextmanager
def storage() -> Iterator[None]:
    """Raises ``StorageFull`` for ENOSPC and EDQUOT, ``StorageReadOnly`` for EROFS; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("no space left on the data root's disk; free some (`moby image prune`) and try again") from error
        if error.errno == errno.EROFS:
            raise StorageReadOnly("the data root is on a read-only file system; mount it writable and try again") from error
        raise
