"""A copy of a volume's content, made where no volume is until it is whole."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from moby_tui.engine.kernel.trees import closing, remove
from moby_tui.engine.resources.volumes.driver_options import IMAGE
from moby_tui.engine.resources.volumes.populate import DATA, copy
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import MobyError, StorageFull

#: Folders that are being filled; who fills one holds a lock on it.
CLONE = ".cloning-"
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@asynccontextmanager
async def copied(folder: Path, root: int, name: str, limit: Callable[[Path], None]) -> AsyncIterator[Path]:
    """A volume's folder with a copy of what is in the one open as ``root``; what is not taken away from there is deleted.

    ``limit`` is called for the empty folder.
    Raises ``StorageFull``, and ``MobyError`` where what is copied is changed meanwhile.
    """
    made = folder / f"{CLONE}{os.urandom(8).hex()}"
    made.mkdir(mode=0o701)
    with closing(os.open(made, _OPEN_DIRECTORY)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            (made / DATA).mkdir(mode=0o755)
            limit(made)
            await in_thread(_fill, root, made, name)
            yield made
        finally:
            await in_thread(remove, made)


def _fill(root: int, made: Path, name: str) -> None:
    """A limit may be a file system of its own, which is mounted for as long as this takes."""
    if not (made / IMAGE).exists():
        _copy(root, made, name)
        return
    from moby_tui.engine.policy import quota

    quota.mount_image(made / IMAGE, made / DATA)
    try:
        _copy(root, made, name)
    finally:
        _unmount(made)


def _unmount(made: Path) -> None:
    """Where nothing is mounted that is no error."""
    if (made / IMAGE).exists():
        from moby_tui.engine.kernel import mount

        with suppress(OSError):
            mount.umount2(str(made / DATA), mount.UMOUNT_NOFOLLOW)


def _copy(root: int, made: Path, name: str) -> None:
    try:
        with (
            closing(os.open(".", _OPEN_DIRECTORY, dir_fd=root)) as source,
            closing(os.open(made / DATA, _OPEN_DIRECTORY)) as target,
        ):
            copy(source, target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"no space left to clone volume {name}; free some on the disk of the data root") from error
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise MobyError(
                f"volume {name} was changed while it was cloned; stop or pause what writes to it, and try again"
            ) from error
        raise MobyError(f"cannot clone volume {name}: {(error.strerror or str(error)).lower()}") from error


def sweep(folder: Path) -> None:
    """Deletes what was left by who was killed."""
    for left in folder.glob(f"{CLONE}*"):
        with suppress(OSError), closing(os.open(left, _OPEN_DIRECTORY)) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _unmount(left)
            remove(left)
