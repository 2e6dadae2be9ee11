"""What has come of a blob whose download broke: kept for the next pull, which goes on with it.

In staging, as ``partial-<hex of the digest>``: never under a name that content is used by. The process that fetches it holds it
locked; the lock dies with its holder. What is too old or too much is deleted.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from moby_tui.engine.resources.images.store import staging
from moby_tui.engine.resources.images.store.content import Ingest, hex_of
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import MobyError, Unavailable

#: As long as containerd lets an unfinished download lie.
_LONGEST_AGE = 24 * 3600.0
_MOST_BYTES = 10 << 30
#: Less is asked for again as quickly.
_WORTH_KEEPING = 1 << 16
_POLL_SECONDS = 0.1


@dataclass
class Partial:
    """A blob that is being fetched. ``resumed``: it began with what an earlier pull had left."""

    ingest: Ingest
    resumed: bool


@asynccontextmanager
async def claim(folder: Path, digest: str, size: int) -> AsyncIterator[Partial]:
    """The blob's file, ours alone until the end of the block; waits while another process has it.

    What was there is read and hashed before anything is added. After a transfer that broke it is kept, after any other end it is gone."""
    file = folder / f"{staging.PARTIAL}{hex_of(digest)}"
    while (lock := _try_lock(file)) is None:  # noqa: ASYNC110 - the holder is another process
        await asyncio.sleep(_POLL_SECONDS)
    keep = False
    try:
        with Ingest(file, keep=True) as ingest:
            try:
                await in_thread(ingest.take_in, size)
                yield Partial(ingest, ingest.size > 0)
            except (Unavailable, asyncio.CancelledError):
                keep = ingest.size >= _WORTH_KEEPING
                raise
    finally:
        if not keep:
            file.unlink(missing_ok=True)
        os.close(lock)


def collect(folder: Path, *, most: int = _MOST_BYTES, age: float = _LONGEST_AGE) -> int:
    """Deletes what is older than ``age`` seconds, and the oldest beyond ``most`` bytes in all; returns how many bytes that were."""
    found = []
    for file in folder.glob(f"{staging.PARTIAL}*"):
        with suppress(FileNotFoundError):
            found.append((staging.age(file), file.stat().st_size, file))
    kept = freed = 0
    for old, size, file in sorted(found):
        if old <= age and kept + size <= most:
            kept += size
        elif (lock := _try_lock(file)) is not None:
            freed += size
            file.unlink(missing_ok=True)
            os.close(lock)
    return freed


def idle(folder: Path) -> list[Path]:
    """Those that nobody goes on with just now: what ``collect`` would delete with ``most=0``."""
    found = []
    for file in folder.glob(f"{staging.PARTIAL}*"):
        if (lock := _try_lock(file)) is not None:
            found.append(file)
            os.close(lock)
    return found


def _try_lock(file: Path) -> int | None:
    """The lock on a file that is still there under its name, or None while somebody else has it."""
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), file.lstat()):
            return fd
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(fd)
    return None


def distrusts(error: MobyError) -> bool:
    """Whether a failure may come of what an earlier pull had left, rather than of the registry or the disk."""
    from moby_tui.errors import StorageFull, StorageReadOnly

    return not isinstance(error, Unavailable | StorageFull | StorageReadOnly)
