"""Unpacks a layer into a directory, in the form overlayfs reads.

The archive is hostile. Every path is resolved by the kernel inside the directory (openat2, RESOLVE_IN_ROOT), every object is
made by its last name in an opened parent and never through a link. Nothing of the archive is opened once it is made.

Rules: OCI image specification, layer.md. Overlayfs on disk: a whiteout is a character device 0:0, an opaque directory has the
extended attribute ``trusted.overlay.opaque`` = ``y`` (kernel, Documentation/filesystems/overlayfs.rst).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator

from moby_tui.engine.archive import limits, tar
from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.resources.images.store.form import OPAQUE, is_opaque, is_whiteout
from moby_tui.engine.store.disk import refusals_told
from moby_tui.errors import InvalidArgument, MobyError

_WHITEOUT = b".wh."
_OPAQUE_MARKER = b".wh..wh..opq"
_AUFS_METADATA = b".wh..wh."

#: Attributes that belong to the overlay, to us, to the host's policy or to the file system, not to the image.
_FOREIGN_XATTRS = (
    *(b"trusted.overlay.", b"user.overlay.", b"trusted.moby."),
    *(b"security.selinux", b"security.ima", b"security.evm", b"system."),
)
#: As the kernel's own limit (path_resolution(7)).
_MOST_LINKS = 40
#: Directories kept open: archives go through a tree in some order, and come back to a directory after its subdirectories.
_MOST_OPEN = 64
#: Errors of the disk or of this process, not of the archive.
_NOT_THE_ARCHIVE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


#: Yields the data of the current member.
Data = Callable[[], Iterator[memoryview]]


class Applied:
    """The result: ``size`` in bytes of the files, and the directories that the layer uses without describing them."""

    def __init__(self) -> None:
        self.size = 0
        self.implied: set[bytes] = set()


def apply(chunks: Iterable[bytes], root: int, owner: tuple[int, int] | None = None) -> Applied:
    """Unpacks a plain tar stream into the empty directory open as ``root``. ``owner``: the ids of all members, in place of their own.

    Blocking: run it in a thread. Raises ``InvalidArgument`` for an archive that is damaged or would reach outside,
    ``StorageFull`` if the disk is. The caller deletes what was unpacked before the failure.
    """
    layer = _Layer(root)
    try:
        with refusals_told():
            reader = tar.Reader(chunks)
            for entry in reader:
                if owner is not None:
                    entry.uid, entry.gid = owner
                try:
                    layer.add(entry, reader.data)
                except OSError as error:
                    raise _error_for(entry.name, error) from error
            layer.set_directory_times()
        return layer.applied
    finally:
        layer.close()


def _error_for(name: bytes, error: OSError) -> Exception:
    """The error to raise for an ``OSError``: the archive's fault (``InvalidArgument``), unless it is one of the disk."""
    if error.errno in _NOT_THE_ARCHIVE:
        return error
    return InvalidArgument(f"cannot unpack {os.fsdecode(name)[:200]!r}: {error.strerror}")


