"""The engine's end of a launcher's beginning: it is started before its engine has imported anything large (light imports)."""

from __future__ import annotations

import os
import socket

from moby_tui.engine.runtime.birth import host_program

#: The module whose ``main`` is the launcher.
_PROGRAM = "moby_tui.engine.runtime.launcher.launcher"
#: The extension modules that it and all that it forks use, where the interpreter does not have them built in.
_LIBRARIES = ("_ctypes", "_json", "_socket", "_struct", "array", "fcntl", "math", "resource", "select", "zlib")

_preforked: tuple[socket.socket, int] | None = None
_spawned: list[int] = []


def prefork(*, spare: bool) -> None:
    """Starts the launcher now, so that it gets ready while the caller imports; ``spare``: after each start it makes ready for another
    before it is asked. Does nothing if it was done already; where no process can be made just now, ``connect`` tries again.
    """
    global _preforked
    if _preforked is None:
        try:
            _preforked = _spawn(spare)
        except OSError:
            return


def connect() -> tuple[socket.socket, int]:
    """The socket and the pid of a launcher of this process: the one started ahead, or a new one. Raises ``OSError``."""
    global _preforked
    ours, _preforked = _preforked, None
    if ours is None:
        ours = _spawn(spare=True)
    return ours


def _spawn(spare: bool) -> tuple[socket.socket, int]:
    """A launcher as a program of its own: a fork would show containers the caller's files and memory."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        fd = theirs.fileno()
        pid = host_program.spawn(_PROGRAM, _LIBRARIES, [str(fd), "spare" if spare else ""], [fd])
    # those that were killed; one that lives ends by itself when our end of the socket closes
    _spawned[:] = [launcher for launcher in _spawned if not _has_ended(launcher)]
    _spawned.append(pid)
    return ours, pid


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
