"""The standard streams of one process, in its monitor: read once, and copied to the log and to each attached client.

Runs in the monitor: light imports.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterable

from moby_tui.engine.kernel.ids import IdMap, to_host
from moby_tui.engine.kernel.loop import READ, WRITE, Loop
from moby_tui.engine.protocol.configuration import User
from moby_tui.engine.runtime.birth import terminal
from moby_tui.engine.runtime.monitor.peer import STDERR, STDOUT, Peer

_NAMES = {STDOUT: "stdout", STDERR: "stderr"}
_PIECE = 65536
#: A pipe that was full is enlarged to this, so that a process that writes much waits less often.
_LARGE_PIPE = 1024 * 1024
#: If a peer has so many bytes unread, the process waits, as with a full pipe, until half is read.
_BEHIND = 1024 * 1024
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.EBADF, errno.EIO)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class OutputLog(Protocol):
        """What takes a process's output: the container's log, or what a probe said. Output waits while it is ``behind``."""

        @property
        def behind(self) -> bool: ...

        def write(self, stream: str, data: bytes) -> None: ...


class Stdio:
    """A process's terminal or pipes. Its output goes to ``log`` and to the peers; the process waits if one of them is far behind."""

    def __init__(
        self,
        loop: Loop,
        *,
        devpts: int,
        tty: bool,
        open_stdin: bool,
        close_stdin_with_peer: bool,
        log: OutputLog | None = None,
        on_detach: Callable[[], None] | None = None,
    ) -> None:
        self.tty = tty
        self._loop = loop
        self._close_with_peer = close_stdin_with_peer
        self._log = log
        self._on_detach = on_detach
        self.peers: list[Peer] = []
        self._input = bytearray()
        self._input_ended = False
        self._paused = False
        self._sources: dict[int, int] = {}
        self._small_pipes: set[int] = set()
        self._stdin = -1
        self.terminal = -1
        self._size = (0, 0)
        self.child: tuple[int, int, int] = (-1, -1, -1)
        if tty:
            # without a devpts, the other runtime opens the terminal: see ``take_terminal``
            if devpts >= 0:
                self._open_terminal(devpts)
        else:
            self._open_pipes(open_stdin)

    def _open_terminal(self, devpts: int) -> None:
        master, self.terminal = terminal.open_terminal(devpts)
        self.take_terminal(master)

    def take_terminal(self, master: int) -> None:
        """Takes the terminal's master, which this object closes from now on."""
        os.set_blocking(master, False)
        if all(self._size):
            terminal.resize(master, *self._size)
        self._sources[master] = STDOUT
        self._stdin = master

    def _open_pipes(self, open_stdin: bool) -> None:
        opened: list[int] = []
        try:
            opened += os.pipe2(os.O_CLOEXEC) if open_stdin else (os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), -1)
            opened += os.pipe2(os.O_CLOEXEC)
            opened += os.pipe2(os.O_CLOEXEC)
        except OSError:
            _close_all(opened)
            raise
        child_in, self._stdin, out, child_out, err, child_err = opened
        if open_stdin:
            os.set_blocking(self._stdin, False)
        for source, stream in ((out, STDOUT), (err, STDERR)):
            os.set_blocking(source, False)
            self._sources[source] = stream
            self._small_pipes.add(source)
        self.child = (child_in, child_out, child_err)

    def give_to(self, user: User, uids: IdMap, gids: IdMap) -> None:
        """Lets a process of that user open its own /dev/stdout. The null device is not ours to give.

        The user's ids are the container's, the maps those of its user namespace. Raises ``ValueError`` if one is not mapped.
        """
        uid, gid = to_host(uids, user.uid), to_host(gids, user.gid)
        group = terminal.tty_group(gids) if self.tty else gid
        ends = (self.terminal,) if self.tty else (self.child[1], self.child[2])
        for fd in ends:
            if fd >= 0:
                os.fchown(fd, uid, group)

    def take_over(self, former: Stdio) -> None:
        """Moves the peers of the streams of a process that never ran to these, and closes those."""
        for peer in former.peers:
            peer.move(self)
        self.peers, former.peers = former.peers, []
        former.finish()
        _close_all({former.terminal, *former.child})

    def discard(self) -> None:
        """Closes the process's ends too: there will be no process."""
        _close_all({self.terminal, *self.child, self._stdin, *self._sources})

    def start(self) -> None:
        """Called after the process was made: closes its ends, and begins to read."""
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
        """True if every writer of the output is gone and all of it was read."""
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
        for peer in tuple(self.peers):
            peer.send(stream, data)
        if self._log is not None:
            self._log.write(_NAMES[stream], data)
        if not self._paused and self._behind(_BEHIND):
            self._pause(True)
        if len(data) == _PIECE and fd in self._small_pipes:
            self._small_pipes.remove(fd)
            _enlarge(fd)

    def _behind(self, bound: int) -> bool:
        return any(peer.behind > bound for peer in self.peers) or (self._log is not None and self._log.behind)

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
                # epoll would report the hang-up of a pipe again and again
                self._loop.remove(fd)

    def caught_up(self) -> None:
        """Called when a peer or the log has caught up: reads again if none is far behind."""
        if self._paused and not self._behind(_BEHIND // 2):
            self._pause(False)

    def attach(
        self, connection: socket.socket, *, stdin: bool, stdout: bool, stderr: bool, keys: bytes = b"", raw: bool | None = None
    ) -> Peer:
        """``raw``: output is sent without frames; as usual, with a terminal alone, where nothing is said."""
        raw = self.tty if raw is None else raw
        peer = Peer(self._loop, connection, self, stdin=stdin, stdout=stdout, stderr=stderr, keys=keys, raw=raw)
        self.peers.append(peer)
        return peer

    def forget(self, peer: Peer) -> None:
        if peer in self.peers:
            self.peers.remove(peer)
            self.caught_up()

    def detached(self, peer: Peer) -> None:
        if self._on_detach is not None:
            self._on_detach()

    @property
    def input_is_full(self) -> bool:
        return len(self._input) > _PIECE

    def feed(self, data: bytes) -> None:
        """Queues input for the process, until its pipe takes it."""
        if self._stdin < 0 or self._input_ended:
            return
        self._input += data
        self._flush_input()

    def peer_ended_input(self) -> None:
        """Called when a peer has no more input. Closes the process's input, except with a terminal, or if others may attach later."""
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
            self._size = rows, columns
            for fd in self._sources:
                terminal.resize(fd, rows, columns)

    def finish(self) -> None:
        """Called when output has ended, or is not waited for any more: sends peers the rest and closes them."""
        for fd in tuple(self._sources):
            self._end_source(fd)
        self._close_input()
        # the process reads no more input: peers must not wait for room
        self._input.clear()
        for peer in tuple(self.peers):
            peer.finish()


def _enlarge(pipe: int) -> None:
    """Enlarges a pipe; a refusal (the user's limit, pipe(7)) is no error."""
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _LARGE_PIPE)
    except OSError:
        pass


def _close_all(descriptors: Iterable[int]) -> None:
    for fd in descriptors:
        if fd >= 0:
            os.close(fd)