class _Layer:
    """A layer being unpacked. Keeps directories open, since many members are made in the same ones."""

    def __init__(self, root: int) -> None:
        self._root = root
        self.applied = Applied()
        self._open: dict[bytes, int] = {}
        self._removed = False
        #: times and attributes to set at the end; bounded, since a hostile archive could fill the memory
        self._directory_times: dict[bytes, tuple[int, int]] = {}
        self._most_directories = limits.value(limits.MOST_DIRECTORIES)

    def close(self) -> None:
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    def add(self, entry: tar.Entry, data: Data) -> None:
        name = tar.clean(entry.name)
        if not name:
            if entry.type == tar.DIRECTORY:
                self._describe_directory(self._root, b"", entry)
            return
        directory, _, base = name.rpartition(b"/")
        if base.startswith(_WHITEOUT):
            self._add_whiteout(directory, base)
            return
        parent = self._open_parent(directory)
        if entry.type == tar.DIRECTORY:
            self._add_directory(parent, base, name, entry)
        elif entry.type == tar.REGULAR:
            self._add_file(parent, base, name, entry, data)
        else:
            self._remove(parent, base, name)
            self._add_special(parent, base, entry)

    def _add_special(self, parent: int, base: bytes, entry: tar.Entry) -> None:
        if entry.type == tar.SYMBOLIC_LINK:
            self._add_symbolic_link(parent, base, entry)
        elif entry.type == tar.HARD_LINK:
            self._add_hard_link(parent, base, entry)
        else:
            self._add_node(parent, base, entry)

    # Parents

    def _open_parent(self, directory: bytes) -> int:
        """The directory's descriptor, good until the next call. Missing ones are made, objects in the way are replaced."""
        if self._removed:
            self._close_all()
        fd = self._open.get(directory)
        if fd is None:
            fd = self._open_directory(directory)
            if self._removed or len(self._open) == _MOST_OPEN:
                self._close_all()
            self._open[directory] = fd
        return fd

    def _close_all(self) -> None:
        """Closes all cached directories: after a removal their paths may lead elsewhere."""
        self.close()
        self._removed = False

    def _open_directory(self, directory: bytes, links: int = 0) -> int:
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        try:
            return open_in_root(self._root, directory or b".", os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise
        fd = os.dup(self._root)
        path = b""
        for part in directory.split(b"/"):
            path = path + b"/" + part if path else part
            try:
                below = open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    os.close(fd)
                    raise
                if (target := _dangling_link(fd, part, path)) is not None:
                    below = self._open_directory(target, links + 1)
                else:
                    below = self._imply_directory(fd, part, path)
            os.close(fd)
            fd = below
        return fd

    def _imply_directory(self, parent: int, base: bytes, path: bytes) -> int:
        """Makes a parent that the archive does not describe: root's, 0755, until a lower layer gives its attributes (see ``layers``)."""
        over_whiteout = self._remove(parent, base, path)
        os.mkdir(base, 0o755, dir_fd=parent)
        fd = os.open(base, _OPEN_DIRECTORY, dir_fd=parent)
        os.fchmod(fd, 0o755)
        if over_whiteout:
            os.setxattr(fd, OPAQUE, b"y")
        else:
            self.applied.implied.add(path)
            self._check_count()
        return fd

    # Members

    def _add_directory(self, parent: int, base: bytes, name: bytes, entry: tar.Entry) -> None:
        """Makes a directory, or changes the attributes of one that is there; anything else there is replaced."""
        over_whiteout = False
        mode = entry.mode & 0o777
        try:
            os.mkdir(base, mode, dir_fd=parent)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(base, dir_fd=parent, follow_symlinks=False).st_mode):
                over_whiteout = self._remove(parent, base, name)
                os.mkdir(base, mode, dir_fd=parent)
        fd = os.open(base, _OPEN_DIRECTORY, dir_fd=parent)
        try:
            if over_whiteout:
                os.setxattr(fd, OPAQUE, b"y")
            self._describe_directory(fd, name, entry)
        finally:
            os.close(fd)

    def _describe_directory(self, fd: int, name: bytes, entry: tar.Entry) -> None:
        _describe(fd, entry)
        self._directory_times[name] = entry.times  # set at the end, since new entries change them
        self.applied.implied.discard(name)
        self._check_count()

    def _check_count(self) -> None:
        if len(self._directory_times) + len(self.applied.implied) > self._most_directories:
            raise InvalidArgument(
                f"invalid archive: more than {self._most_directories} directories; "
                f"set {limits.MOST_DIRECTORIES[0]} to more if you trust its sender"
            )

    def _add_file(self, parent: int, base: bytes, name: bytes, entry: tar.Entry, data: Data) -> None:
        try:
            fd = os.open(base, _CREATE, entry.mode & 0o777, dir_fd=parent)
        except FileExistsError:
            self._remove(parent, base, name)
            fd = os.open(base, _CREATE, entry.mode & 0o777, dir_fd=parent)
        try:
            tar.write_file(fd, entry, data())
            _describe(fd, entry)
            os.utime(fd, ns=entry.times)
        finally:
            os.close(fd)
        self.applied.size += entry.size

    def _add_symbolic_link(self, parent: int, base: bytes, entry: tar.Entry) -> None:
        """The target is kept as it is, wherever it points: it means something only inside a container."""
        os.symlink(entry.link, base, dir_fd=parent)
        os.chown(base, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
        if entry.xattrs:
            self._set_xattrs_by_name(parent, base, entry)
        os.utime(base, ns=entry.times, dir_fd=parent, follow_symlinks=False)

    def _add_hard_link(self, parent: int, base: bytes, entry: tar.Entry) -> None:
        """A second name; the attributes are those of the first (chmod through a link to a link: CVE-2021-32760)."""
        directory, _, target = tar.clean(entry.link).rpartition(b"/")
        try:
            source = open_in_root(self._root, directory or b".", os.O_PATH | os.O_DIRECTORY)
        except FileNotFoundError:
            raise self._missing_link_target(entry) from None
        try:
            if is_whiteout(os.stat(target, dir_fd=source, follow_symlinks=False)):
                raise self._missing_link_target(entry)
            os.link(target, base, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            raise self._missing_link_target(entry) from None
        finally:
            os.close(source)

    @staticmethod
    def _missing_link_target(entry: tar.Entry) -> MobyError:
        name, target = os.fsdecode(entry.name)[:200], os.fsdecode(entry.link)[:200]
        return InvalidArgument(f"cannot unpack {name!r}: it is a hard link to {target!r}, which is not in this layer")

    def _add_node(self, parent: int, base: bytes, entry: tar.Entry) -> None:
        if entry.type == tar.CHARACTER and entry.major == entry.minor == 0:
            raise InvalidArgument(f"invalid archive: {os.fsdecode(entry.name)[:200]!r} is a device 0:0, which would hide a file")
        kind = {tar.CHARACTER: stat.S_IFCHR, tar.BLOCK_DEVICE: stat.S_IFBLK, tar.FIFO: stat.S_IFIFO}[entry.type]
        os.mknod(base, kind | 0o600, os.makedev(entry.major, entry.minor), dir_fd=parent)
        os.chown(base, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
        fd = os.open(base, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)  # by name: opening a device calls its driver
        try:
            if entry.xattrs:
                _set_xattrs(f"/proc/self/fd/{fd}", entry)
            os.chmod(f"/proc/self/fd/{fd}", entry.mode)
        finally:
            os.close(fd)
        os.utime(base, ns=entry.times, dir_fd=parent, follow_symlinks=False)

    @staticmethod
    def _set_xattrs_by_name(parent: int, base: bytes, entry: tar.Entry) -> None:
        fd = os.open(base, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            _set_xattrs(f"/proc/self/fd/{fd}", entry)
        finally:
            os.close(fd)

    # Whiteouts hide entries of lower layers, never of this one, at whatever position in the archive they are

    def _add_whiteout(self, directory: bytes, marker: bytes) -> None:
        if self._is_no_directory(directory):
            return
        if marker == _OPAQUE_MARKER:
            self._make_opaque(self._open_parent(directory))
            return
        if marker.startswith(_AUFS_METADATA):
            return
        hidden = marker.removeprefix(_WHITEOUT)
        if hidden in (b"", b".", b".."):
            raise InvalidArgument(f"invalid archive: whiteout {os.fsdecode(marker)!r}")
        parent = self._open_parent(directory)
        if is_opaque(parent):
            return
        try:
            os.mknod(hidden, stat.S_IFCHR, 0, dir_fd=parent)
        except FileExistsError:
            if stat.S_ISDIR(os.stat(hidden, dir_fd=parent, follow_symlinks=False).st_mode):
                fd = os.open(hidden, _OPEN_DIRECTORY, dir_fd=parent)
                try:
                    self._make_opaque(fd)
                finally:
                    os.close(fd)

    def _is_no_directory(self, path: bytes) -> bool:
        """True if the path, or a parent of it, is a file of this layer: it hides all that is below (umoci writes whiteouts all the same)."""
        if path in self._open and not self._removed:
            return False
        try:
            os.close(open_in_root(self._root, path or b".", os.O_PATH | os.O_DIRECTORY))
        except OSError as error:
            return error.errno == errno.ENOTDIR
        return False

    @staticmethod
    def _make_opaque(directory: int) -> None:
        """Makes a directory opaque. Single whiteouts in it are removed, since overlayfs would show them."""
        os.setxattr(directory, OPAQUE, b"y")
        with os.scandir(directory) as children:
            whiteouts = [child.name for child in children if is_whiteout(child.stat(follow_symlinks=False))]
        for name in whiteouts:
            os.unlink(name, dir_fd=directory)

    def _remove(self, parent: int, base: bytes, name: bytes) -> bool:
        """Removes what has this name; True if it was a whiteout."""
        try:
            status = os.stat(base, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if stat.S_ISDIR(status.st_mode):
            trees.remove_at(parent, base)
            self._forget(name)
        else:
            os.unlink(base, dir_fd=parent)
        self._removed = True  # the path of the cached parent may lead through it
        return is_whiteout(status)

    def _forget(self, directory: bytes) -> None:
        """Drops what was noted for a removed directory: times, and inheritance of attributes."""
        below = directory + b"/"
        for name in [name for name in self._directory_times if name == directory or name.startswith(below)]:
            del self._directory_times[name]
        self.applied.implied -= {name for name in self.applied.implied if name == directory or name.startswith(below)}

    def set_directory_times(self) -> None:
        for name, times in self._directory_times.items():
            try:
                fd = open_in_root(self._root, name or b".", os.O_RDONLY | os.O_DIRECTORY)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                    # its path led through a link that was replaced meanwhile
                    continue
                raise
            try:
                os.utime(fd, ns=times)
            finally:
                os.close(fd)


def _dangling_link(parent: int, base: bytes, path: bytes) -> bytes | None:
    """Where a link leads, from the root and never above it, or None for what is no link. Its target may be in a lower layer."""
    try:
        target = os.readlink(base, dir_fd=parent)
    except OSError:
        return None
    parts: list[bytes] = [] if target.startswith(b"/") else path.split(b"/")[:-1]
    for part in target.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def _describe(fd: int, entry: tar.Entry) -> None:
    """Sets owner, extended attributes and mode of a new object. Compares first: most files have them already, and fstat is cheaper."""
    status = os.fstat(fd)
    if (status.st_uid, status.st_gid) != (entry.uid, entry.gid):
        os.fchown(fd, entry.uid, entry.gid)
    if entry.xattrs:
        _set_xattrs(fd, entry)
    if stat.S_IMODE(status.st_mode) != entry.mode:
        os.fchmod(fd, entry.mode)


def _set_xattrs(target: int | str, entry: tar.Entry) -> None:
    """After chown, which drops capabilities, and before chmod. What the file system cannot hold is left out, as Docker does."""
    for name, value in entry.xattrs.items():
        if name.startswith(_FOREIGN_XATTRS):
            continue
        try:
            os.setxattr(target, name, value)
        except OSError as error:
            if error.errno == errno.ENOTSUP or (error.errno == errno.EPERM and name.startswith(b"user.")):
                continue
            raise
