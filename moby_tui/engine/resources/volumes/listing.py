"""What is in a folder of a volume, told without opening any of it: a container may be at work there, and is hostile."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from moby_tui.engine.archive import files
from moby_tui.engine.kernel.trees import closing
from moby_tui.errors import InvalidArgument
from moby_tui.schema.volume import VolumeFile

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character",
    stat.S_IFBLK: "block",
}


def listing(root: int, path: str) -> Iterator[VolumeFile]:
    """The entries of the folder ``path`` of the volume open as ``root``, by the bytes of their names; links on the way lead about inside it.

    Blocking. Raises ``NotFound``, and ``InvalidArgument`` for what is no folder.
    """
    with files.opened(root, path, "volume", follow=True) as found:
        if not stat.S_ISDIR(os.fstat(found).st_mode):
            raise InvalidArgument(f"{path} is not a directory; name one")
        folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=found)
    with closing(folder):
        for name in sorted(os.listdir(folder), key=os.fsencode):
            with suppress(FileNotFoundError):  # gone since
                yield _file(folder, name)


def _file(folder: int, name: str) -> VolumeFile:
    with closing(os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)) as fd:
        status = os.fstat(fd)
        target = os.readlink("", dir_fd=fd) if stat.S_ISLNK(status.st_mode) else msgspec.UNSET
    return VolumeFile(
        name=name,
        name_bytes=msgspec.UNSET if _is_text(name) else base64.b64encode(os.fsencode(name)).decode(),
        type=_TYPES[stat.S_IFMT(status.st_mode)],
        size=status.st_size,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        modified=files.moment(status.st_mtime_ns),
        accessed=files.moment(status.st_atime_ns),
        changed=files.moment(status.st_ctime_ns),
        target=target,
    )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
