"""Trees of a file system as tar streams (POSIX.1-2017 ``pax``): ``cp`` in either direction, ``export``.

Extended attributes are written as records ``SCHILY.xattr.*``, times with nanoseconds. An object is identified by an ``O_PATH`` descriptor:
it is never opened by a name that could lead elsewhere, and a device not at all.
"""

from __future__ import annotations

import errno
import os
import stat as status_bits
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from moby_tui.engine.kernel.path import RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, openat2

_CHUNK = 1 << 20
_BLOCK = 512
_SCHILY = "SCHILY.xattr."
_OBJECT = os.O_PATH | os.O_NOFOLLOW
#: The end of an archive: two zero blocks.
_END = bytes(2 * _BLOCK)
OwnerOf = Callable[[int, int], tuple[int, int]]


def pack(top: int, base: str, owner_of: OwnerOf | None = None, *, device: int | None = None) -> Iterator[bytes]:
    """The plain tar of the object ``top`` and, where it is a directory, of what is below it; ``base`` is what it is called there.

    ``owner_of`` says whose things are in the archive that are a user's and a group's here. With ``device`` it is what is below the directory
    alone, as far as it is on that device. Whatever is changed meanwhile, nothing outside of ``top`` is read. Blocking.
    """
    writer = _Writer(owner_of)
    status = os.fstat(top)
    if device is None:
        yield from writer.member(top, base, status)
    pending = _children(top, "") if status_bits.S_ISDIR(status.st_mode) else []
    while pending:
        path = pending.pop()
        with suppress(FileNotFoundError, NotADirectoryError), _below(top, path) as fd:  # deleted or replaced meanwhile
            status = os.fstat(fd)
            yield from writer.member(fd, f"{base}/{path}" if device is None else path, status)
            if status_bits.S_ISDIR(status.st_mode) and device in (None, status.st_dev):
                pending += _children(top, path)
    yield _END


def _children(top: int, folder: str) -> list[str]:
    """The entries of a directory below ``top``, in reverse of the order in which they are written."""
    try:
        with _below(top, folder or ".", os.O_RDONLY | os.O_DIRECTORY) as fd:
            names = sorted(os.listdir(fd), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [f"{folder}/{name}" if folder else name for name in names]


@contextmanager
def _below(top: int, path: str, flags: int = _OBJECT) -> Iterator[int]:
    """Opens an object below ``top``. If a directory on its path was replaced by a link since the listing, the object counts as deleted."""
    try:
        fd = openat2(top, path, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from error
        raise
    try:
        yield fd
    finally:
        os.close(fd)


class _Writer:
    """Writes members; a second name of a file becomes a hard link to the first."""

    def __init__(self, owner_of: OwnerOf | None) -> None:
        self._owner_of = owner_of
        self._first_names: dict[tuple[int, int], str] = {}

    def member(self, fd: int, name: str, status: os.stat_result) -> Iterator[bytes]:
        """Header and data of the object that ``fd`` names. A socket is left out: no archive can hold one."""
        header = _header(fd, name, status)
        if header is None:
            return
        owner = status.st_uid, status.st_gid
        header.uid, header.gid = self._owner_of(*owner) if self._owner_of else owner
        if status.st_nlink > 1 and not header.isdir():
            first = self._first_names.setdefault((status.st_dev, status.st_ino), name)
            if first != name:
                header.type, header.linkname, header.size = tarfile.LNKTYPE, first, 0
        yield header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if header.isreg():
            yield from data(fd, header.size)


def _header(fd: int, name: str, status: os.stat_result) -> tarfile.TarInfo | None:
    header = tarfile.TarInfo(name)
    header.mode = status_bits.S_IMODE(status.st_mode)
    header.mtime = status.st_mtime_ns // 1_000_000_000
    records = {"mtime": f"{header.mtime}.{status.st_mtime_ns % 1_000_000_000:09d}"} if status.st_mtime_ns % 1_000_000_000 else {}
    if status_bits.S_ISREG(status.st_mode):
        header.size = status.st_size
    elif status_bits.S_ISDIR(status.st_mode):
        header.type = tarfile.DIRTYPE
    elif status_bits.S_ISLNK(status.st_mode):
        header.type, header.linkname = tarfile.SYMTYPE, os.readlink("", dir_fd=fd)
    elif status_bits.S_ISFIFO(status.st_mode):
        header.type = tarfile.FIFOTYPE
    elif status_bits.S_ISSOCK(status.st_mode):
        return None
    else:
        header.type = tarfile.CHRTYPE if status_bits.S_ISCHR(status.st_mode) else tarfile.BLKTYPE
        header.devmajor, header.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    if not status_bits.S_ISLNK(status.st_mode):
        records |= _xattr_records(fd)
    header.pax_headers = records
    return header


def _xattr_records(fd: int) -> dict[str, str]:
    """Capabilities and attributes ``user.*``; the others belong to the host or to the overlay."""
    path = f"/proc/self/fd/{fd}"
    records: dict[str, str] = {}
    try:
        names = os.listxattr(path)
    except OSError:
        # the file system has no attributes, as in /proc and /dev
        return records
    for name in names:
        if name == "security.capability" or name.startswith("user."):
            with suppress(OSError):
                records[_SCHILY + name] = os.getxattr(path, name).decode("utf-8", "surrogateescape")
    return records


def data(fd: int, size: int) -> Iterator[bytes]:
    """Exactly ``size`` bytes of the regular file ``fd``, and the padding. If the file is truncated meanwhile, zeros take the rest."""
    reading = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
    try:
        yield from contents(reading, size)
    finally:
        os.close(reading)


def contents(fd: int, size: int) -> Iterator[bytes]:
    """As ``data``, of a file that is open for reading, from where it stands."""
    remaining = size
    while remaining:
        piece = os.read(fd, min(_CHUNK, remaining)) or bytes(min(_CHUNK, remaining))
        remaining -= len(piece)
        yield piece
    if size % _BLOCK:
        yield bytes(-size % _BLOCK)
