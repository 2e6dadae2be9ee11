"""COPY and ADD: files of the context, or of another stage, are copied into a root file system (``selection`` has which).

Both trees are hostile. Their paths are resolved by the kernel inside their roots (openat2, RESOLVE_IN_ROOT); a file is read and made
by its name in an opened directory and never through a link.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.resources.builder.execution.selection import (
    CHUNK,
    DIRECTORY,
    MOST_LINKS,
    NOTHING,
    READ,
    Excludes,
    folder_of,
    located,
    too_many_links,
    walk,
)
from moby_tui.engine.resources.dockerfile.modes import Mode
from moby_tui.engine.store.disk import refusals_told
from moby_tui.errors import InvalidArgument
from moby_tui.patterns import Ignore

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Attributes:
    """The attributes of copies: an owner, and a mode and a time (nanoseconds since 1970) if those of the source are not kept.

    ``keeps_owner``: the owner is the source's too; directories that are made for copies are root's.
    """

    uid: int = 0
    gid: int = 0
    mode: Mode | None = None
    time: int | None = None
    keeps_owner: bool = False

    def owner(self, status: os.stat_result) -> tuple[int, int]:
        """The ids for a copy of an object with this status."""
        return (status.st_uid, status.st_gid) if self.keeps_owner else (self.uid, self.gid)

    def times(self, status: os.stat_result) -> tuple[int, int]:
        """Access and modification time for a copy of an object with this status."""
        time = status.st_mtime_ns if self.time is None else self.time
        return time, time


def copy(
    source: int, paths: list[bytes], target: int, destination: bytes, attributes: Attributes, exclude: Ignore = NOTHING
) -> None:
    """Copies what ``select`` found, but for what ``exclude`` names below a directory. A destination with a slash at its end is a
    directory to copy into. Blocking.

    Raises ``InvalidArgument`` if the destination is in the way, ``StorageFull``.
    """
    with refusals_told(), explained("COPY", destination):
        for path in paths:
            with trees.closing(open_in_root(source, path or b".", os.O_PATH)) as top:
                status = os.fstat(top)
            if stat.S_ISDIR(status.st_mode):
                _copy_tree(source, path, target, destination.rstrip(b"/"), attributes, exclude)
            else:
                _copy_file(source, path, target, destination, attributes)


@dataclass(frozen=True)
class Placing:
    """How BuildKit's FileOp copies (tonistiigi/fsutil, copy/copy.go).

    A directory is copied as what is in it (``contents``), or as itself; into the destination if that is there. A link is followed
    (``follow``), or copied. ``replaces``: what is no directory makes way for one.
    """

    attributes: Attributes
    follow: bool = False
    contents: bool = False
    replaces: bool = False

    def place(self, source: int, path: bytes, target: int, destination: bytes, exclude: Excludes = NOTHING) -> None:
        """Copies one object. Blocking. Raises ``InvalidArgument`` where the destination is in the way."""
        with refusals_told(), explained("copy", destination), located(source, path, follow=self.follow) as (origin, name):
            status = os.stat(name, dir_fd=origin, follow_symlinks=False)
            is_folder = stat.S_ISDIR(status.st_mode)
            above, _, last = destination.rpartition(b"/")
            with trees.closing(make_directory(target, destination if last in (b"", b".") else above, self.attributes)):
                there = _is_directory(target, destination)
            if there and not (is_folder and self.contents):
                destination = destination.rstrip(b"/") + b"/" + (path.rpartition(b"/")[2] or b".")
            if is_folder:
                self._place_folder(origin, name, status, target, destination, exclude)
                return
            above, _, last = _behind_links(target, destination).rpartition(b"/")
            with trees.closing(make_directory(target, above, self.attributes)) as parent:
                copy_object(origin, name, status, parent, last, self.attributes)

    def _place_folder(
        self, origin: int, name: bytes, status: os.stat_result, target: int, destination: bytes, exclude: Excludes
    ) -> None:
        """One that is made has the attributes of its source, unless it is made for the contents."""
        is_made = not _is_directory(target, destination)
        above, _, last = destination.rstrip(b"/").rpartition(b"/")
        with (
            trees.closing(make_directory(target, above, self.attributes)) as parent,
            trees.closing(os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=origin)) as top,
        ):
            if is_made and self.replaces:
                with suppress(FileNotFoundError):
                    os.unlink(last, dir_fd=parent)
            if is_made and not self.contents:
                os.mkdir(last, 0o700, dir_fd=parent)
                with trees.closing(os.open(last, DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)) as made:
                    describe(made, top, status, self.attributes)
            _copy_tree(top, b"", target, destination.rstrip(b"/"), self.attributes, exclude)
        if is_made and not self.contents:
            with trees.closing(open_in_root(target, destination, DIRECTORY)) as made:
                os.utime(made, ns=self.attributes.times(status))


def make_directory(root: int, path: bytes, attributes: Attributes) -> int:
    """Opens a directory of a root file system, making what is missing of it with mode 0755, also where a link leads to it.

    Raises ``InvalidArgument`` for links that lead to each other, and ``OSError``."""
    made, links = b"", 0
    pending = path.split(b"/")[::-1]
    while pending:
        part = pending.pop()
        if part in (b"", b"."):
            continue
        if part == b"..":
            made = made.rpartition(b"/")[0]
            continue
        with trees.closing(open_in_root(root, made or b".", DIRECTORY)) as folder:
            link = _link(folder, part)
            if link is None:
                _make_one(folder, part, attributes)
                made += b"/" + part
                continue
        links += 1
        if links > MOST_LINKS:
            raise too_many_links(path)
        made = b"" if link.startswith(b"/") else made
        pending += link.split(b"/")[::-1]
    return open_in_root(root, made or b".", DIRECTORY)


def _make_one(folder: int, name: bytes, attributes: Attributes) -> None:
    try:
        os.mkdir(name, 0o755, dir_fd=folder)
    except FileExistsError:
        return
    with trees.closing(os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)) as made:
        os.fchown(made, attributes.uid, attributes.gid)
        os.fchmod(made, 0o755)
        if attributes.time is not None:
            os.utime(made, ns=(attributes.time, attributes.time))


def _link(folder: int, name: bytes) -> bytes | None:
    """The target of a link; None if there is no link of this name."""
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError:
        return None


@contextmanager
def explained(instruction: str, destination: bytes) -> Iterator[None]:
    """The error to raise for an ``OSError``: the Dockerfile's fault (``InvalidArgument``), unless it is one of the disk."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
            raise
        raise InvalidArgument(f"{instruction} failed: {os.fsdecode(destination)[:200]}: {error.strerror}") from error


