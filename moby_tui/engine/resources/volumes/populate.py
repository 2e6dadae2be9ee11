"""The first content of a volume: a copy of what the image has at the path where the volume is mounted.

All of it comes into the volume or nothing, also if the process is killed, and nothing that another process has written there is replaced:
see ``staging``.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from moby_tui.engine.kernel.path import RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, open_in_root, openat2
from moby_tui.engine.kernel.trees import closing
from moby_tui.engine.resources.volumes.ownership import Ownership
from moby_tui.errors import MobyError, StorageFull

DATA = "_data"
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY


def is_there(rootfs: int, destination: str) -> bool:
    """True if the root file system open as ``rootfs`` has something at a path.

    Also true for a path that cannot be resolved: ``populate`` raises the error.
    """
    try:
        os.close(open_in_root(rootfs, destination, os.O_PATH))
    except OSError as error:
        return error.errno != errno.ENOENT
    return True


class _NotEmpty(Exception):
    """Another process has written into the volume during the copy."""


def populate(
    folder: Path,
    name: str,
    rootfs: int,
    destination: str,
    subpath: str = "",
    *,
    place: str = "",
    owner: Ownership | None = None,
) -> bool:
    """Copies the directory ``destination`` of a root file system into an empty volume: owners, modes, times, attributes, links.

    ``folder`` is that of the volumes, ``subpath`` the part of the volume that is filled, ``place`` the path where a plug-in has mounted its
    volume, ``owner`` what the volume's own folder has in place of the image's. Returns True after a copy, and False if the image or the
    volume has no such path, or the volume has content. Blocking. Raises ``StorageFull``, and ``MobyError``, also for a destination that is
    no directory; then nothing is changed.
    """
    from moby_tui.engine.kernel import fault
    from moby_tui.engine.resources.volumes import staging, tree_copy  # few containers fill a volume

    with _copy_errors(name, destination), ExitStack() as opened:
        own = opened.enter_context(closing(os.open(folder / name, _OPEN_DIRECTORY)))
        fcntl.flock(own, fcntl.LOCK_EX)
        try:
            source = opened.enter_context(closing(open_in_root(rootfs, destination, os.O_PATH)))
            data = opened.enter_context(closing(_open_data(own, place)))
            target = opened.enter_context(closing(_open_part(data, subpath)))
        except FileNotFoundError:
            # the image need not have the path, nor the volume the part
            return False
        if os.listdir(target):
            return False
        content = opened.enter_context(closing(os.open(f"/proc/self/fd/{source}", _OPEN_DIRECTORY)))
        note = staging.Note(name, place=os.fsencode(f"/{subpath}"), attributes=True, keeps=True)
        try:
            with staging.staged(folder, data, note) as made:
                tree_copy.copy_of_image(content, made, None if subpath else owner)
                fault.point("volumes.fill copied")
                if staging.has_content(target):
                    raise _NotEmpty
        except _NotEmpty:
            return False
        status = os.fstat(content)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))  # the removal of the folder of the copy has changed them
        return True


def _open_data(own: int, place: str) -> int:
    """Opens a volume's content: ``place``, or the folder of the content in the volume's own folder."""
    if place:
        return os.open(place, _OPEN_DIRECTORY)
    return os.open(DATA, _OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=own)


def _open_part(data: int, subpath: str) -> int:
    """Opens a part of a volume. The kernel resolves the path, and refuses links that lead out of the volume (CVE-2021-25741)."""
    return openat2(data, subpath or ".", _OPEN_DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)


@contextmanager
def _copy_errors(volume: str, destination: str) -> Iterator[None]:
    """Turns an ``OSError`` of the block into ``StorageFull`` or ``MobyError``, with the names of the volume and of the image's path."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                f"no space left to copy {destination} into volume {volume}; free some on the data root's disk"
            ) from error
        if error.errno == errno.ENOTDIR:
            raise MobyError(
                f"cannot mount volume {volume} over existing file: {destination} of the image is not directory; mount it elsewhere"
            ) from error
        raise MobyError(f"cannot copy {destination} of the image into volume {volume}: {error.strerror}") from error
