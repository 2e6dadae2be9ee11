"""Half-made things: each in a folder of its own, locked by the process that makes it; the lock dies with its holder.

A folder that no process has locked is rubbish. Its name says what is being made, so that two processes never make the same thing.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from moby_tui.engine.kernel import trees
from moby_tui.engine.tasks import in_thread

_POLL_SECONDS = 0.1
#: Files with this prefix are kept although no process has them locked: see ``partial.py``.
PARTIAL = "partial-"
#: The locks on the folders that this process has claimed.
_held: dict[Path, int] = {}


@asynccontextmanager
async def claim(staging: Path, name: str) -> AsyncIterator[Path]:
    """Makes an empty folder, locked for this process until the end of the block and deleted then; waits while another process has it."""
    folder = staging / name
    while (lock := _try_lock(folder)) is None:  # noqa: ASYNC110 - the holder is another process
        await asyncio.sleep(_POLL_SECONDS)
    try:
        _held[folder] = lock
        await in_thread(_empty, folder)
        yield folder
    finally:
        _held.pop(folder, None)
        await in_thread(_release, folder, lock)  # an unpacked layer takes a while to delete


def lock_of(path: Path) -> int:
    """The lock on the claimed folder that ``path`` lies in, to be handed to a process that works there."""
    return next(_held[folder] for folder in (path, *path.parents) if folder in _held)


@contextmanager
def scratch(staging: Path) -> Iterator[Path]:
    """As ``claim``, under a random name; blocking."""
    while True:
        folder = staging / f"scratch-{os.urandom(8).hex()}"
        if (lock := _try_lock(folder)) is not None:
            break
    try:
        yield folder
    finally:
        _release(folder, lock)


def collect(staging: Path) -> int:
    """Deletes what was left by processes that are gone; returns how many things that were."""
    count = 0
    with suppress(FileNotFoundError):
        for folder in list(staging.iterdir()):
            if folder.name.startswith(PARTIAL):
                continue
            lock = _try_lock(folder, create=False)
            if lock is not None:
                _release(folder, lock)
                count += 1
    return count


def _try_lock(folder: Path, *, create: bool = True) -> int | None:
    """The lock on a folder that is still there under its name, or None while somebody else has it."""
    try:
        if create:
            folder.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), folder.lstat()):
            return fd
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(fd)
    return None


def _empty(folder: Path) -> None:
    for child in folder.iterdir():
        delete(child)


def _release(folder: Path, lock: int) -> None:
    try:
        delete(folder)
    finally:
        os.close(lock)


def delete(path: Path) -> None:
    """Removes a file or a whole tree, of any depth, without following links; a missing one is no error."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            trees.remove(path)
        else:
            path.unlink()


@contextmanager
def shared(lock_file: Path) -> Iterator[None]:
    """Keeps ``exclusive`` off while the block runs, in which layers and blobs are finished but not registered yet."""
    fd = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)  # an exclusive holder sweeps, which takes moments
        yield
    finally:
        os.close(fd)


@contextmanager
def exclusive(lock_file: Path) -> Iterator[bool]:
    """True if no process holds the lock shared; then none can take it until the end of the block."""
    fd = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


def age(path: Path) -> float:
    """Seconds since the thing was last changed."""
    return time.time() - path.lstat().st_mtime
