"""A tree on our disk that is made equal to a client's: entries in order, contents as they come. Blocking.

Entries arrive in the order of a walk: a folder, then what is in it, names in ascending order of their bytes. So whatever is on the disk
and is passed over has gone at the client, and is deleted. An object is made by its last name in an opened folder; a folder is
opened without following any link (openat2(2)), and no path of the client leads anywhere else.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from moby_tui.api.buildkit.session.files.entry import Entry, kept, shorten
from moby_tui.engine.archive import limits
from moby_tui.engine.kernel import trees
from moby_tui.errors import InvalidArgument, MobyError, StorageFull

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: Files whose contents come at the same time. A client of BuildKit sends four.
_MOST_OPEN = 64


@dataclass
class _Folder:
    """A folder whose entries are coming. ``left`` are the names that were there before, in descending order."""

    path: bytes
    entry: Entry | None
    left: list[bytes]
    last: bytes = b""


@dataclass
class _Coming:
    """A file whose contents were asked for."""

    entry: Entry
    fd: int = -1


@dataclass
class Tree:
    """Below the folder that is open as ``root``. ``wanted`` collects the numbers of files whose contents have to be asked for.
    ``changed``: something was made or deleted, or has another mode or owner, or contents.

    Raises ``InvalidArgument`` for entries and contents that no client sends, ``StorageFull``, and ``MobyError`` for what the kernel refuses;
    what was made until then stays, and the next client's entries correct it. Use as a context manager.
    """

    root: int
    wanted: list[int] = field(default_factory=list)
    changed: bool = False

    def __post_init__(self) -> None:
        self._count = 0
        self._most = limits.value(limits.MOST_FILES)
        self._coming: dict[int, _Coming] = {}
        self._opened = 0
        self._ended = False
        self._folder = os.dup(self.root)
        #: the folder of the file that was opened last, which is mostly that of the next
        self._parent: tuple[bytes, int] | None = None
        self._stack = [_Folder(b"", None, _names(self.root))]

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._folder)
        if self._parent is not None:
            os.close(self._parent[1])
        for coming in self._coming.values():
            if coming.fd >= 0:
                os.close(coming.fd)

    @property
    def complete(self) -> bool:
        """True if all entries and all contents have come."""
        return self._ended and not self._coming

    def add(self, entry: Entry) -> None:
        """The next entry: made, or left as it is if it is the same."""
        if self._ended:
            raise InvalidArgument("the client sends files after their end")
        number = self._count
        self._count += 1
        if self._count > self._most:
            raise InvalidArgument(
                f"the client sends more than {self._most} files; set {limits.MOST_FILES[0]} to more if you trust it"
            )
        try:
            self._put(number, entry)
        except OSError as error:
            # no context manager: most entries are the same as before, and the check of one costs little more than that
            raise _failure(entry.path, error) from error

    def _put(self, number: int, entry: Entry) -> None:
        name, existing = self._arrive(entry.path)
        if stat.S_ISDIR(entry.mode):
            self._add_folder(entry, name, existing)
        elif stat.S_ISREG(entry.mode) and entry.link:
            self._add_hard_link(entry, name, existing)
        elif stat.S_ISREG(entry.mode):
            self._add_file(number, entry, name, existing)
        elif not stat.S_ISSOCK(entry.mode):
            self._add_other(entry, name, existing)
        elif existing is not None:
            self._remove(name, existing)

    def skip(self) -> None:
        """All entries have come, and all are the same as what is there, which is left as it is."""
        self._ended = True

    def end(self) -> None:
        """There are no more entries."""
        if self._ended:
            raise InvalidArgument("the client sends the end of its files twice")
        self._ended = True
        with _failures(b"."):
            while self._stack:
                self._leave()

    def write(self, number: int, data: bytes) -> None:
        """The next part of a file's contents; an empty one is their end."""
        coming = self._coming.get(number)
        if coming is None:
            raise InvalidArgument("the client sends contents that were not asked for")
        with _failures(coming.entry.path):
            if coming.fd < 0:
                coming.fd = self._open(coming.entry.path)
            view = memoryview(data)
            while view:
                view = view[os.write(coming.fd, view) :]
            if not data:
                _describe_new(coming.fd, coming.entry)
                os.close(coming.fd)
                self._opened -= 1
                del self._coming[number]

    def _open(self, path: bytes) -> int:
        if self._opened >= _MOST_OPEN:
            raise InvalidArgument(f"the client sends more than {_MOST_OPEN} files at the same time")
        folder, _, name = path.rpartition(b"/")
        if self._parent is None or self._parent[0] != folder:
            opened = trees.open_below(self.root, folder or b".")
            if self._parent is not None:
                os.close(self._parent[1])
            self._parent = folder, opened
        fd = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._parent[1])
        self._opened += 1
        return fd

    def _arrive(self, path: bytes) -> tuple[bytes, os.stat_result | None]:
        """Goes to the folder of a path; its last name, and what is there. What is passed over is deleted."""
        parent, _, name = path.rpartition(b"/")
        while len(self._stack) > 1 and self._stack[-1].path != parent:
            self._leave()
        folder = self._stack[-1]
        if folder.path != parent or name <= folder.last:
            raise InvalidArgument(f"the client sends {shorten(path)} out of order")
        folder.last = name
        while folder.left and folder.left[-1] < name:
            self._remove_name(folder.left.pop())
        if not folder.left or folder.left[-1] != name:
            return name, None
        return folder.left.pop(), os.stat(name, dir_fd=self._folder, follow_symlinks=False)

    def _leave(self) -> None:
        """Ends the innermost folder. Its times come last: what is made in it changes them."""
        folder = self._stack.pop()
        while folder.left:
            self._remove_name(folder.left.pop())
        if folder.entry is not None:
            _describe_open(self._folder, folder.entry)
        if self._stack:
            os.close(self._folder)
            self._folder = -1
            self._folder = trees.open_below(self.root, self._stack[-1].path or b".")

    def _add_folder(self, entry: Entry, name: bytes, existing: os.stat_result | None) -> None:
        if existing is not None and not stat.S_ISDIR(existing.st_mode):
            self._remove(name, existing)
            existing = None
        self.changed |= existing is None or not _same(entry, existing)
        if existing is None:
            os.mkdir(name, 0o700, dir_fd=self._folder)
        fd = os.open(name, _OPEN_DIRECTORY, dir_fd=self._folder)
        os.close(self._folder)
        self._folder = fd
        self._stack.append(_Folder(entry.path, entry, _names(fd) if existing is not None else []))

    def _add_file(self, number: int, entry: Entry, name: bytes, existing: os.stat_result | None) -> None:
        """The same size and time mean the same contents, as for BuildKit."""
        if existing is not None:
            same = _same(entry, existing) and (existing.st_size, existing.st_mtime_ns) == (entry.size, entry.mtime)
            if same and _xattrs(b"/proc/self/fd/%d/%s" % (self._folder, name)) == entry.xattrs:
                return
            self._remove(name, existing)
        self.changed = True
        os.close(os.open(name, _CREATE, 0o600, dir_fd=self._folder))
        self._coming[number] = _Coming(entry)
        self.wanted.append(number)

    def _add_hard_link(self, entry: Entry, name: bytes, existing: os.stat_result | None) -> None:
        """Another name of a file that came before; what lies before it in the order has been made equal already."""
        if entry.link.split(b"/") >= entry.path.split(b"/"):
            raise InvalidArgument(
                f"the client sends {shorten(entry.path)} as a name of {shorten(entry.link)}, which has not come yet"
            )
        folder, _, target = entry.link.rpartition(b"/")
        with trees.closing(trees.open_below(self.root, folder or b".")) as there:
            status = os.stat(target, dir_fd=there, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                raise InvalidArgument(
                    f"the client sends {shorten(entry.path)} as a name of {shorten(entry.link)}, which is not a file"
                )
            if existing is not None:
                if (existing.st_dev, existing.st_ino) == (status.st_dev, status.st_ino):
                    return
                self._remove(name, existing)
            self.changed = True
            os.link(target, name, src_dir_fd=there, dst_dir_fd=self._folder, follow_symlinks=False)

    def _add_other(self, entry: Entry, name: bytes, existing: os.stat_result | None) -> None:
        """A symbolic link, a device or a pipe."""
        if existing is not None:
            if _same(entry, existing) and existing.st_rdev == entry.device and self._target(name, existing) == entry.link:
                os.utime(name, ns=(entry.mtime, entry.mtime), dir_fd=self._folder, follow_symlinks=False)
                return
            self._remove(name, existing)
        self.changed = True
        if stat.S_ISLNK(entry.mode):
            os.symlink(entry.link, name, dir_fd=self._folder)
        else:
            if stat.S_ISCHR(entry.mode) and entry.device == 0:
                raise InvalidArgument(f"the client sends {shorten(entry.path)}, a device 0:0, which would hide a file")
            os.mknod(name, entry.mode & ~0o7777 | 0o600, entry.device, dir_fd=self._folder)
        os.chown(name, entry.uid, entry.gid, dir_fd=self._folder, follow_symlinks=False)
        if not stat.S_ISLNK(entry.mode):
            with trees.closing(os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._folder)) as fd:
                os.chmod(f"/proc/self/fd/{fd}", stat.S_IMODE(entry.mode))
        os.utime(name, ns=(entry.mtime, entry.mtime), dir_fd=self._folder, follow_symlinks=False)

    def _target(self, name: bytes, existing: os.stat_result) -> bytes:
        return os.readlink(name, dir_fd=self._folder) if stat.S_ISLNK(existing.st_mode) else b""

    def _remove_name(self, name: bytes) -> None:
        self._remove(name, os.stat(name, dir_fd=self._folder, follow_symlinks=False))

    def _remove(self, name: bytes, existing: os.stat_result) -> None:
        self.changed = True
        if stat.S_ISDIR(existing.st_mode):
            trees.remove_at(self._folder, name)
        else:
            os.unlink(name, dir_fd=self._folder)


