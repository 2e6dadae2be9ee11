"""Unpacks a tar stream into a directory of a container (``docker cp`` into it).

The archive is hostile, and so is the container, which may change what is unpacked into while it is done. Paths are resolved by
the kernel inside the container's root; objects are made by their last name in an opened parent, and never through a link.
``tarfile`` reads headers only. Rules: Docker's ``archive.Unpack``: directories merge, anything else is replaced.
"""

from __future__ import annotations

import asyncio
import bz2
import concurrent.futures
import errno
import gzip
import io
import lzma
import os
import stat
import sys
import tarfile
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.ids import Owners
from moby_tui.engine.kernel.path import mount_id, open_in_root
from moby_tui.errors import InvalidArgument, MobyError, NotFound, StorageFull

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_CHUNK = 1 << 20
#: Extended headers hold names and attributes, never data: more is an attack on memory.
_EXTENDED_LIMIT = 1 << 20
_EXTENDED = frozenset(
    (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
)
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_LAST_TIME_NS = 2**33 * 1_000_000_000
_SCHILY = "SCHILY.xattr."


async def extract(
    root: int, path: str, pieces: AsyncIterator[bytes], *, strict: bool, owner: tuple[int, int] | None, owners: Owners
) -> None:
    """Unpacks ``pieces`` into the directory ``path`` below ``root``; see ``archive.put``. Owners are the container's ids."""
    feed = _Feed(pieces, asyncio.get_running_loop())
    work = asyncio.create_task(asyncio.to_thread(_unpack, root, path, feed, strict, owner, owners))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        feed.stop()  # the thread uses the caller's descriptor: it must have ended before we do
        await asyncio.gather(work, return_exceptions=True)
        raise


def _unpack(root: int, path: str, feed: io.RawIOBase, strict: bool, owner: tuple[int, int] | None, owners: Owners) -> None:
    with _told(path), _destination(root, path), owners.making_files():
        unpacking = _Unpacking(root, path, strict, owner, owners)
        with _decompressed(io.BufferedReader(feed, _CHUNK)) as stream, _tar(stream) as archive:
            for member in archive:
                unpacking.add(member, archive)
        unpacking.set_directory_times()


class _Feed(io.RawIOBase):
    """An asynchronous iterator's bytes, read from another thread."""

    def __init__(self, pieces: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._pieces = pieces
        self._loop = loop
        self._rest = b""
        self._waiting: concurrent.futures.Future[bytes | None] | None = None
        self._stopped = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = self._next()
            if piece is None:
                return 0
            self._rest = piece
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def stop(self) -> None:
        """Ends the reading, also one that waits."""
        self._stopped = True
        if self._waiting is not None:
            self._waiting.cancel()

    def _next(self) -> bytes | None:
        self._waiting = asyncio.run_coroutine_threadsafe(self._fetch(), self._loop)
        try:
            return self._waiting.result()
        except concurrent.futures.CancelledError as error:
            raise InvalidArgument("unexpected end of the archive; it was cut off") from error

    async def _fetch(self) -> bytes | None:
        if self._stopped:
            raise asyncio.CancelledError
        return await anext(self._pieces, None)


class _Header(tarfile.TarInfo):
    """A header that is checked: ``tarfile`` takes a damaged one for the end, and reads an extended one of any size."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _Header:
        try:
            return super().fromtarfile(archive)
        except (tarfile.EOFHeaderError, tarfile.EmptyHeaderError):  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise InvalidArgument(f"invalid archive: {error}") from error

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _EXTENDED and self.size > _EXTENDED_LIMIT:
            raise InvalidArgument(f"invalid archive: an extended header of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


class _Unpacking:
    """Members become objects below the destination, ``strict`` about directories and other things in each other's place."""

    def __init__(self, root: int, path: str, strict: bool, owner: tuple[int, int] | None, owners: Owners) -> None:
        self._root = root
        self._owners = owners
        self._path = os.fsencode("/" + path.strip("/"))
        self._strict = strict
        self._owner = owner
        self._directory_times: dict[bytes, tuple[int, int]] = {}

    def add(self, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        name = _clean(member.name)
        if not name:
            return
        folder, _, base = name.rpartition(b"/")
        with self._parent(folder) as parent:
            existing = _lstat(parent, base)
            if existing is not None and not self._make_way(parent, base, name, existing, member):
                self._describe_directory(parent, base, name, member)
            elif member.isdir():
                os.mkdir(base, 0o700, dir_fd=parent)
                self._describe_directory(parent, base, name, member)
            elif member.isreg():
                self._add_file(parent, base, member, archive)
            elif member.issym():
                os.symlink(os.fsencode(member.linkname), base, dir_fd=parent)
                self._describe(parent, base, member)
            elif member.islnk():
                self._add_hard_link(parent, base, member)
            else:
                self._add_node(parent, base, member)

    def set_directory_times(self) -> None:
        """At the end: what is made in a directory changes its times."""
        for name, times in self._directory_times.items():
            try:
                fd = open_in_root(self._root, self._path + b"/" + name, _OPEN_DIRECTORY)
            except OSError:  # replaced since
                continue
            with trees.closing(fd):
                os.utime(fd, ns=times)

    def _make_way(self, parent: int, base: bytes, name: bytes, existing: os.stat_result, member: tarfile.TarInfo) -> bool:
        """Removes what is in the way; returns false for a directory that a directory is merged into."""
        is_directory = stat.S_ISDIR(existing.st_mode)
        if is_directory and member.isdir():
            return False
        if self._strict and is_directory != member.isdir():
            here, there = ("directory", "non-directory") if is_directory else ("non-directory", "directory")
            target = os.fsdecode(self._path.rstrip(b"/") + b"/" + name)
            raise InvalidArgument(f'cannot overwrite {here} "{target}" with {there} "{member.name}"')
        if _is_mount_point(parent, base):
            # not of this process's mount namespace: the kernel would let it go, and what is mounted on it with it
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        if is_directory:
            trees.remove_at(parent, base)
        else:
            os.unlink(base, dir_fd=parent)
        return True

    def _add_file(self, parent: int, base: bytes, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        data = archive.extractfile(member)
        with trees.closing(os.open(base, _CREATE, 0o600, dir_fd=parent)) as fd:
            while data is not None and (chunk := data.read(_CHUNK)):
                while chunk:
                    chunk = chunk[os.write(fd, chunk) :]
            self._describe_open(fd, member)
            os.utime(fd, ns=_times(member))

    def _add_hard_link(self, parent: int, base: bytes, member: tarfile.TarInfo) -> None:
        """A second name; the attributes stay those of the first (CVE-2021-32760)."""
        folder, _, target = _clean(member.linkname).rpartition(b"/")
        source = open_in_root(self._root, self._path + b"/" + folder, os.O_PATH | os.O_DIRECTORY)
        with trees.closing(source):
            os.link(target, base, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)

    def _add_node(self, parent: int, base: bytes, member: tarfile.TarInfo) -> None:
        kinds = {tarfile.FIFOTYPE: stat.S_IFIFO, tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK}
        if member.type not in kinds:
            raise InvalidArgument(f"invalid archive: {member.name!r} is of the unknown type {member.type!r}")
        device = 0 if member.isfifo() else os.makedev(member.devmajor, member.devminor)
        if member.ischr() and device == 0:
            raise InvalidArgument(f"invalid archive: {member.name!r} is a device 0:0, which would hide a file")
        os.mknod(base, kinds[member.type] | 0o600, device, dir_fd=parent)
        self._describe(parent, base, member)

    def _describe_directory(self, parent: int, base: bytes, name: bytes, member: tarfile.TarInfo) -> None:
        with trees.closing(os.open(base, _OPEN_DIRECTORY, dir_fd=parent)) as fd:
            self._describe_open(fd, member)
        self._directory_times[name] = _times(member)

    def _describe_open(self, fd: int, member: tarfile.TarInfo) -> None:
        """Owner first: it takes away capabilities and the set-user-id bit."""
        os.fchown(fd, *self._owner_of(member))
        for key, value in member.pax_headers.items():
            name = key.removeprefix(_SCHILY)
            if key.startswith(_SCHILY) and (name == "security.capability" or name.startswith("user.")):
                _set_xattr(fd, name, value.encode("utf-8", "surrogateescape"))
        os.fchmod(fd, member.mode & 0o7777)

    def _describe(self, parent: int, base: bytes, member: tarfile.TarInfo) -> None:
        """For what must not be opened: links, devices, pipes."""
        os.chown(base, *self._owner_of(member), dir_fd=parent, follow_symlinks=False)
        if not member.issym():
            with trees.closing(os.open(base, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)) as fd:
                if not stat.S_ISLNK(os.fstat(fd).st_mode):
                    Path(f"/proc/self/fd/{fd}").chmod(member.mode & 0o7777)
        os.utime(base, ns=_times(member), dir_fd=parent, follow_symlinks=False)

    def _owner_of(self, member: tarfile.TarInfo) -> tuple[int, int]:
        try:
            return self._owners.outside(*(self._owner or (member.uid, member.gid)))
        except ValueError as error:
            raise InvalidArgument(f"cannot unpack {member.name!r}: {error}; map more ids, or copy without owners") from error

    @contextmanager
    def _parent(self, folder: bytes) -> Iterator[int]:
        """The directory that a member is made in; missing ones are made, root's, 0755."""
        try:
            fd = open_in_root(self._root, self._path + b"/" + folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            fd = self._make_parents(folder)
        with trees.closing(fd):
            yield fd

    def _make_parents(self, folder: bytes) -> int:
        path = self._path
        fd = open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY)
        for part in folder.split(b"/"):
            path += b"/" + part
            with trees.closing(fd):
                try:
                    fd = open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY)
                except FileNotFoundError:
                    os.mkdir(part, 0o755, dir_fd=fd)
                    fd = os.open(part, _OPEN_DIRECTORY, dir_fd=fd)
        return fd


def _clean(name: str) -> bytes:
    """A member's name relative to the destination, ``b""`` for that itself. Raises ``InvalidArgument`` where it leads above it."""
    parts: list[bytes] = []
    for part in os.fsencode(name).split(b"/"):
        if part == b"..":
            if not parts:
                raise InvalidArgument(f"invalid archive: {name[:200]!r} leads out of it")
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def _lstat(parent: int, base: bytes) -> os.stat_result | None:
    try:
        return os.stat(base, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_mount_point(parent: int, base: bytes) -> bool:
    with trees.closing(os.open(base, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)) as fd:
        return mount_id(fd) != mount_id(parent)


def _set_xattr(fd: int, name: str, value: bytes) -> None:
    try:
        os.setxattr(fd, name, value)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise


def _times(member: tarfile.TarInfo) -> tuple[int, int]:
    """``tarfile`` keeps times as floats; the exact ones are in the PAX records."""
    try:
        modified = int(Decimal(member.pax_headers.get("mtime", member.mtime)) * 1_000_000_000)
    except ArithmeticError:
        modified = 0
    modified = min(max(modified, 0), _LAST_TIME_NS)
    return modified, modified


def _decompressed(stream: io.BufferedReader) -> IO[bytes]:
    """The plain archive: what it is compressed with, if at all, shows in its first bytes. Several members are one after another."""
    magic = stream.peek(6)[:6]
    if magic.startswith(b"\x1f\x8b"):
        return io.BufferedReader(gzip.GzipFile(fileobj=stream))
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(stream)
    if magic.startswith(b"\xfd7zXZ"):
        return lzma.LZMAFile(stream)
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        return io.BufferedReader(zstd.ZstdFile(stream))
    return stream


def _tar(stream: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header, errors="surrogateescape")


@contextmanager
def _destination(root: int, path: str) -> Iterator[None]:
    """Sees that the destination is a directory."""
    try:
        fd = open_in_root(root, "/" + path.strip("/"), os.O_PATH)
    except OSError as error:
        raise NotFound(f"Could not find the file {path} in the container") from error
    with trees.closing(fd):
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            raise InvalidArgument("extraction point is not a directory")
    yield


@contextmanager
def _told(path: str) -> Iterator[None]:
    """What fails here is the archive's fault, or the disk's."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"no space left to unpack into {path}; free some on the data root's disk") from error
        if error.errno == errno.EROFS:
            raise InvalidArgument(f"cannot unpack into {path}: it is read-only") from error
        if error.errno is None:  # of a decompressor
            raise InvalidArgument(f"invalid archive: {error}") from error
        raise MobyError(f"cannot unpack into {path}: {error.strerror}") from error
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, zstd.ZstdError, ValueError) as error:
        raise InvalidArgument(f"invalid archive: {error}") from error
