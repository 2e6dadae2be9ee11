"""Leads what reaches the sockets of published ports to the container (light imports).

The firewall translates nearly all of it. It cannot translate from IPv6 to IPv4, nor what comes from [::1]: that arrives at the socket that
keeps the port taken, and is forwarded by a process that the monitor forks when something arrives for the first time, so that a busy port
delays neither logs nor the control socket. dockerd has its userland proxy for the same.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from functools import partial

from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.loop import HANG_UP, READ, WRITE, Loop
from moby_tui.engine.protocol.network import Forward

_PIECE = 65536
#: What is read of one side before the other has taken it.
_MOST_BEHIND = 262144
_LARGEST_DATAGRAM = 65535
#: As dockerd's: how long a flow of datagrams may say nothing.
_FLOW_SECONDS = 90.0
_MOST_FLOWS = 1024
#: How long no connection is taken if there is no descriptor left for one.
_PAUSE_SECONDS = 0.1
_ANCILLARY = 256


class Forwarder:
    """The monitor's side, for the sockets of one holding."""

    def __init__(self, loop: Loop, wishes: list[Forward], descriptors: list[int]) -> None:
        """Raises ``ValueError`` if what is asked cannot be."""
        self._loop = loop
        if any(wish.position >= len(descriptors) for wish in wishes):
            raise ValueError("forwards: there is no such descriptor")
        self._ports = [(descriptors[wish.position], wish) for wish in wishes]
        self._pid = 0
        self._end: socket.socket | None = None
        self._wait()

    def _wait(self) -> None:
        """Has the forwarder begin with the first connection or datagram at one of its ports."""
        for fd, _ in self._ports:
            self._loop.watch(fd, READ, lambda _: self._begin())

    def _begin(self) -> None:
        """Something has arrived: from now on the process takes it."""
        for fd, _ in self._ports:
            self._loop.remove(fd)
        ours, its = socket.socketpair()
        try:
            self._pid = os.fork()
        except OSError:
            ours.close()
            its.close()
            self._loop.call_later(_PAUSE_SECONDS, self._wait)
            return
        if self._pid == 0:
            try:
                _serve(self._ports, its.fileno())
            finally:
                os._exit(1)
        its.close()
        self._end = ours
        self._loop.watch(ours.fileno(), READ, lambda _: self._lost())

    def _lost(self) -> None:
        """The process was killed: the next one is forked when something arrives."""
        self._stop()
        self._wait()

    def _stop(self) -> None:
        if self._end is not None:
            self._loop.remove(self._end.fileno())
            self._end.close()
            self._end = None
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            self._pid = 0

    def close(self) -> None:
        """Nobody has the sockets any more but the monitor, whose they are."""
        for fd, _ in self._ports:
            self._loop.remove(fd)
        self._ports = []
        self._stop()


