"""The entries of a folder of a container, an image or a volume, read without opening any: a hostile container may be at work there."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from moby_tui.engine.archive import files
from moby_tui.engine.kernel.ids import Owners
from moby_tui.engine.kernel.trees import closing
from moby_tui.errors import InvalidArgument
from moby_tui.schema.files import FolderEntry

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character",
    stat.S_IFBLK: "block",
}


def listing(root: int, path: str, of: str, owners: Owners | None = None) -> Iterator[FolderEntry]:
    """The entries of the folder ``path`` below ``root``, by the bytes of their names; links on the way lead about inside it.

    ``of`` is what errors call what ``root`` belongs to; ``owners`` says how the owners of files appear to a container.

    Blocking. Raises ``NotFound``, and ``InvalidArgument`` for what is no folder.
    """
    with files.opened(root, path, of, follow=True) as folder_fd:
        if not stat.S_ISDIR(os.fstat(folder_fd).st_mode):
            raise InvalidArgument(f"{path} is not a directory; name one")
        folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder_fd)
    with closing(folder):
        for name in sorted(os.listdir(folder), key=os.fsencode):
            with suppress(FileNotFoundError):  # gone since
                yield _entry(folder, name, owners or Owners())


def _entry(folder: int, name: str, owners: Owners) -> FolderEntry:
    with closing(os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)) as fd:
        status = os.fstat(fd)
        target = os.readlink("", dir_fd=fd) if stat.S_ISLNK(status.st_mode) else msgspec.UNSET
    uid, gid = owners.inside(status.st_uid, status.st_gid)
    return FolderEntry(
        name=name,
        name_bytes=msgspec.UNSET if _is_text(name) else base64.b64encode(os.fsencode(name)).decode(),
        type=_TYPES[stat.S_IFMT(status.st_mode)],
        size=status.st_size,
        mode=stat.S_IMODE(status.st_mode),
        uid=uid,
        gid=gid,
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
