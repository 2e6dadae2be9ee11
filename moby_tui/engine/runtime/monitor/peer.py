"""A client that is attached to a process's streams, over a connection in the wire format of ``schema/stream.py`` (light imports)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

from moby_tui.detach_keys import DetachKeys
from moby_tui.engine.kernel.loop import HANG_UP, READ, WRITE, Loop, Timer

STDOUT, STDERR = 1, 2
#: How long a peer may keep its connection open after it was sent everything.
PARTING_SECONDS = 30.0
_PIECE = 65536
_AT_ONCE = 256 * 1024
_HEADER = struct.Struct(">BxxxL")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.runtime.monitor.stdio import Stdio


class Peer:
    """One attached connection: a queue of output for it, and the target of its input.

    The client first sends one byte: ``b"\\1"`` to use this connection; ``b"\\0"``, with a descriptor beside it, to use
    that one as soon as this one ends. Until then nothing is sent. So an API server passes its client's connection to
    the monitor, and no byte of output passes through it.
    """

    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        stdio: Stdio,
        *,
        stdin: bool,
        stdout: bool,
        stderr: bool,
        keys: bytes,
        raw: bool,
    ) -> None:
        self._loop = loop
        self._socket = connection
        self._stdio = stdio
        self._stdin = stdin
        self._wanted = {STDOUT: stdout, STDERR: stderr}
        self._keys = DetachKeys(keys) if keys else None
        self._raw = raw
        self._buffer = bytearray()
        self._events = READ
        self._finishing = False
        self._parting: Timer | None = None
        #: True if the connection may have unread input
        self._may_send = stdin
        self._settled = False
        self._next: socket.socket | None = None
        connection.setblocking(False)
        loop.watch(connection.fileno(), READ, self._settle)

    def move(self, stdio: Stdio) -> None:
        """Attaches to the streams of another process."""
        self._stdio = stdio

    @property
    def behind(self) -> int:
        return len(self._buffer)

    def send(self, stream: int, data: bytes) -> None:
        """Sends output; what the socket does not take at once is queued."""
        if not self._wanted[stream]:
            return
        header = b"" if self._raw else _HEADER.pack(stream, len(data))
        sent = 0
        if self._settled and not self._buffer:
            sent = self._try(lambda: self._socket.sendmsg((header, data)))
            if sent == len(header) + len(data) or self._socket.fileno() < 0:
                return
        self._buffer += header[sent:]
        self._buffer += memoryview(data)[max(0, sent - len(header)) :]
        self.watch()

    def _try(self, send: Callable[[], int]) -> int:
        """Sends as much as the socket takes; returns the number of bytes."""
        try:
            return send()
        except BlockingIOError:
            return 0
        except OSError:
            self.close()
            return 0

    def _flush(self) -> None:
        piece = bytes(self._buffer[:_AT_ONCE])
        del self._buffer[: self._try(lambda: self._socket.send(piece))]
        self._stdio.caught_up()

    def watch(self) -> None:
        """Registers with the loop: for input unless the process has too much of it, for room while output is queued."""
        if self._socket.fileno() < 0 or not self._settled:
            return
        wants_input = self._events & READ and not (self._stdin and self._stdio.input_is_full)
        events = (READ if wants_input else 0) | (WRITE if self._buffer else 0)
        self._loop.watch(self._socket.fileno(), events, self._ready)

    def _settle(self, _events: int) -> None:
        """Reads the first byte. Before another connection takes this one's place, input may come that the server has read already."""
        while not self._settled and self._socket.fileno() >= 0:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._socket, _PIECE if self._next else 1, 1)
            except BlockingIOError:
                return
            except OSError:
                data, descriptors = b"", []
            if descriptors:
                self._next = socket.socket(fileno=descriptors[0])
            elif not data:
                self._switch()
            elif self._next is None:
                self._settled = True
            elif self._stdin:
                self._input(data)
        self.watch()

    def _switch(self) -> None:
        """The connection has ended: goes on with the one that takes its place, or closes if there is none."""
        self._loop.remove(self._socket.fileno())
        self._socket.close()
        if self._next is None:
            self.close()
            return
        self._socket, self._next = self._next, None
        self._may_send = True
        self._socket.setblocking(False)
        self._settled = True
        if self._finishing and not self._buffer:
            self._part()

    def _ready(self, events: int) -> None:
        if events & WRITE and self._buffer:
            self._flush()
        if self._socket.fileno() >= 0 and events & ~WRITE:
            self._receive()
        if events & HANG_UP:
            # closed on both sides; what it sent before is still to be read
            while self._socket.fileno() >= 0 and self._events & READ:
                self._receive()
            self.close()
            return
        if self._finishing and not self._buffer:
            self._part()
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
            # half-closed: it sends no more, and may still read
            self._events &= ~READ
            if self._stdin:
                self._stdio.peer_ended_input()

    def _input(self, data: bytes) -> None:
        """Passes input on, unless it spells the keys to detach with (a terminal only)."""
        if self._keys is None or not self._stdio.tty:
            self._stdio.feed(data)
            return
        passed = self._keys.read(data)
        self._stdio.feed(passed)
        if self._keys.typed:
            self._stdio.detached(self)
            self.close()

    def finish(self) -> None:
        """Called when no more output comes: closes as soon as all is sent."""
        self._finishing = True
        if not self._buffer:
            self._part()

    def _part(self) -> None:
        """Shuts the sending side down, and closes when the peer has sent everything, which is read and dropped.

        A socket that is closed with bytes unread resets the connection, and the peer loses what it has not read (unix(7), tcp(7)).
        """
        if not (self._settled and self._may_send and self._events & READ):
            self.close()
        elif self._parting is None:
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError:
                self.close()
                return
            self._parting = self._loop.call_later(PARTING_SECONDS, self.close)
            self.watch()

    def close(self) -> None:
        if self._parting is not None:
            self._parting.cancel()
        if self._socket.fileno() >= 0:
            self._loop.remove(self._socket.fileno())
            self._socket.close()
        if self._next is not None:
            self._next.close()
            self._next = None
        self._buffer = bytearray()
        self._stdio.forget(self)
