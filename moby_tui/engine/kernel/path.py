"""Paths that cannot leave a root: openat2(2).

A hostile tree may hold any symbolic link, and may change while it is looked at; a path in it is resolved by the kernel,
never by text.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Callable

from moby_tui.engine.kernel import calls

#: Do not cross a mount point.
RESOLVE_NO_XDEV = 0x01
#: Refuse links such as /proc/self/fd/3, which lead to an object rather than to a name.
RESOLVE_NO_MAGICLINKS = 0x02
#: Refuse every symbolic link, not only in the last component.
RESOLVE_NO_SYMLINKS = 0x04
#: Refuse a path that leads above the directory it starts from.
RESOLVE_BENEATH = 0x08
#: The directory it starts from is ``/``: absolute links and ``..`` stay in it.
RESOLVE_IN_ROOT = 0x10


#: As many links as the kernel follows in one path (path_resolution(7)).
_MOST_LINKS = 40
_WHOLE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS
FOLDER, FILE = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o644


class OpenHow(ctypes.Structure):
    """``struct open_how`` (openat2(2))."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def openat2(dirfd: int, path: str | bytes, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """Opens a path under rules of resolution (openat2(2), Linux 5.6); the descriptor is close-on-exec.

    Raises ``OSError``: ELOOP where a forbidden link was met, EXDEV where the path leaves what it may not.
    """
    name = os.fsencode(path)
    if b"\0" in name:
        raise OSError(errno.EINVAL, "a path cannot hold a NUL byte")
    how = OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    fd = calls.openat2(dirfd, name, ctypes.addressof(how), ctypes.sizeof(how))
    if fd >= 0:
        return fd
    error = ctypes.get_errno()
    raise OSError(error, os.strerror(error), os.fsdecode(name))


def open_in_root(root: int, path: str | bytes, flags: int, mode: int = 0) -> int:
    """Opens a path as a process whose root is the directory ``root`` would, and without following magic links."""
    return openat2(root, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)


def make_in_root(root: int, path: bytes, mode: int = FOLDER, device: int = 0, *, follow: bool = True) -> int:
    """Opens (O_PATH) a path as ``open_in_root`` does, and makes what is missing of it: folders 0755, at its end what ``mode`` says.

    A symbolic link that leads nowhere is followed like any other: what it names is made, inside the root. Every step begins at the
    root again and meets no link that was not read here, so that a tree which others change meanwhile leads nowhere else.
    Without ``follow`` no link may be met. Raises ``OSError``.
    """

    def link_at(folder: bytes, name: bytes, last: bool) -> bytes | None:
        parent = openat2(root, folder, os.O_PATH | os.O_DIRECTORY, 0, _WHOLE)
        try:
            link = _link_or_make(parent, name, mode if last else FOLDER, device)
        finally:
            os.close(parent)
        if link and not follow:
            raise _too_many_links(path)
        return link

    return openat2(root, _walk(path, link_at) or b".", os.O_PATH, 0, _WHOLE)


def resolve_in_root(root: int, path: bytes) -> bytes:
    """Where a path leads for a process whose root is the directory ``root``: without links and ``..``, from ``/`` on.

    What is not there is kept as it is called, so that this tells also what a link to nowhere names. Raises ``OSError``: ELOOP for a circle.
    """

    def link_at(folder: bytes, name: bytes, last: bool) -> bytes | None:
        del last  # what is missing stays missing, at the end of the path and before
        try:
            parent = openat2(root, folder, os.O_PATH | os.O_DIRECTORY, 0, _WHOLE)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None
            raise
        try:
            return _read_link(parent, name)
        finally:
            os.close(parent)

    return b"/" + _walk(path, link_at)


def _walk(path: bytes, link_at: Callable[[bytes, bytes, bool], bytes | None]) -> bytes:
    """The name, from the root on, of what ``path`` leads to, without links and ``..``; empty for the root.

    ``link_at(folder, name, last)`` returns the target of the link ``name`` in ``folder``, which is named from the root on and without
    links; ``last`` is True for the end of the path. It returns None if ``name`` is no link, and an empty target to be called once more.
    Raises ``OSError``: ELOOP for more links than the kernel follows in one path, and whatever ``link_at`` raises.
    """
    done: list[bytes] = []
    left = _names(path)
    links = 0
    while left:
        name = left.pop()
        if name == b"..":
            del done[-1:]
            continue
        link = link_at(b"/".join(done) or b".", name, not left)
        if link is None:
            done.append(name)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise _too_many_links(path)
        done = [] if link.startswith(b"/") else done
        left += _names(link) if link else [name]
    return b"/".join(done)


def _names(path: bytes) -> list[bytes]:
    """The names that a path is made of, the last one first."""
    return [name for name in path.split(b"/") if name not in (b"", b".")][::-1]


def _too_many_links(path: bytes) -> OSError:
    return OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fsdecode(path))


def _read_link(parent: int, name: bytes) -> bytes | None:
    """The target of the link ``name``; None if it is no link, or is not there."""
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT, errno.ENAMETOOLONG):
            return None
        raise


def _link_or_make(parent: int, name: bytes, mode: int, device: int) -> bytes | None:
    """The target of the link ``name``. None if it is no link, or was made by this call; empty if another process made it meanwhile."""
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        if error.errno != errno.ENOENT:
            raise
    try:
        if stat.S_ISDIR(mode):
            os.mkdir(name, stat.S_IMODE(mode), dir_fd=parent)
        else:
            os.mknod(name, mode, device, dir_fd=parent)
    except FileExistsError:
        return b""
    return None


def path_in(root: int, found: int) -> str:
    """The path of an opened object relative to a root, as the kernel knows it; it begins with ``/``."""
    base, name = os.readlink(f"/proc/self/fd/{root}"), os.readlink(f"/proc/self/fd/{found}")
    return "/" + name.removeprefix(base if name == base or name.startswith(base.rstrip("/") + "/") else "").lstrip("/")


def mount_id(fd: int) -> str:
    """The id of the mount that an opened object is on (proc_pid_fdinfo(5), ``mnt_id``)."""
    with open(f"/proc/self/fdinfo/{fd}") as file:
        return next(line.split()[1] for line in file if line.startswith("mnt_id:"))


def sync_file_system(fd: int) -> None:
    """Writes everything of the file system that holds ``fd`` to its disk (syncfs(2)); raises ``OSError`` if that failed."""
    if calls.syncfs(fd) != 0:
        raise OSError(ctypes.get_errno(), "syncfs: " + os.strerror(ctypes.get_errno()))
