"""Copies trees of files into volumes: owners, modes, times, attributes, links, holes. No symbolic link is followed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from moby_tui.engine.kernel.trees import closing, open_below
from moby_tui.engine.resources.volumes.ownership import Ownership

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
#: Extended attributes of overlayfs and of the host's security policy, which have no meaning in a volume.
_FOREIGN_XATTRS = ("trusted.overlay.", "security.selinux")
#: What of an image's files is not taken into a volume.
_FOREIGN_IN_IMAGES = ("trusted.", "security.selinux", "system.")


def copy_of_image(source: int, target: int, owner: Ownership | None) -> None:
    """Copies what is in a directory of an image into another, which gets the directory's owner, mode and times too. Raises ``OSError``.

    ``owner`` is what the target itself gets in place of the source's owner and mode.
    """
    _Copy(source, target, owner).run()


def copy(source: int, target: int, skip: tuple[int, int] | None = None) -> None:
    """Copies what is in one opened directory into another: owners, modes, times, attributes, links, holes. Raises ``OSError``.

    ``skip`` is the device and inode of a directory that is left out.
    """
    _Copy(source, target, skip=skip, foreign=_FOREIGN_XATTRS).run()


class _Copy:
    """Copies a tree directory by directory. Each is opened from the top, and no symbolic link is followed."""

    def __init__(
        self,
        source: int,
        target: int,
        owner: Ownership | None = None,
        skip: tuple[int, int] | None = None,
        foreign: tuple[str, ...] = _FOREIGN_IN_IMAGES,
    ) -> None:
        """``owner`` is what the target itself gets in place of the source's owner and mode; ``foreign`` as for ``copy_attributes``."""
        self._source = source
        self._owner = owner
        self._skip = skip
        self._foreign = foreign
        self._target = target
        self._first_names: dict[tuple[int, int], tuple[bytes, bytes]] = {}

    def run(self) -> None:
        """Copies everything, then sets owners, modes and times of directories. Raises ``OSError``."""
        directories = [b"."]
        for directory in directories:  # the loop appends to the list that it walks
            with closing(open_below(self._source, directory)) as source, closing(open_below(self._target, directory)) as target:
                directories += [directory + b"/" + os.fsencode(name) for name in self._copy_entries(directory, source, target)]
        for directory in reversed(directories):  # last, since each new entry changes its directory's times
            with closing(open_below(self._source, directory)) as source, closing(open_below(self._target, directory)) as target:
                copy_attributes(source, target, os.fstat(source), self._foreign)
                if directory == b"." and self._owner is not None:
                    self._owner.apply(target)

    def _copy_entries(self, directory: bytes, source: int, target: int) -> Iterator[str]:
        """Copies the files of a directory, makes its subdirectories, and yields the names of these."""
        for name in os.listdir(source):
            status = os.stat(name, dir_fd=source, follow_symlinks=False)
            if (status.st_dev, status.st_ino) == self._skip:
                continue
            if stat.S_ISDIR(status.st_mode):
                os.mkdir(name, 0o700, dir_fd=target)
                yield name
            elif status.st_nlink > 1 and (first := self._first_names.get((status.st_dev, status.st_ino))):
                with closing(open_below(self._target, first[0])) as folder:
                    os.link(first[1], name, src_dir_fd=folder, dst_dir_fd=target, follow_symlinks=False)
            elif not stat.S_ISSOCK(status.st_mode):
                self._first_names[status.st_dev, status.st_ino] = (directory, os.fsencode(name))
                with closing(os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=source)) as descriptor:
                    copy_opened(descriptor, target, name, self._foreign)


def copy_opened(found: int, target: int, name: str, foreign: tuple[str, ...] = _FOREIGN_XATTRS) -> None:
    """Copies an object that is open with O_PATH, and is no directory: its copy is ``name`` in ``target``. Raises ``OSError``."""
    status = os.fstat(found)
    if stat.S_ISREG(status.st_mode):
        reading = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_NONBLOCK)
        with closing(reading), closing(os.open(name, _CREATE, 0o600, dir_fd=target)) as writing:
            _copy_content(reading, writing, status.st_size)
            copy_attributes(reading, writing, status, foreign)
        return
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink("", dir_fd=found), name, dir_fd=target)
    else:
        os.mknod(name, stat.S_IFMT(status.st_mode) | 0o600, status.st_rdev, dir_fd=target)
    os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
    with closing(os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=target)) as node:
        _copy_xattrs(f"/proc/self/fd/{found}", f"/proc/self/fd/{node}", foreign)
        if not stat.S_ISLNK(status.st_mode):
            Path(f"/proc/self/fd/{node}").chmod(stat.S_IMODE(status.st_mode))
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=target, follow_symlinks=False)


def _copy_content(reading: int, writing: int, size: int) -> None:
    """Copies the bytes of a file; its holes stay holes (lseek(2), SEEK_DATA)."""
    os.ftruncate(writing, size)
    end = 0
    while end < size:
        try:
            start = os.lseek(reading, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        end = min(os.lseek(reading, start, os.SEEK_HOLE), size)
        os.lseek(writing, start, os.SEEK_SET)
        while start < end and (sent := os.sendfile(writing, reading, start, min(end - start, 1 << 30))):
            start += sent
        if start < end:  # another process has made the file shorter
            return


def copy_attributes(source: int, target: int, status: os.stat_result, foreign: tuple[str, ...] = _FOREIGN_XATTRS) -> None:
    """Sets owner, attributes, mode and times, in this order: chown(2) clears capabilities and the set-user-id bit.

    Extended attributes whose names begin as ``foreign`` says are left out.
    """
    os.fchown(target, status.st_uid, status.st_gid)
    _copy_xattrs(source, target, foreign)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _copy_xattrs(source: int | str, target: int | str, foreign: tuple[str, ...]) -> None:
    """What the target's file system, or the kernel's policy, does not take is left out, as by cp(1)."""
    for name in os.listxattr(source):
        if not name.startswith(foreign):
            try:
                os.setxattr(target, name, os.getxattr(source, name))
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENODATA):
                    raise
