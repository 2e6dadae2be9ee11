"""Measures and deletes trees that a container made, of any depth, size and names, even while they change: no recursion, few descriptors."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress

from moby_tui.engine.kernel.path import RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, openat2

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@contextmanager
def closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


def open_below(top: int, path: bytes) -> int:
    """Opens a directory under another without following any link. Raises ``OSError``."""
    return openat2(top, path, os.O_RDONLY | os.O_DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)


class Meter:
    """Counts what trees take on disk, as du(1) does: blocks, and a file with several names once, also over several trees."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, int]] = set()

    def of(self, path: str | os.PathLike[str], skip: Container[bytes] = ()) -> int:
        """The bytes of a file or tree, without files that were counted before; 0 if it is missing. ``skip``: names in it that are left out.

        Files deeper than the longest path are left out.
        """
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return 0
        own = self._take(status)
        return own + self.below(path, skip) if stat.S_ISDIR(status.st_mode) else own

    def alone(self, path: str | os.PathLike[str]) -> int:
        """The bytes of a file, or of a directory without its entries; 0 if it is missing."""
        try:
            return self._take(os.lstat(path))
        except FileNotFoundError:
            return 0

    def below(self, folder: str | os.PathLike[str], skip: Container[bytes] = ()) -> int:
        """As ``of`` a directory, without the directory itself. Raises ``OSError`` if it cannot be opened."""
        total = 0
        with closing(os.open(folder, _OPEN_DIRECTORY)) as top:
            directories = [b"."]
            while directories:
                directory = directories.pop()
                with suppress(OSError), closing(open_below(top, directory)) as fd, os.scandir(fd) as entries:
                    for entry in entries:
                        name = os.fsencode(entry.name)
                        if directory == b"." and name in skip:
                            continue
                        with suppress(FileNotFoundError):  # a container is changing it
                            status = entry.stat(follow_symlinks=False)
                            total += self._take(status)
                            if stat.S_ISDIR(status.st_mode):
                                directories.append(directory + b"/" + name)
        return total

    def _take(self, status: os.stat_result) -> int:
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            inode = (status.st_dev, status.st_ino)
            if inode in self._seen:
                return 0
            self._seen.add(inode)
        return status.st_blocks * 512


def link(source: int, into: int) -> None:
    """Gives an empty directory the directories of another, and in them the same files under the same names (link(2)).

    What others delete meanwhile is left out, as is what cannot be linked.
    """
    pending = [b"."]
    while pending:
        path = pending.pop()
        with suppress(OSError), closing(open_below(source, path)) as there, closing(open_below(into, path)) as here:
            for name in map(os.fsencode, os.listdir(there)):
                with suppress(OSError):
                    if stat.S_ISDIR(os.stat(name, dir_fd=there, follow_symlinks=False).st_mode):
                        os.mkdir(name, 0o700, dir_fd=here)
                        pending.append(path + b"/" + name)
                    else:
                        os.link(name, name, src_dir_fd=there, dst_dir_fd=here, follow_symlinks=False)


def empty(folder: int) -> None:
    """Deletes everything in a directory that nobody uses any more. A directory below is first moved up, so that none is deep.

    Mounts in it stay. Raises ``OSError`` (EXDEV if something is mounted); a second process that does the same at the same
    time is no error.
    """
    pending = [name for name in os.listdir(folder) if not _unlink(folder, name)]
    moved = 0
    while pending:
        name = pending.pop()
        with suppress(FileNotFoundError), closing(openat2(folder, name, _OPEN_DIRECTORY, 0, RESOLVE_NO_XDEV)) as directory:
            for below in [below for below in os.listdir(directory) if not _unlink(directory, below)]:
                moved += 1
                target = f".{os.getpid()}-{moved}"
                with suppress(FileNotFoundError):
                    os.rename(below, target, src_dir_fd=directory, dst_dir_fd=folder)
                    pending.append(target)
            os.rmdir(name, dir_fd=folder)


def remove_at(directory: int, name: str | bytes) -> None:
    """Deletes a directory by its name in an opened one, with all that is in it. Raises ``OSError``."""
    with closing(os.open(name, _OPEN_DIRECTORY, dir_fd=directory)) as fd:
        empty(fd)
    os.rmdir(name, dir_fd=directory)


def remove(folder: str | os.PathLike[str]) -> None:
    """Deletes a directory with all that is in it. Raises ``OSError``."""
    with suppress(FileNotFoundError):
        with closing(os.open(folder, _OPEN_DIRECTORY)) as fd:
            empty(fd)
        os.rmdir(folder)


def _unlink(directory: int, name: str) -> bool:
    """Deletes an entry unless it is a directory; True if the entry is gone."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EPERM):
            return False
        raise
    return True
