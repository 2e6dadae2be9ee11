"""Project quotas: limit how much a folder may hold, whichever user writes it (quotactl(2), FS_IOC_FSSETXATTR of ioctl_xfs_fsgetxattr(2)).

xfs and ext4 have them where they are mounted with ``prjquota``. A project is a number that files inherit from their folder. It is chosen by
lot, and taken where the file system knows of no use and no limit for it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import random
import struct

_SYS_QUOTACTL_FD = 443
_GET, _SET, _PROJECT = 0x800007, 0x800008, 2
#: ``struct if_dqblk``: hard, soft and current blocks; the same of inodes; two times; what of it is meant.
_QUOTA = struct.Struct("=8QI4x")
_BLOCK_LIMITS = 1
_BLOCK = 1024
#: ``struct fsxattr``: flags, extent size, extents, project, copy-on-write extent size.
_ATTRIBUTES = struct.Struct("=5I8x")
_GET_ATTRIBUTES, _SET_ATTRIBUTES = 0x801C581F, 0x401C5820
_INHERIT = 0x200
_LOWEST, _HIGHEST = 1 << 20, (1 << 31) - 1
#: Errors of a file system, or a kernel, without project quotas.
_ABSENT = frozenset(
    (errno.ESRCH, errno.ENOSYS, errno.ENOTSUP, errno.ENOTTY, errno.EINVAL, errno.ENOTBLK, errno.EPERM, errno.ENODEV, errno.ENXIO)
)

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = ctypes.CFUNCTYPE(
    ctypes.c_long, ctypes.c_long, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, use_errno=True
)(("syscall", _libc))


class NoQuota(Exception):
    """The file system has no project quotas that are in force."""


def limit(folders: list[str], size: int) -> None:
    """Limits what these folders, which are empty, may hold together to ``size`` bytes. Raises ``NoQuota``, ``OSError``."""
    opened = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) for folder in folders]
    try:
        project = _draw(opened[0])
        most = max(1, size // _BLOCK)
        _control(opened[0], _SET, project, _QUOTA.pack(most, most, 0, 0, 0, 0, 0, 0, _BLOCK_LIMITS))
        for folder in opened:
            _join(folder, project)
    except OSError as error:
        if error.errno in _ABSENT:
            raise NoQuota from error
        raise
    finally:
        for folder in opened:
            os.close(folder)


def _draw(folder: int) -> int:
    while True:
        project = random.randint(_LOWEST, _HIGHEST)
        try:
            hard, soft, blocks, _, _, inodes, *_ = _QUOTA.unpack(_control(folder, _GET, project, bytes(_QUOTA.size)))
        except FileNotFoundError:
            # xfs forgets a project without files
            return project
        if not (hard or soft or blocks or inodes):
            return project


def _control(folder: int, command: int, project: int, value: bytes) -> bytes:
    buffer = ctypes.create_string_buffer(value, len(value))
    if _syscall(_SYS_QUOTACTL_FD, folder, command << 8 | _PROJECT, project, ctypes.addressof(buffer)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"quota of project {project}: {os.strerror(number)}")
    return buffer.raw


def _join(folder: int, project: int) -> None:
    flags, extent, extents, _, copy_extent = _ATTRIBUTES.unpack(fcntl.ioctl(folder, _GET_ATTRIBUTES, bytes(_ATTRIBUTES.size)))
    fcntl.ioctl(folder, _SET_ATTRIBUTES, _ATTRIBUTES.pack(flags | _INHERIT, extent, extents, project, copy_extent))
