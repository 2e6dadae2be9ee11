"""From the kernel's errors to ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from moby_tui.errors import StorageFull


@contextmanager
def storage() -> Iterator[None]:
    """Raises ``StorageFull`` for ENOSPC and EDQUOT; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("no space left on the data root's disk; free some (`moby image prune`) and try again") from error
        raise
