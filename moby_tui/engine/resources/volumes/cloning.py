"""Copies a volume's content into a folder that becomes a volume once the copy is complete."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from moby_tui.engine.kernel.trees import closing, remove
from moby_tui.engine.resources.volumes.driver_options import IMAGE
from moby_tui.engine.resources.volumes.populate import DATA
from moby_tui.engine.resources.volumes.tree_copy import copy
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import MobyError, StorageFull

#: The beginning of the names of folders that an engine is filling. It holds a lock on the folder meanwhile.
CLONE = ".cloning-"
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@asynccontextmanager
async def copied(folder: Path, root: int, name: str, limit: Callable[[Path], None]) -> AsyncIterator[Path]:
    """Yields a new folder below ``folder`` with a copy of the volume ``name``, whose content is open as ``root``.

    The block renames the folder to keep it; else it is deleted. ``limit`` is called with the empty folder, to set its size.
    Raises ``StorageFull``, and ``MobyError``, also if another process changes the volume during the copy.
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
    """Copies the content. A folder whose size is limited by a file system in a file has that mounted during the copy."""
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
    """Unmounts the file system of a folder whose size is limited so; if it is not mounted, does nothing."""
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
    """Deletes the folders that killed engines were filling: those that no process holds locked."""
    for left in folder.glob(f"{CLONE}*"):
        with suppress(OSError), closing(os.open(left, _OPEN_DIRECTORY)) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _unmount(left)
            remove(left)
