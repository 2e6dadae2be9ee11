"""Locks between processes: ``flock(2)`` on a file. The kernel lets go of them when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time

from moby_tui.errors import Unavailable

_POLL = 0.005
_PROBE_RETRY = 0.002


class FileLock:
    """A lock on a file, which is created if it is not there: exclusive, or held by all who want it ``shared``. Not re-entrant.

    A child made by fork holds it too, until it closes the descriptor or executes something.
    """

    def __init__(self, path: str | os.PathLike[str], *, shared: bool = False) -> None:
        self.path = os.fspath(path)
        self._kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        self._fd = -1

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd >= 0

    def fileno(self) -> int:
        """The descriptor that carries the lock, to be handed to a process that shall hold it on."""
        return self._fd

    def try_acquire(self) -> bool:
        """Takes the lock if nobody has it. Raises ``FileNotFoundError`` if the folder is gone."""
        if self._attempt():
            return True
        time.sleep(_PROBE_RETRY)  # it may have been no holder but somebody's ``is_held``
        return self._attempt()

    def acquire(self, timeout: float | None = None) -> None:
        """Takes the lock, waiting for it at most ``timeout`` seconds (None: for ever). Raises ``Unavailable`` after that."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._attempt():
            self._check(deadline, timeout)
            time.sleep(_POLL)

    async def acquire_async(self, timeout: float | None = None) -> None:
        """As ``acquire``, for an event loop; a task that is cancelled while it waits leaves nothing locked."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._attempt():
            self._check(deadline, timeout)
            import asyncio

            await asyncio.sleep(_POLL)

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.release()

    async def __aenter__(self) -> FileLock:
        await self.acquire_async()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.release()

    def _attempt(self) -> bool:
        if self._fd >= 0:
            raise RuntimeError(f"{self.path} is locked by this very object")
        while True:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(fd, self._kind | fcntl.LOCK_NB)
                if _is_file(fd, self.path):
                    self._fd = fd
                    return True
            except BlockingIOError:
                return False
            finally:
                if self._fd != fd:
                    os.close(fd)

    def _check(self, deadline: float | None, timeout: float | None) -> None:
        if deadline is not None and time.monotonic() >= deadline:
            raise Unavailable(f"{self.path} has been locked by another process for {timeout:g} s; try again")


def is_held(path: str | os.PathLike[str]) -> bool:
    """Whether some process holds the lock on this file; false if there is no such file.

    It looks by taking the lock shared for an instant, which ``try_acquire`` allows for.
    """
    try:
        # not to write: those who watch a monitor's lock wait for its holder to close it (``containers/start/watching.py``)
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def _is_file(fd: int, path: str) -> bool:
    """Whether the path still leads to this file: the last holder may have removed it."""
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    mine = os.fstat(fd)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)
