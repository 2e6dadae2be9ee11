"""The monitor's half of the name service: it holds its container's sockets and has the name server answer on them (light imports).

The name server is one process for all containers of a data root. A monitor that finds none starts it; after a kill, each registers anew.
"""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress

from moby_tui.engine.kernel import unix_socket
from moby_tui.engine.kernel.loop import READ, Loop, Timer
from moby_tui.engine.protocol import network as protocol

#: The server's descriptor of its lock.
_LOCK = 3
_FIRST_SECONDS, _LONGEST_SECONDS = 0.02, 1.0


class NameService:
    """``descriptors`` are the container's datagram and listening sockets, which this object closes."""

    def __init__(self, loop: Loop, settings: protocol.NameService, descriptors: list[int]) -> None:
        self._loop = loop
        self._folder, self._program = settings.folder, settings.program
        registration = protocol.NameRegistration(
            container=settings.container, servers=settings.servers, forwards=settings.forwards
        )
        self._message = registration.encode()
        self._descriptors = descriptors
        self._connection: socket.socket | None = None
        self._timer: Timer | None = None
        self._wait = _FIRST_SECONDS
        #: the pid of a server that this process has started and not reaped
        self._started = 0

    def register(self) -> None:
        """Registers the container's sockets with the server. Starts a server if there is none; retries while the loop runs."""
        self._timer = None
        self._reap()
        if self._is_registered():
            self._wait = _FIRST_SECONDS
            return
        with suppress(OSError):
            self._start_server()
        self._timer = self._loop.call_later(self._wait, self.register)
        self._wait = min(self._wait * 2, _LONGEST_SECONDS)

    def _is_registered(self) -> bool:
        try:
            connection = unix_socket.connect(f"{self._folder}.sock", 0.0, socket.SOCK_SEQPACKET)
        except OSError:
            return False
        try:
            socket.send_fds(connection, [self._message], self._descriptors)
        except OSError:
            connection.close()
            return False
        self._connection = connection
        self._loop.watch(connection.fileno(), READ, lambda _: self._lost())
        return True

    def _lost(self) -> None:
        """Called when the server's connection breaks: it was killed."""
        self._hang_up()
        self.register()

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            if self._started and os.waitpid(self._started, os.WNOHANG)[0]:
                self._started = 0

    def _start_server(self) -> None:
        """Starts the server in a session of its own. It holds a lock while it lives, so that there is only one. Raises ``OSError``."""
        lock = os.open(f"{self._folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            actions = [
                (os.POSIX_SPAWN_DUP2, lock, _LOCK),
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ]
            words = [*self._program, self._folder, str(_LOCK)]
            self._started = os.posix_spawn(words[0], words, os.environ, file_actions=actions, setsid=True)
        finally:
            os.close(lock)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._hang_up()
        for fd in self._descriptors:
            os.close(fd)
        self._descriptors = []

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._loop.remove(self._connection.fileno())
            self._connection.close()
            self._connection = None
