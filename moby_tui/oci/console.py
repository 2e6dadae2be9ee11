"""The terminal of a process: opened by us, handed to whoever listens on the console socket (SCM_RIGHTS), or relayed to our own."""

from __future__ import annotations

import os
import socket
import stat
import sys
import termios
import tty

from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.kernel.readiness import wait_readable
from moby_tui.engine.runtime.birth import terminal
from moby_tui.errors import MobyError

_PIECE = 65536
_PTMX = os.makedev(5, 2)


def send(path: str, master: int) -> None:
    """Gives the master to the engine. Raises ``MobyError``."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(path)
            socket.send_fds(connection, [b"/dev/ptmx"], [master])
    except OSError as error:
        raise MobyError(f"cannot hand the terminal to the console socket {path}: {error.strerror}") from error


def open_in_container(pid: int) -> tuple[int, int]:
    """A new terminal of the running container's own devpts: master and peer. Raises ``MobyError``.

    The container may have put anything in place of its devpts: only the terminal multiplexer itself is opened (CVE-2025-52565).
    """
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        descriptor = open_in_root(root, "dev/pts/ptmx", os.O_PATH)
    except OSError as error:
        raise MobyError(f"cannot allocate a terminal: the container has no /dev/pts/ptmx ({error.strerror})") from error
    finally:
        os.close(root)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISCHR(status.st_mode) or status.st_rdev != _PTMX:
            raise MobyError("cannot allocate a terminal: the container's /dev/pts/ptmx is not one")
        return terminal.peer_of(os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    finally:
        os.close(descriptor)


class Relay:
    """Our own terminal (or pipes) as the process's, until its end."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._saved = termios.tcgetattr(0) if os.isatty(0) else None

    def __enter__(self) -> Relay:
        if self._saved is not None:
            size = os.get_terminal_size(0)
            terminal.resize(self._master, size.lines, size.columns)
            tty.setraw(0)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._saved is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, self._saved)

    def resize(self) -> None:
        if self._saved is not None:
            size = os.get_terminal_size(0)
            terminal.resize(self._master, size.lines, size.columns)

    def until_end(self) -> None:
        """The master reports an error when nobody has the other end open any more."""
        sources = [self._master, 0]
        while True:
            ready = wait_readable(*sources)
            if 0 in ready:
                data = os.read(0, _PIECE)
                if not data:
                    sources.remove(0)
                os.write(self._master, data)
            if self._master in ready:
                try:
                    data = os.read(self._master, _PIECE)
                except OSError:
                    return
                if not data:
                    return
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
