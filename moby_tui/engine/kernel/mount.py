"""Mounts: the file-descriptor interface of Linux 5.2 and later, and the older mount(2).

Thin typed calls; each raises ``OSError`` with the kernel's errno, and with the kernel's own words where it left some in the
descriptor of a file system context (``fsopen``). Descriptors are close-on-exec. Manual pages: fsopen(2), fsconfig(2), fsmount(2),
move_mount(2), open_tree(2), mount_setattr(2), mount(2), umount2(2).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_long, c_size_t, c_uint, c_uint64, c_ulong, c_void_p

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing typing takes 5 ms, in every monitor
    from typing import Any

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_NO_AUTOMOUNT = 0x800
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000

FSOPEN_CLOEXEC = 0x1
FSMOUNT_CLOEXEC = 0x1

FSCONFIG_SET_FLAG = 0
FSCONFIG_SET_STRING = 1
FSCONFIG_SET_BINARY = 2
FSCONFIG_SET_PATH = 3
FSCONFIG_SET_PATH_EMPTY = 4
FSCONFIG_SET_FD = 5
FSCONFIG_CMD_CREATE = 6
FSCONFIG_CMD_RECONFIGURE = 7
FSCONFIG_CMD_CREATE_EXCL = 8

MOVE_MOUNT_F_SYMLINKS = 0x1
MOVE_MOUNT_F_AUTOMOUNTS = 0x2
MOVE_MOUNT_F_EMPTY_PATH = 0x4
MOVE_MOUNT_T_SYMLINKS = 0x10
MOVE_MOUNT_T_AUTOMOUNTS = 0x20
MOVE_MOUNT_T_EMPTY_PATH = 0x40
MOVE_MOUNT_SET_GROUP = 0x100
MOVE_MOUNT_BENEATH = 0x200

OPEN_TREE_CLONE = 0x1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR__ATIME = 0x70
MOUNT_ATTR_RELATIME = 0x0
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_IDMAP = 0x100000
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_SYNCHRONOUS = 0x10
MS_REMOUNT = 0x20
MS_NOSYMFOLLOW = 0x100
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_UNBINDABLE = 0x20000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000
MS_RELATIME = 0x200000
MS_STRICTATIME = 0x1000000

MNT_FORCE = 0x1
MNT_DETACH = 0x2
MNT_EXPIRE = 0x4
UMOUNT_NOFOLLOW = 0x8

# These numbers are the same on every architecture.
_SYS_OPEN_TREE = 428
_SYS_MOVE_MOUNT = 429
_SYS_FSOPEN = 430
_SYS_FSCONFIG = 431
_SYS_FSMOUNT = 432
_SYS_MOUNT_SETATTR = 442

_KERNEL_MESSAGE_BYTES = 4096

Path = str | bytes


class MountAttr(ctypes.Structure):
    """``struct mount_attr`` (mount_setattr(2))."""

    _fields_ = (("attr_set", c_uint64), ("attr_clr", c_uint64), ("propagation", c_uint64), ("userns_fd", c_uint64))


_libc = ctypes.CDLL(None, use_errno=True)


def _prototype(name: str, *arguments: type[Any]) -> Callable[..., int]:
    """A C function with its types declared: an undeclared integer would be cut to 32 bits."""
    call = _libc[name]
    call.argtypes, call.restype = arguments, c_long if name == "syscall" else c_int
    return call


_fsopen = _prototype("syscall", c_long, c_char_p, c_uint)
_fsconfig = _prototype("syscall", c_long, c_int, c_uint, c_char_p, c_void_p, c_int)
_fsmount = _prototype("syscall", c_long, c_int, c_uint, c_uint)
_move_mount = _prototype("syscall", c_long, c_int, c_char_p, c_int, c_char_p, c_uint)
_open_tree = _prototype("syscall", c_long, c_int, c_char_p, c_uint)
_mount_setattr = _prototype("syscall", c_long, c_int, c_char_p, c_uint, c_void_p, c_size_t)
_mount = _prototype("mount", c_char_p, c_char_p, c_char_p, c_ulong, c_char_p)
_umount2 = _prototype("umount2", c_char_p, c_int)


def _checked(result: int, what: str, context: int = -1) -> int:
    if result >= 0:
        return result
    error = ctypes.get_errno()
    message = kernel_message(context) if context >= 0 else ""
    raise OSError(error, f"{what}: {os.strerror(error)}" + (f" ({message})" if message else ""))


def _bytes(path: Path | None) -> bytes | None:
    return None if path is None else os.fsencode(path)


def kernel_message(context: int) -> str:
    """What the kernel wrote into a file system context about its last failure; empty if nothing (fsopen(2))."""
    lines = []
    try:
        while line := os.read(context, _KERNEL_MESSAGE_BYTES):
            lines.append(line.decode("utf-8", "replace").strip())
    except OSError:  # ENODATA: no (more) messages
        pass
    return "; ".join(lines)


def fsopen(file_system: str, flags: int = FSOPEN_CLOEXEC) -> int:
    """A new file system context."""
    return _checked(_fsopen(_SYS_FSOPEN, os.fsencode(file_system), flags), f"fsopen {file_system}")


def fsconfig(context: int, command: int, key: str | None = None, value: Path | None = None, aux: int = 0) -> None:
    """Sets one parameter or gives a command; the commands have wrappers below. A string holds at most 255 bytes."""
    result = _fsconfig(_SYS_FSCONFIG, context, command, _bytes(key), _bytes(value), aux)
    _checked(result, f"fsconfig {key or command}", context)


def fsconfig_flag(context: int, key: str) -> None:
    fsconfig(context, FSCONFIG_SET_FLAG, key)


def fsconfig_string(context: int, key: str, value: Path) -> None:
    fsconfig(context, FSCONFIG_SET_STRING, key, value)


def fsconfig_create(context: int) -> None:
    """Makes the superblock from what was configured."""
    fsconfig(context, FSCONFIG_CMD_CREATE)


def fsmount(context: int, flags: int = FSMOUNT_CLOEXEC, attributes: int = 0) -> int:
    """Makes a detached mount of the context's superblock (``attributes``: MOUNT_ATTR_*)."""
    return _checked(_fsmount(_SYS_FSMOUNT, context, flags, attributes), "fsmount", context)


