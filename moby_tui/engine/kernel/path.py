"""Paths that cannot leave a root: openat2(2).

A hostile tree may hold any symbolic link, and may change while it is looked at; a path in it is resolved by the kernel,
never by text.
"""

from __future__ import annotations

import ctypes
import errno
import os

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


_SYS_OPENAT2 = 437
_RACE_RETRIES = 128


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_libc = ctypes.CDLL(None, use_errno=True)
_syscall = ctypes.CFUNCTYPE(
    ctypes.c_long, ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(_OpenHow), ctypes.c_size_t, use_errno=True
)(("syscall", _libc))
_syncfs = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, use_errno=True)(("syncfs", _libc))


def openat2(dirfd: int, path: str | bytes, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """Opens a path under rules of resolution (openat2(2), Linux 5.6); the descriptor is close-on-exec.

    A rename beside it makes the kernel answer EAGAIN when it cannot vouch for ``..``; that is tried again.
    Raises ``OSError``: ELOOP where a forbidden link was met, EXDEV where the path leaves what it may not.
    """
    name = os.fsencode(path)
    if b"\0" in name:
        raise OSError(errno.EINVAL, "a path cannot hold a NUL byte")
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    for _ in range(_RACE_RETRIES):
        fd = int(_syscall(_SYS_OPENAT2, dirfd, name, ctypes.byref(how), ctypes.sizeof(how)))
        if fd >= 0:
            return fd
        error = ctypes.get_errno()
        if error not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(error, os.strerror(error), os.fsdecode(name))


def open_in_root(root: int, path: str | bytes, flags: int, mode: int = 0) -> int:
    """Opens a path as a process whose root is the directory ``root`` would, and without following magic links."""
    return openat2(root, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)


def sync_file_system(fd: int) -> None:
    """Writes everything of the file system that holds ``fd`` to its disk (syncfs(2)); raises ``OSError`` where that failed."""
    if _syncfs(fd) != 0:
        raise OSError(ctypes.get_errno(), "syncfs: " + os.strerror(ctypes.get_errno()))
