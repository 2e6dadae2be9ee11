"""Waiting for changes of files: ``inotify(7)``."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import NamedTuple

IN_MODIFY = 0x00000002
IN_CLOSE_WRITE = 0x00000008
IN_MOVED_FROM = 0x00000040
IN_MOVED_TO = 0x00000080
IN_CREATE = 0x00000100
IN_DELETE = 0x00000200
IN_DELETE_SELF = 0x00000400
IN_Q_OVERFLOW = 0x00004000
IN_IGNORED = 0x00008000
IN_ONLYDIR = 0x01000000

_HEADER = struct.Struct("iIII")
_READ_SIZE = 64 * 1024

_libc = ctypes.CDLL(None, use_errno=True)
_libc.inotify_init1.argtypes = (ctypes.c_int,)
_libc.inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)


class Change(NamedTuple):
    """One change: the watch that saw it, what happened (``IN_*`` bits), and the name within a watched directory."""

    watch: int
    mask: int
    name: bytes


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


class Inotify:
    """One inotify instance; never blocks. ``fileno`` is readable when something changed."""

    def __init__(self) -> None:
        """Raises ``OSError`` (EMFILE where the user's limit ``fs.inotify.max_user_instances`` is reached)."""
        self._fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        return self._fd

    def add_watch(self, path: str, mask: int) -> int:
        """Watches a file or directory; returns the watch. Raises ``OSError`` (ENOENT, ENOSPC at the limit of watches)."""
        return _checked(_libc.inotify_add_watch(self._fd, os.fsencode(path), mask))

    def read(self) -> list[Change]:
        """The changes since the last call; empty when there are none."""
        try:
            data = os.read(self._fd, _READ_SIZE)
        except BlockingIOError:
            return []
        return _parse(data)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _parse(data: bytes) -> list[Change]:
    changes: list[Change] = []
    start = 0
    while start < len(data):
        watch, mask, _cookie, length = _HEADER.unpack_from(data, start)
        start += _HEADER.size
        changes.append(Change(watch, mask, data[start : start + length].rstrip(b"\0")))
        start += length
    return changes


def watching(folder: str, mask: int) -> Inotify | None:
    """An instance that watches one folder; None if there are no more to be had: inotify(7) allows a user 128 by default.

    Raises ``OSError`` for what else goes wrong.
    """
    try:
        inotify = Inotify()
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return None
        raise
    try:
        inotify.add_watch(folder, mask)
    except OSError as error:
        inotify.close()
        if error.errno == errno.ENOSPC:
            return None
        raise
    return inotify