def _names(folder: int) -> list[bytes]:
    return sorted(map(os.fsencode, os.listdir(folder)), reverse=True)


def _same(entry: Entry, existing: os.stat_result) -> bool:
    """True for the same kind, permissions and owner. A symbolic link has no permissions."""
    kind = stat.S_IFMT(entry.mode) == stat.S_IFMT(existing.st_mode)
    permissions = stat.S_ISLNK(entry.mode) or entry.mode == existing.st_mode
    return kind and permissions and (entry.uid, entry.gid) == (existing.st_uid, existing.st_gid)


def _xattrs(file: int | bytes) -> dict[bytes, bytes]:
    """Of an opened file, or of one by its path, whose last name is no link that is followed."""
    follow = isinstance(file, int)
    try:
        names = os.listxattr(file, follow_symlinks=follow)
        if not names:
            return {}
        encoded = map(os.fsencode, names)
        return {name: os.getxattr(file, name, follow_symlinks=follow) for name in encoded if kept(name)}
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return {}


def _describe_open(fd: int, entry: Entry) -> None:
    for name in _xattrs(fd).keys() - entry.xattrs.keys():
        os.removexattr(fd, name)
    _describe_new(fd, entry)


def _describe_new(fd: int, entry: Entry) -> None:
    """Of a file that has no attributes yet. Owner first: it takes away capabilities and the set-user-id bit. The time comes last."""
    os.fchown(fd, entry.uid, entry.gid)
    for name, value in entry.xattrs.items():
        # one that the file system cannot store is left out, as in archives
        with suppress(OSError):
            os.setxattr(fd, name, value)
    os.fchmod(fd, stat.S_IMODE(entry.mode))
    os.utime(fd, ns=(entry.mtime, entry.mtime))


@contextmanager
def _failures(path: bytes) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _failure(path, error) from error


def _failure(path: bytes, error: OSError) -> MobyError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"no space left for {shorten(path)} of the client's files; free some on the data root's disk")
    return MobyError(f"cannot take {shorten(path)} from the client: {(error.strerror or str(error)).lower()}")
