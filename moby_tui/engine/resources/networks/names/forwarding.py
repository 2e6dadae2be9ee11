"""Forwards questions that the zones do not answer to the host's name servers, or to those of ``--dns``.

The name server sends a question as it received it, with a random id and from a port that the kernel chooses: an attacker who forges an answer
has to guess both (RFC 5452). It sends from the host's network namespace.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

from moby_tui.engine.kernel.loop import READ, WRITE, Loop, Timer

Done = Callable[[bytes], None]

_PORT = 53
#: The seconds that one server has for its answer, and the most questions that wait at once: as in dockerd.
_PATIENCE = 3.0
_MOST = 1024
_MOST_MESSAGE = 65536


class Forwarder:
    """The questions of one name server that wait for an answer of another."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._under_way = 0

    def ask(self, servers: Sequence[str], data: bytes, done: Done, *, stream: bool = False) -> None:
        """Asks the servers one after another, by TCP for ``stream``. Calls ``done`` with the first answer; with no bytes if no server
        answers, or if too many questions wait.
        """
        if self._under_way >= _MOST or len(data) < 12:
            done(b"")
            return
        self._under_way += 1
        _Question(self._loop, list(servers), data, self._finish(done), stream=stream).ask_next()

    def _finish(self, done: Done) -> Done:
        def finish(answer: bytes) -> None:
            self._under_way -= 1
            done(answer)

        return finish


class _Question:
    """One forwarded question: it has a socket to one server at a time."""

    def __init__(self, loop: Loop, servers: list[str], data: bytes, done: Done, *, stream: bool) -> None:
        self._loop = loop
        self._servers = servers
        self._question = data
        self._done = done
        self._stream = stream
        self._id = b""
        self._received = bytearray()
        self._socket: socket.socket | None = None
        self._timer: Timer | None = None

    def ask_next(self) -> None:
        """Asks the next server; without another one the question has no answer."""
        self._close()
        if not self._servers:
            self._done(b"")
            return
        server = self._servers.pop(0)
        self._id, self._received = os.urandom(2), bytearray()
        kind = socket.SOCK_STREAM if self._stream else socket.SOCK_DGRAM
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        try:
            self._socket = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            with suppress(BlockingIOError):
                self._socket.connect((server, _PORT))
        except OSError:
            self.ask_next()
            return
        self._timer = self._loop.call_later(_PATIENCE, self.ask_next)
        self._loop.watch(self._socket.fileno(), WRITE, lambda _: self._send())

    def _send(self) -> None:
        assert self._socket is not None
        message = self._id + self._question[2:]
        try:
            self._socket.sendall(len(message).to_bytes(2, "big") + message if self._stream else message)
        except OSError:
            self.ask_next()
            return
        self._loop.watch(self._socket.fileno(), READ, lambda _: self._receive())

    def _receive(self) -> None:
        assert self._socket is not None
        try:
            piece = self._socket.recv(_MOST_MESSAGE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self.ask_next()
            return
        if self._stream:
            self._received += piece
            if len(self._received) < 2 or len(self._received) < int.from_bytes(self._received[:2], "big") + 2:
                return
            piece = bytes(self._received[2 : int.from_bytes(self._received[:2], "big") + 2])
        if len(piece) >= 12 and piece[:2] == self._id and piece[2] & 0x80:
            self._close()
            self._done(self._question[:2] + piece[2:])

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            self._loop.remove(self._socket.fileno())
            self._socket.close()
            self._socket = None