def move_mount(
    from_fd: int, from_path: Path, to_fd: int, to_path: Path, flags: int = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
) -> None:
    """Attaches or moves a mount; by default both sides are the descriptors themselves (with empty paths)."""
    _checked(_move_mount(_SYS_MOVE_MOUNT, from_fd, _bytes(from_path), to_fd, _bytes(to_path), flags), "move_mount")


def open_tree(dirfd: int, path: Path, flags: int = OPEN_TREE_CLOEXEC) -> int:
    """A descriptor of a mount; with OPEN_TREE_CLONE (and AT_RECURSIVE) of a detached copy of it, a bind mount in waiting."""
    return _checked(_open_tree(_SYS_OPEN_TREE, dirfd, _bytes(path), flags), f"open_tree {os.fsdecode(path)}".strip())


def mount_setattr(
    dirfd: int,
    path: Path = "",
    flags: int = AT_EMPTY_PATH,
    *,
    set: int = 0,
    clear: int = 0,
    propagation: int = 0,
    userns_fd: int = 0,
) -> None:
    """Changes MOUNT_ATTR_* (``set``, ``clear``), the propagation (MS_*) or the id map of a mount (Linux 5.12)."""
    attributes = MountAttr(set, clear, propagation, userns_fd)
    result = _mount_setattr(_SYS_MOUNT_SETATTR, dirfd, _bytes(path), flags, ctypes.byref(attributes), ctypes.sizeof(attributes))
    _checked(result, f"mount_setattr {os.fsdecode(path)}".strip())


def mount(source: Path | None, target: Path, file_system: str | None, flags: int = 0, data: str | bytes | None = None) -> None:
    """mount(2): the old way, by path; ``data`` holds at most 4095 bytes."""
    result = _mount(_bytes(source), _bytes(target), _bytes(file_system), flags, _bytes(data))
    _checked(result, f"mount {os.fsdecode(target)}")


def umount2(target: Path, flags: int = 0) -> None:
    _checked(_umount2(_bytes(target), flags), f"umount {os.fsdecode(target)}")