def _copy_tree(source: int, path: bytes, target: int, destination: bytes, attributes: Attributes, exclude: Excludes) -> None:
    """The content of a directory; the directories there are already take the attributes of those copied over them."""
    with trees.closing(make_directory(target, destination, attributes)):
        pass
    directories: list[tuple[bytes, os.stat_result]] = []
    with trees.closing(open_in_root(source, path or b".", DIRECTORY)) as top:
        parent: tuple[bytes, int] | None = None
        try:
            for folder, relative, name, status in walk(top, exclude):
                above = destination + b"/" + relative.rpartition(b"/")[0]
                if parent is None or parent[0] != above:
                    if parent is not None:
                        os.close(parent[1])
                        parent = None
                    parent = (above, open_in_root(target, above, DIRECTORY))
                if stat.S_ISDIR(status.st_mode):
                    _copy_directory(folder, name, parent[1], target, above + b"/" + name, attributes)
                    directories.append((above + b"/" + name, status))
                else:
                    copy_object(folder, name, status, parent[1], name, attributes)
        finally:
            if parent is not None:
                os.close(parent[1])
    for made, status in directories:
        with trees.closing(open_in_root(target, made, DIRECTORY)) as fd:
            os.utime(fd, ns=attributes.times(status))


def _copy_directory(source: int, name: bytes, parent: int, target: int, path: bytes, attributes: Attributes) -> None:
    """Makes the directory ``name`` in ``parent``, unless it is there, with owner, extended attributes and mode of the one in ``source``."""
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)
    with (
        trees.closing(os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=source)) as origin,
        trees.closing(open_in_root(target, path, DIRECTORY)) as fd,
    ):
        describe(fd, origin, os.fstat(origin), attributes)


