"""A mount namespace in which nothing can be written, to execute a program in.

These few calls stand apart from ``calls`` and ``mount``, whose import takes longer than they do: a command of ``moby oci`` would pay
for it twice.
"""

from __future__ import annotations

import ctypes
import os

_CLONE_NEWNS = 0x00020000
_MS_SLAVE = 0x80000
_MOUNT_ATTR_RDONLY = 0x1
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_SYS_MOUNT_SETATTR = 442
_PR_SET_DUMPABLE = 4

_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """Gives the calling thread a copy of its mount namespace in which every mount is read-only (unshare(2), mount_setattr(2)).

    What the host unmounts meanwhile goes there too (MS_SLAVE). Raises ``OSError``.
    """
    _check(_libc.unshare(_CLONE_NEWNS), "make a mount namespace")
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY, 0, _MS_SLAVE, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    number = ctypes.c_long(_SYS_MOUNT_SETATTR)
    result = _libc.syscall(number, ctypes.c_long(_AT_FDCWD), b"/", ctypes.c_long(_AT_RECURSIVE), attributes, size)
    _check(result, "make mounts read-only")


def leave(namespace: int) -> None:
    """setns(2) to a mount namespace, at whose root the process then is. For a process with one thread. Raises ``OSError``."""
    _check(_libc.setns(namespace, _CLONE_NEWNS), "return to the mount namespace")


def forbid_dumps() -> None:
    """Makes the process not dumpable, and thereby its /proc/PID closed to others without CAP_SYS_PTRACE (prctl(2)). Raises ``OSError``."""
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(_PR_SET_DUMPABLE, zero, zero, zero, zero), "forbid dumps")


def _check(result: int, what: str) -> None:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
