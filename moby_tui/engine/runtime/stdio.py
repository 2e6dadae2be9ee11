"""The standard streams of one process: made for it, read once, and shared among the log and those who attached.

Runs in the monitor: light imports. The wire format is that of ``schema/stream.py``.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable

from moby_tui.engine.runtime import terminal
from moby_tui.engine.runtime.loop import HANG_UP, READ, WRITE, Loop

STDOUT, STDERR = 1, 2
_PIECE = 65536
#: A peer that is this far behind makes the process wait, as a full pipe would; it may go on when half is read.
_BEHIND = 1024 * 1024
_HEADER = struct.Struct(">BxxxL")
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.EBADF, errno.EIO)


class Peer:
    """One attached connection: what it still has to be sent, and where its input goes."""

    def __init__(
        self, loop: Loop, connection: socket.socket, stdio: Stdio, *, stdin: bool, stdout: bool, stderr: bool, keys: bytes
    ) -> None:
        self._loop = loop
        self._socket = connection
        self._stdio = stdio
        self._stdin = stdin
        self._wanted = {STDOUT: stdout, STDERR: stderr}
        self._keys = keys
        self._matched = 0
        self._buffer = bytearray()
        self._events = READ
        self._finishing = False
        connection.setblocking(False)
        loop.watch(connection.fileno(), READ, self._ready)

    @property
    def behind(self) -> int:
        return len(self._buffer)

    def send(self, stream: int, data: bytes, *, raw: bool) -> None:
        """Queues output; what the socket takes at once never sees the queue."""
        if not self._wanted[stream]:
            return
        message = data if raw else _HEADER.pack(stream, len(data)) + data
        if not self._buffer:
            message = self._send_now(message)
        self._buffer += message
        self.watch()

    def _send_now(self, message: bytes) -> bytes:
        try:
            return message[self._socket.send(message) :]
        except BlockingIOError:
            return message
        except OSError:
            self.close()
            return b""

    def watch(self) -> None:
        """Waits for what is needed now: input while it is wanted, room while there is something to send."""
        if self._socket.fileno() < 0:
            return
        wants_input = self._events & READ and not (self._stdin and self._stdio.input_is_full)
        events = (READ if wants_input else 0) | (WRITE if self._buffer else 0)
        self._loop.watch(self._socket.fileno(), events, self._ready)

    def _ready(self, events: int) -> None:
        if events & WRITE and self._buffer:
            rest = self._send_now(bytes(self._buffer[:_PIECE]))
            del self._buffer[: min(_PIECE, len(self._buffer)) - len(rest)]
            self._stdio.peer_caught_up()
        if self._socket.fileno() >= 0 and events & ~WRITE:
            self._receive()
        if events & HANG_UP:
            # it has closed altogether; what it had sent before is still to be read
            while self._socket.fileno() >= 0 and self._events & READ:
                self._receive()
            self.close()
            return
        if self._finishing and not self._buffer:
            self.close()
        else:
            self.watch()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data and self._stdin:
            self._input(data)
        elif not data:
            # the other side's half-close: it sends no more, and may still read
            self._events &= ~READ
            if self._stdin:
                self._stdio.peer_ended_input()

    def _input(self, data: bytes) -> None:
        """Passes input on, unless it spells the keys to detach with (a terminal only)."""
        if not (self._keys and self._stdio.tty):
            self._stdio.feed(data)
            return
        passed = bytearray()
        for byte in data:
            if byte == self._keys[self._matched]:
                self._matched += 1
                if self._matched == len(self._keys):
                    self._stdio.feed(bytes(passed))
                    self._stdio.detached(self)
                    self.close()
                    return
                continue
            passed += self._keys[: self._matched]
            self._matched = 0
            if byte == self._keys[0]:
                self._matched = 1
            else:
                passed.append(byte)
        self._stdio.feed(bytes(passed))

    def finish(self) -> None:
        """No more will come: closes as soon as all has been sent."""
        self._finishing = True
        if not self._buffer:
            self.close()

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove(self._socket.fileno())
            self._socket.close()
        self._buffer.clear()
        self._stdio.forget(self)


class Stdio:
    """A process's terminal or pipes. ``on_output`` is called with each piece of output, for the log."""

    def __init__(
        self,
        loop: Loop,
        *,
        devpts: int,
        tty: bool,
        open_stdin: bool,
        close_stdin_with_peer: bool,
        on_output: Callable[[int, bytes], None] | None = None,
        on_detach: Callable[[], None] | None = None,
    ) -> None:
        self.tty = tty
        self._loop = loop
        self._close_with_peer = close_stdin_with_peer
        self._on_output = on_output
        self._on_detach = on_detach
        self.peers: list[Peer] = []
        self._input = bytearray()
        self._input_ended = False
        self._paused = False
        self._sources: dict[int, int] = {}
        self._stdin = -1
        self.terminal = -1
        self.child: tuple[int, int, int] = (-1, -1, -1)
        if tty:
            self._open_terminal(devpts)
        else:
            self._open_pipes(open_stdin)

    def _open_terminal(self, devpts: int) -> None:
        master, self.terminal = terminal.open_terminal(devpts)
        os.set_blocking(master, False)
        self._sources[master] = STDOUT
        self._stdin = master

    def _open_pipes(self, open_stdin: bool) -> None:
        if open_stdin:
            child_in, self._stdin = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(self._stdin, False)
        else:
            child_in = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        out, child_out = os.pipe2(os.O_CLOEXEC)
        err, child_err = os.pipe2(os.O_CLOEXEC)
        for source, stream in ((out, STDOUT), (err, STDERR)):
            os.set_blocking(source, False)
            self._sources[source] = stream
        self.child = (child_in, child_out, child_err)

    def give_to(self, uid: int, gid: int) -> None:
        """Lets a process of that user open its own /dev/stdout. The null device is not ours to give."""
        ends = (self.terminal,) if self.tty else (self.child[1], self.child[2])
        for fd in ends:
            os.fchown(fd, uid, 5 if self.tty else gid)

    def start(self) -> None:
        """The process has its ends; ours alone stay open, and reading begins."""
        for fd in (self.terminal, *self.child):
            if fd >= 0:
                os.close(fd)
        self.terminal, self.child = -1, (-1, -1, -1)
        self._watch_sources()

    def _reader(self, fd: int) -> Callable[[int], None]:
        def ready(events: int) -> None:
            if events & ~WRITE:
                self._read(fd)
            if events & WRITE:
                self._flush_input()

        return ready

    @property
    def ended(self) -> bool:
        """Whether every writer of the output is gone and all of it was read."""
        return not self._sources

    def _read(self, fd: int) -> None:
        try:
            data = os.read(fd, _PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in _GONE:
                raise
            data = b""
        if not data:
            self._end_source(fd)
            return
        stream = self._sources[fd]
        if self._on_output is not None:
            self._on_output(stream, data)
        for peer in tuple(self.peers):
            peer.send(stream, data, raw=self.tty)
        if not self._paused and any(peer.behind > _BEHIND for peer in self.peers):
            self._pause(True)

    def _end_source(self, fd: int) -> None:
        self._loop.remove(fd)
        del self._sources[fd]
        os.close(fd)
        if fd == self._stdin:
            self._stdin = -1

    def _pause(self, paused: bool) -> None:
        self._paused = paused
        self._watch_sources()

    def _watch_sources(self) -> None:
        for fd in self._sources:
            events = (0 if self._paused else READ) | (WRITE if fd == self._stdin and self._input else 0)
            if events:
                self._loop.watch(fd, events, self._reader(fd))
            else:
                # a pipe whose writers are gone would report that without end
                self._loop.remove(fd)

    def peer_caught_up(self) -> None:
        if self._paused and all(peer.behind <= _BEHIND // 2 for peer in self.peers):
            self._pause(False)

    def attach(self, connection: socket.socket, *, stdin: bool, stdout: bool, stderr: bool, keys: bytes = b"") -> Peer:
        peer = Peer(self._loop, connection, self, stdin=stdin, stdout=stdout, stderr=stderr, keys=keys)
        self.peers.append(peer)
        return peer

    def forget(self, peer: Peer) -> None:
        if peer in self.peers:
            self.peers.remove(peer)
            self.peer_caught_up()

    def detached(self, peer: Peer) -> None:
        if self._on_detach is not None:
            self._on_detach()

    @property
    def input_is_full(self) -> bool:
        return len(self._input) > _PIECE

    def feed(self, data: bytes) -> None:
        """Input for the process; what its pipe does not take yet waits here."""
        if self._stdin < 0 or self._input_ended:
            return
        self._input += data
        self._flush_input()

    def peer_ended_input(self) -> None:
        """A peer has no more input. With a terminal, or where others may attach later, that ends nothing."""
        if self._close_with_peer and not self.tty:
            self._input_ended = True
            self._flush_input()

    def _flush_input(self) -> None:
        while self._input and self._stdin >= 0:
            try:
                written = os.write(self._stdin, self._input[:_PIECE])
            except BlockingIOError:
                break
            except OSError:
                self._input.clear()
                self._close_input()
                return
            del self._input[:written]
        if self._input_ended and not self._input:
            self._close_input()
        self._watch_input()

    def _watch_input(self) -> None:
        """Waits for room in the pipe while something is left to write."""
        if self._stdin in self._sources:
            self._watch_sources()
        elif self._stdin >= 0:
            if self._input:
                self._loop.watch(self._stdin, WRITE, lambda _: self._flush_input())
            else:
                self._loop.remove(self._stdin)
        for peer in tuple(self.peers):
            peer.watch()

    def _close_input(self) -> None:
        if self._stdin >= 0 and not self.tty:
            self._loop.remove(self._stdin)
            os.close(self._stdin)
            self._stdin = -1

    def resize(self, rows: int, columns: int) -> None:
        if self.tty:
            for fd in self._sources:
                terminal.resize(fd, rows, columns)

    def finish(self) -> None:
        """Output has ended, or is no longer waited for: peers get the rest and are closed."""
        for fd in tuple(self._sources):
            self._end_source(fd)
        self._close_input()
        for peer in tuple(self.peers):
            peer.finish()