def _copy_file(source: int, path: bytes, target: int, destination: bytes, attributes: Attributes) -> None:
    """Copies one file: into the destination if that is a directory, else under its name. A link in an argument is followed in its root."""
    base = path.rpartition(b"/")[2]
    if destination.endswith(b"/") or _is_directory(target, destination):
        folder, name = destination, base
    else:
        folder, _, name = _behind_links(target, destination).rpartition(b"/")
    with (
        folder_of(source, path) as (origin, origin_name),
        trees.closing(make_directory(target, folder, attributes)) as parent,
    ):
        status = os.stat(origin_name, dir_fd=origin, follow_symlinks=False)
        copy_object(origin, origin_name, status, parent, name, attributes)


def _behind_links(root: int, destination: bytes) -> bytes:
    """The path that a destination leads to if it is a link, also a dangling one."""
    path = destination
    for _ in range(MOST_LINKS):
        above, _, name = path.rpartition(b"/")
        try:
            folder = open_in_root(root, above or b".", DIRECTORY)
        except FileNotFoundError:
            return path
        with trees.closing(folder):
            link = _link(folder, name)
        if link is None:
            return path
        path = link if link.startswith(b"/") else above + b"/" + link
    raise too_many_links(destination)


def _is_directory(root: int, path: bytes) -> bool:
    try:
        os.close(open_in_root(root, path, os.O_PATH | os.O_DIRECTORY))
    except OSError:
        return False
    return True


def copy_object(source: int, name: bytes, status: os.stat_result, parent: int, target: bytes, attributes: Attributes) -> None:
    """``status``: of the object. A socket, which has no listener any more, is left out, as in every layer."""
    if stat.S_ISSOCK(status.st_mode):
        return
    try:
        _make(source, name, status, parent, target, attributes)
    except FileExistsError:
        if stat.S_ISDIR(os.stat(target, dir_fd=parent, follow_symlinks=False).st_mode):
            raise InvalidArgument(
                f"COPY failed: cannot copy to non-directory: {os.fsdecode(target)[:200]} is a directory there"
            ) from None
        os.unlink(target, dir_fd=parent)
        _make(source, name, status, parent, target, attributes)


def _make(source: int, name: bytes, status: os.stat_result, parent: int, target: bytes, attributes: Attributes) -> None:
    """A pipe or device is made anew and never opened. Raises ``FileExistsError``."""
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), target, dir_fd=parent)
        os.chown(target, *attributes.owner(status), dir_fd=parent, follow_symlinks=False)
        os.utime(target, ns=attributes.times(status), dir_fd=parent, follow_symlinks=False)
        return
    if not stat.S_ISREG(status.st_mode):
        os.mknod(target, stat.S_IFMT(status.st_mode) | 0o600, status.st_rdev, dir_fd=parent)
        os.chown(target, *attributes.owner(status), dir_fd=parent, follow_symlinks=False)
        os.chmod(target, _mode(status, attributes), dir_fd=parent)
        os.utime(target, ns=attributes.times(status), dir_fd=parent, follow_symlinks=False)
        return
    with (
        trees.closing(os.open(name, READ, dir_fd=source)) as origin,
        trees.closing(os.open(target, _CREATE, _mode(status, attributes) & 0o777, dir_fd=parent)) as fd,
    ):
        # one byte more than it has: a short read is the end
        size = min(CHUNK, status.st_size + 1)
        while data := os.read(origin, size):
            last = len(data) < size
            while data:
                data = data[os.write(fd, data) :]
            if last:
                break
        describe(fd, origin, status, attributes)
        os.utime(fd, ns=attributes.times(status))


def describe(fd: int, origin: int, status: os.stat_result, attributes: Attributes) -> None:
    """Owner, extended attributes, mode: in this order, for a change of owner takes capabilities and set-id bits away.

    What is so already is left: on an overlay each change costs more than a look.
    """
    made, mode = os.fstat(fd), _mode(status, attributes)
    owner = attributes.owner(status)
    if (made.st_uid, made.st_gid) != owner:
        os.fchown(fd, *owner)
    for name in os.listxattr(origin):
        if name == "security.capability" or (name.startswith("user.") and not name.startswith("user.overlay.")):
            with suppress(OSError):
                os.setxattr(fd, name, os.getxattr(origin, name))
    if stat.S_IMODE(made.st_mode) != mode:
        os.fchmod(fd, mode)


def _mode(status: os.stat_result, attributes: Attributes) -> int:
    mode = stat.S_IMODE(status.st_mode)
    return mode if attributes.mode is None else attributes.mode.of(mode, directory=stat.S_ISDIR(status.st_mode))
