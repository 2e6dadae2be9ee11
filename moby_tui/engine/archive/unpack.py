"""Unpacks a tar stream into a directory that holds files already: ``cp`` into a container, and out of one.

The archive is hostile, and so is the container, which may change what is unpacked into while it is done. Paths are resolved by
the kernel inside the root (openat2(2), RESOLVE_IN_ROOT); objects are made by their last name in an opened parent, and never through a
link (CVE-2018-15664, CVE-2025-4517). Rules: Docker's ``archive.Unpack``: directories merge, anything else is replaced.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from moby_tui.engine.archive import limits, tar
from moby_tui.engine.archive.compression import decompress
from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.path import mount_id, open_in_root
from moby_tui.errors import InvalidArgument, MobyError, StorageFull

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_KINDS = {tar.CHARACTER: stat.S_IFCHR, tar.BLOCK_DEVICE: stat.S_IFBLK, tar.FIFO: stat.S_IFIFO}
#: Capabilities and what users noted; other attributes belong to the host, to the file system or to the overlay.
_KEPT_XATTRS = (b"security.capability", b"user.")

#: Maps the owner in the archive to the owner on disk. Raises ``ValueError`` for ids that cannot be mapped.
OwnerOf = Callable[[int, int], tuple[int, int]]
Adapt = Callable[[tar.Entry], bool]


def unpack(
    chunks: Iterable[bytes],
    root: int,
    path: bytes,
    *,
    strict: bool = False,
    owner_of: OwnerOf | None = None,
    adapt: Adapt | None = None,
    shown: str = "",
) -> None:
    """Unpacks an archive, compressed or not, into the existing directory ``path`` below the directory open as ``root``.

    ``strict`` refuses to put a directory in the place of something else, or the reverse. Without ``owner_of`` all that is made belongs to the
    caller. ``adapt`` may change a member before it is made, and says whether it is wanted. ``shown`` is what errors call the destination.

    Blocking. Raises ``InvalidArgument`` for an archive that is damaged or would reach outside, ``StorageFull``, and ``MobyError`` for what
    the kernel refuses; what was unpacked until then stays.
    """
    Unpacking(root, path, shown or os.fsdecode(path), strict, owner_of).run(chunks, adapt)


@contextmanager
def _describe_failure(entry: tar.Entry) -> Iterator[None]:
    """The error to raise when a member cannot be made: the archive's fault, or the disk's."""
    name = os.fsdecode(entry.name)[:200]
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"no space left to unpack {name!r}; free some on the disk that it is unpacked to") from error
        if error.errno == errno.EROFS:
            raise InvalidArgument(f"cannot unpack {name!r}: it is read-only there") from error
        raise MobyError(f"cannot unpack {name!r}: {(error.strerror or str(error)).lower()}") from error


class Unpacking:
    """Members become objects below the destination."""

    def __init__(self, root: int, path: bytes, shown: str, strict: bool, owner_of: OwnerOf | None) -> None:
        self._root = root
        self._path = b"/" + path.strip(b"/")
        self._shown = shown
        self._strict = strict
        self._owner_of = owner_of
        self._directory_times: dict[bytes, tuple[int, int]] = {}
        self._most_directories = limits.value(limits.MOST_DIRECTORIES)

    def run(self, chunks: Iterable[bytes], adapt: Adapt | None = None) -> None:
        """Unpacks an archive, as ``unpack`` says."""
        reader = tar.Reader(decompress(chunks))
        for entry in reader:
            with _describe_failure(entry):
                if adapt is None or adapt(entry):
                    self._add(entry, reader.data)
        self._set_directory_times()

    def _add(self, entry: tar.Entry, data: Callable[[], Iterator[memoryview]]) -> None:
        name = tar.clean(entry.name)
        if not name:
            return
        folder, _, base = name.rpartition(b"/")
        with self._parent(folder) as parent:
            existing = lstat(parent, base)
            if existing is not None and not self._make_way(parent, base, name, existing, entry):
                self._describe_directory(parent, base, name, entry)
            elif entry.type == tar.DIRECTORY:
                os.mkdir(base, 0o700, dir_fd=parent)
                self._describe_directory(parent, base, name, entry)
            elif entry.type == tar.REGULAR:
                self._add_file(parent, base, entry, data)
            elif entry.type == tar.SYMBOLIC_LINK:
                os.symlink(entry.link, base, dir_fd=parent)
                self._describe(parent, base, entry)
            elif entry.type == tar.HARD_LINK:
                self._add_hard_link(parent, base, entry)
            else:
                self._add_node(parent, base, entry)

    def _set_directory_times(self) -> None:
        """At the end: what is made in a directory changes its times."""
        for name, times in self._directory_times.items():
            try:
                fd = open_in_root(self._root, self._path + b"/" + name, _OPEN_DIRECTORY)
            except OSError:  # replaced after it was made
                continue
            with trees.closing(fd):
                os.utime(fd, ns=times)

    def _make_way(self, parent: int, base: bytes, name: bytes, existing: os.stat_result, entry: tar.Entry) -> bool:
        """Removes what is at the member's place. False for a directory that a directory of the archive is merged into."""
        is_directory, becomes_directory = stat.S_ISDIR(existing.st_mode), entry.type == tar.DIRECTORY
        if is_directory and becomes_directory:
            return False
        self._check_kind(name, existing, entry)
        if _is_mount_point(parent, base):
            # a mount point of another mount namespace: the kernel would remove it, with what is mounted on it
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        if is_directory:
            trees.remove_at(parent, base)
        else:
            os.unlink(base, dir_fd=parent)
        return True

    def _check_kind(self, name: bytes, existing: os.stat_result, entry: tar.Entry) -> None:
        """Raises ``InvalidArgument`` if a directory would take the place of something else, or the reverse, and that is not wanted."""
        is_directory = stat.S_ISDIR(existing.st_mode)
        if self._strict and is_directory != (entry.type == tar.DIRECTORY):
            here, there = ("directory", "non-directory") if is_directory else ("non-directory", "directory")
            target = f"{self._shown.rstrip('/')}/{os.fsdecode(name)}"
            raise InvalidArgument(f'cannot overwrite {here} "{target}" with {there} "{os.fsdecode(name)}"')

    def _add_file(self, parent: int, base: bytes, entry: tar.Entry, data: Callable[[], Iterator[memoryview]]) -> None:
        with trees.closing(os.open(base, _CREATE, 0o600, dir_fd=parent)) as fd:
            tar.write_file(fd, entry, data())
            self._describe_open(fd, entry)
            os.utime(fd, ns=entry.times)

    def _add_hard_link(self, parent: int, base: bytes, entry: tar.Entry) -> None:
        """A second name; the attributes stay those of the first (CVE-2021-32760)."""
        self._link(self._root, tar.clean(entry.link), parent, base)

    def _link(self, root: int, name: bytes, parent: int, base: bytes) -> None:
        folder, _, target = name.rpartition(b"/")
        source = open_in_root(root, self._path + b"/" + folder, os.O_PATH | os.O_DIRECTORY)
        with trees.closing(source):
            os.link(target, base, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)

    def _add_node(self, parent: int, base: bytes, entry: tar.Entry) -> None:
        device = 0 if entry.type == tar.FIFO else os.makedev(entry.major, entry.minor)
        if entry.type == tar.CHARACTER and device == 0:
            raise InvalidArgument(f"invalid archive: {os.fsdecode(entry.name)!r} is a device 0:0, which would hide a file")
        os.mknod(base, _KINDS[entry.type] | 0o600, device, dir_fd=parent)
        self._describe(parent, base, entry)

    def _describe_directory(self, parent: int, base: bytes, name: bytes, entry: tar.Entry) -> None:
        with trees.closing(os.open(base, _OPEN_DIRECTORY, dir_fd=parent)) as fd:
            self._describe_open(fd, entry)
        self._directory_times[name] = entry.times
        if len(self._directory_times) > self._most_directories:
            raise InvalidArgument(
                f"invalid archive: more than {self._most_directories} directories; "
                f"set {limits.MOST_DIRECTORIES[0]} to more if you trust its sender"
            )

    def _describe_open(self, fd: int, entry: tar.Entry) -> None:
        """Owner first: it takes away capabilities and the set-user-id bit."""
        if (owner := self._owner(entry)) is not None:
            os.fchown(fd, *owner)
        for name, value in entry.xattrs.items():
            if name.startswith(_KEPT_XATTRS):
                _set_xattr(fd, name, value)
        os.fchmod(fd, entry.mode)

    def _describe(self, parent: int, base: bytes, entry: tar.Entry) -> None:
        """Sets owner, mode and times by name, for objects that must not be opened: links, devices, pipes."""
        if (owner := self._owner(entry)) is not None:
            os.chown(base, *owner, dir_fd=parent, follow_symlinks=False)
        if entry.type != tar.SYMBOLIC_LINK:
            with trees.closing(os.open(base, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)) as fd:
                if not stat.S_ISLNK(os.fstat(fd).st_mode):
                    os.chmod(f"/proc/self/fd/{fd}", entry.mode)
        os.utime(base, ns=entry.times, dir_fd=parent, follow_symlinks=False)

    def _owner(self, entry: tar.Entry) -> tuple[int, int] | None:
        try:
            return self._owner_of(entry.uid, entry.gid) if self._owner_of else None
        except ValueError as error:
            name = os.fsdecode(entry.name)
            raise InvalidArgument(f"cannot unpack {name!r}: {error}; map more ids, or copy without owners") from error

    @contextmanager
    def _parent(self, folder: bytes) -> Iterator[int]:
        """The directory that a member is made in; missing ones are made, 0755."""
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


def lstat(parent: int, base: bytes) -> os.stat_result | None:
    try:
        return os.stat(base, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_mount_point(parent: int, base: bytes) -> bool:
    with trees.closing(os.open(base, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)) as fd:
        return mount_id(fd) != mount_id(parent)


def _set_xattr(fd: int, name: bytes, value: bytes) -> None:
    """An attribute that the file system cannot store is left out, as Docker does."""
    try:
        os.setxattr(fd, name, value)
    except OSError as error:
        if error.errno != errno.ENOTSUP and not (error.errno == errno.EPERM and name.startswith(b"user.")):
            raise
