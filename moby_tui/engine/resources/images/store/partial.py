"""Interrupted downloads: what has come of a blob is kept, and the next pull continues it.

In staging, as ``partial-<hex of the digest>``: never under the name of a blob. The process that fetches it holds it
locked; the lock dies with its holder. Files that are too old or too large together are deleted.
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
from moby_tui.engine.resources.images.store.content import Ingest
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import MobyError, Unavailable
from moby_tui.reference import hex_of

#: Seconds, as containerd keeps an unfinished download.
_LONGEST_AGE = 24 * 3600.0
_MOST_BYTES = 10 << 30
#: Fewer bytes are not worth keeping: they are downloaded again as quickly.
_WORTH_KEEPING = 1 << 16
_POLL_SECONDS = 0.1


@dataclass
class Partial:
    """A blob that is being fetched. ``resumed``: it began with bytes of an earlier pull."""

    ingest: Ingest
    resumed: bool


@asynccontextmanager
async def claim(folder: Path, digest: str, size: int) -> AsyncIterator[Partial]:
    """Locks the blob's file for this process until the end of the block; waits while another process has it.

    What was there is read and hashed before anything is added. The file is kept if the transfer breaks, and deleted after any other end."""
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
    files = []
    for file in folder.glob(f"{staging.PARTIAL}*"):
        with suppress(FileNotFoundError):
            files.append((staging.age(file), file.stat().st_size, file))
    kept = freed = 0
    for old, size, file in sorted(files):
        if old <= age and kept + size <= most:
            kept += size
        elif (lock := _try_lock(file)) is not None:
            freed += size
            file.unlink(missing_ok=True)
            os.close(lock)
    return freed


def idle(folder: Path) -> list[Path]:
    """The files that no process has locked: those that ``collect`` would delete with ``most=0``."""
    files = []
    for file in folder.glob(f"{staging.PARTIAL}*"):
        if (lock := _try_lock(file)) is not None:
            files.append(file)
            os.close(lock)
    return files


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
    """True if the bytes of an earlier pull may have caused the failure, rather than the registry or the disk."""
    from moby_tui.errors import StorageFull, StorageReadOnly

    return not isinstance(error, Unavailable | StorageFull | StorageReadOnly)
