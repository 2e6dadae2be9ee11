"""Unix sockets at paths of any length: the kernel's limit of 107 bytes (unix(7)) is avoided by a path below /proc/self/fd."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable

#: struct ucred: pid, user, group.
_CREDENTIALS = struct.Struct("iII")


def listen(path: str, backlog: int = 64, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A listening socket at ``path``. Raises ``OSError``."""
    listener = socket.socket(socket.AF_UNIX, kind | socket.SOCK_CLOEXEC)
    try:
        _by_short_name(path, listener.bind)
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def connect(path: str, timeout: float | None = None, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A socket connected to the one at ``path``. Raises ``FileNotFoundError``, ``ConnectionError``, ``TimeoutError``."""
    connection = socket.socket(socket.AF_UNIX, kind | socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(timeout)
        _by_short_name(path, connection.connect)
    except BaseException:
        connection.close()
        raise
    return connection


def listening_process(connection: socket.socket) -> int:
    """The pid of the process that listened where this socket has connected to (SO_PEERCRED, unix(7)); 0 if it is not in sight."""
    pid, _, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(pid)


def _by_short_name(path: str, call: Callable[[str], None]) -> None:
    folder, _, name = path.rpartition("/")
    fd = os.open(folder or "/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        call(f"/proc/self/fd/{fd}/{name}")
    finally:
        os.close(fd)