def _serve(ports: list[tuple[int, Forward]], end: int) -> None:
    """Forwards in a process of its own; ends it when the monitor, which has the other end of ``end``, closes that or ends."""
    processes.set_name("moby-ports")
    # nothing of the monitor's may live on here: locks, the root, the ends of the container's pipes
    kept = sorted({end, *(fd for fd, _ in ports)})
    for first, after in zip([-1, *kept], [*kept, 65536], strict=True):
        os.closerange(first + 1, after)
    loop = Loop()
    loop.watch(end, READ, lambda _: os._exit(0))
    for fd, wish in ports:
        listener = socket.socket(fileno=fd)
        listener.setblocking(False)
        target = wish.address, wish.port
        _Streams(loop, listener, target) if wish.protocol == "tcp" else _Datagrams(loop, listener, target)
    loop.run_until(lambda: False)


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class _Streams:
    """One TCP port."""

    def __init__(self, loop: Loop, listener: socket.socket, target: tuple[str, int]) -> None:
        self._loop, self._listener, self._target = loop, listener, target
        self._listen()

    def _listen(self) -> None:
        self._loop.watch(self._listener.fileno(), READ, lambda _: self._accept())

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
            client.setblocking(False)
            server = socket.socket(_family(self._target[0]), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except (BlockingIOError, ConnectionError):
            return
        except OSError:
            # no descriptor is left: those that wait are taken when some have ended
            self._loop.remove(self._listener.fileno())
            self._loop.call_later(_PAUSE_SECONDS, self._listen)
            return
        server.connect_ex(self._target)
        _Connection(self._loop, client, server)


class _Connection:
    """Two sockets, each of which is told what the other says, and when it has said all."""

    def __init__(self, loop: Loop, client: socket.socket, server: socket.socket) -> None:
        self._loop = loop
        self._ends = client, server
        #: what each end has said and the other not taken
        self._said = bytearray(), bytearray()
        self._is_through = [False, False]
        self._is_told = [False, False]
        self._connecting = True
        self._watch()

    def _watch(self) -> None:
        """Waits for what each end can do now. One that can do nothing is not looked at: its hang-up would be told again and again."""
        for number, end in enumerate(self._ends):
            reads = not self._connecting and not self._is_through[number] and len(self._said[number]) < _MOST_BEHIND
            writes = bool(self._said[1 - number]) or (self._connecting and number == 1)
            events = (READ if reads else 0) | (WRITE if writes else 0)
            if events:
                self._loop.watch(end.fileno(), events, partial(self._serve, number))
            else:
                self._loop.remove(end.fileno())

    def _serve(self, number: int, events: int) -> None:
        end = self._ends[number]
        try:
            if self._connecting:
                if end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    self._close()
                    return
                self._connecting = False
            if events & (READ | HANG_UP) and not self._is_through[number]:
                self._read(number)
            self._tell(1 - number)
            self._tell(number)
        except BlockingIOError:
            pass
        except OSError:
            self._close()
            return
        if all(self._is_told):
            self._close()
        else:
            self._watch()

    def _read(self, number: int) -> None:
        with suppress(BlockingIOError):
            piece = self._ends[number].recv(_PIECE)
            self._said[number].extend(piece)
            self._is_through[number] = not piece

    def _tell(self, number: int) -> None:
        """Gives an end what the other has said, and its end."""
        waiting, end = self._said[1 - number], self._ends[number]
        with suppress(BlockingIOError):
            while waiting:
                del waiting[: end.send(waiting[:_PIECE])]
        if self._is_through[1 - number] and not waiting and not self._is_told[number]:
            self._is_told[number] = True
            end.shutdown(socket.SHUT_WR)

    def _close(self) -> None:
        for end in self._ends:
            self._loop.remove(end.fileno())
            end.close()


class _Flow:
    """The datagrams of one client: a socket of its own, by which the container's answers are known to be for it."""

    def __init__(self, server: socket.socket, client: object, ancillary: list[tuple[int, int, bytes]]) -> None:
        self.server, self.client, self.ancillary = server, client, ancillary
        self.is_quiet = False


class _Datagrams:
    """One UDP port."""

    def __init__(self, loop: Loop, listener: socket.socket, target: tuple[str, int]) -> None:
        self._loop, self._listener, self._target = loop, listener, target
        self._flows: dict[object, _Flow] = {}
        if listener.family == socket.AF_INET6:
            # an answer comes from the address that was asked
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        loop.watch(listener.fileno(), READ, lambda _: self._receive())
        loop.call_later(_FLOW_SECONDS, self._forget_quiet)

    def _receive(self) -> None:
        try:
            data, ancillary, _, client = self._listener.recvmsg(_LARGEST_DATAGRAM, _ANCILLARY)
            flow = self._flows.get(client) or self._begin(client, ancillary)
            flow.is_quiet = False
            flow.server.send(data)
        except OSError:
            # nobody listens in the container, or no descriptor is left: a datagram may be lost
            pass

    def _begin(self, client: object, ancillary: list[tuple[int, int, bytes]]) -> _Flow:
        """Raises ``OSError``."""
        if len(self._flows) >= _MOST_FLOWS:
            self._forget(next(iter(self._flows)))
        server = socket.socket(_family(self._target[0]), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            server.connect(self._target)
        except OSError:
            server.close()
            raise
        flow = self._flows[client] = _Flow(server, client, ancillary)
        self._loop.watch(server.fileno(), READ, lambda _: self._answer(flow))
        return flow

    def _answer(self, flow: _Flow) -> None:
        flow.is_quiet = False
        with suppress(OSError):
            data = flow.server.recv(_LARGEST_DATAGRAM)
            self._listener.sendmsg([data], flow.ancillary, 0, flow.client)  # type: ignore[arg-type]

    def _forget_quiet(self) -> None:
        """Those that have said nothing since the last time."""
        for client, flow in tuple(self._flows.items()):
            if flow.is_quiet:
                self._forget(client)
            flow.is_quiet = True
        self._loop.call_later(_FLOW_SECONDS, self._forget_quiet)

    def _forget(self, client: object) -> None:
        flow = self._flows.pop(client)
        self._loop.remove(flow.server.fileno())
        flow.server.close()
