"""The name server: one process for all containers of a data root. It answers on sockets in the containers' network namespaces.

A monitor registers its container with one message over a unix socket (SOCK_SEQPACKET), which carries the container's sockets, and stays
connected: the registration ends with the monitor. The server ends when it has had no registration for two seconds. It reads the zones' files
itself, so the next answer has every change, whichever process made it.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
from contextlib import suppress

from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel import unix_socket
from moby_tui.engine.kernel.loop import HANG_UP, READ, Loop
from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.protocol.network import NameRegistration
from moby_tui.engine.resources.networks.names import answers
from moby_tui.engine.resources.networks.names.forwarding import Forwarder
from moby_tui.engine.resources.networks.names.zone import Zones

_IDLE_SECONDS = 2.0
_MOST_MESSAGE = 65536
_MOST_REMEMBERED = 4096
#: The most connections of one container at a time, and the seconds after which a connection is closed.
_MOST_STREAMS, _STREAM_SECONDS = 64, 10.0
#: The most datagrams of one container that are answered before other sockets have their turn.
_AT_A_TIME = 32


def main(folder: str, lock: str) -> None:
    """Serves until no container is registered.

    ``folder`` has the zones; the server's socket is beside it. ``lock`` is the number of an inherited descriptor of a locked file: its
    lock is held for as long as this process lives, so that a data root has one server.
    """
    processes.set_name("moby-names")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(int(lock), False)
    Server(folder).serve()


class Server:
    """The server's socket and its registered containers."""

    def __init__(self, folder: str) -> None:
        self.loop = Loop()
        self.zones = Zones(folder)
        self.forwarder = Forwarder(self.loop)
        self._path = f"{folder}.sock"
        self._clients: set[Client] = set()
        self._over = False
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        self._listener = unix_socket.listen(self._path, 256, socket.SOCK_SEQPACKET)
        self._listener.setblocking(False)

    def serve(self) -> None:
        self.loop.watch(self._listener.fileno(), READ, lambda _: self._accept())
        self._wait_until_idle()
        self.loop.run_until(lambda: self._over)

    def _wait_until_idle(self) -> None:
        self.loop.call_later(_IDLE_SECONDS, self._end_if_idle)

    def _end_if_idle(self) -> None:
        if self._clients:
            return
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        self._over = True

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        self.loop.watch(connection.fileno(), READ, lambda _: self._register(connection))

    def _register(self, connection: socket.socket) -> None:
        """Reads the one message of a monitor. A connection that ends, or a malformed message, is closed."""
        self.loop.remove(connection.fileno())
        try:
            data, descriptors, _, _ = socket.recv_fds(connection, _MOST_MESSAGE, 2)
        except OSError:
            connection.close()
            return
        try:
            client = Client(self, connection, NameRegistration.decode(data), _check_sockets(descriptors))
        except MalformedMessage:
            for fd in descriptors:
                os.close(fd)
            connection.close()
            return
        self._clients.add(client)
        client.begin()

    def forget(self, client: Client) -> None:
        """Removes a container whose monitor has ended."""
        self._clients.discard(client)
        if not self._clients:
            self._wait_until_idle()


def _check_sockets(descriptors: list[int]) -> tuple[int, int]:
    if len(descriptors) != 2 or not all(stat.S_ISSOCK(os.fstat(fd).st_mode) for fd in descriptors):
        raise MalformedMessage("registration: expected two sockets")
    return descriptors[0], descriptors[1]


class Client:
    """A registered container: its sockets, its connections, and the answers that it was given."""

    def __init__(
        self,
        server: Server,
        connection: socket.socket,
        registration: NameRegistration,
        descriptors: tuple[int, int],
    ) -> None:
        self._server = server
        self._connection = connection
        self._container = registration.container
        self._servers = registration.servers if registration.forwards else []
        self._datagrams, self._listener = (socket.socket(fileno=fd) for fd in descriptors)
        self._streams: set[Conversation] = set()
        self._remembered: dict[bytes, bytes] = {}
        self._remembered_at = -1

    def begin(self) -> None:
        """Registers with the loop: for the end of the monitor's connection, and for questions over UDP and TCP."""
        loop = self._server.loop
        loop.watch(self._connection.fileno(), READ, lambda _: self._end())
        loop.watch(self._datagrams.fileno(), READ, lambda events: self._receive(events))
        loop.watch(self._listener.fileno(), READ, lambda _: self._accept())

    def _end(self) -> None:
        for conversation in tuple(self._streams):
            conversation.close()
        for one in (self._connection, self._datagrams, self._listener):
            self._server.loop.remove(one.fileno())
            one.close()
        self._server.forget(self)

    def _receive(self, events: int) -> None:
        for _ in range(_AT_A_TIME):
            try:
                data, sender = self._datagrams.recvfrom(_MOST_MESSAGE)
            except OSError:
                return
            self._answer(data, sender)

    def _answer(self, data: bytes, sender: tuple[str, int]) -> None:
        reply = self.answer_from_zones(data, stream=False)
        if reply is not None:
            self._send(reply, sender)
        elif self._servers:
            self._server.forwarder.ask(
                self._servers, data, lambda answer: self._send(answer or answers.refusal(data, "SERVFAIL"), sender)
            )
        else:
            self._send(answers.refusal(data, "SERVFAIL"), sender)

    def _send(self, data: bytes, sender: tuple[str, int]) -> None:
        if data and self._datagrams.fileno() >= 0:
            with suppress(OSError):
                self._datagrams.sendto(data, sender)

    def answer_from_zones(self, data: bytes, *, stream: bool) -> bytes | None:
        """The answer from the zones, FORMERR for a malformed question; None for a name that they do not have."""
        zones = self._server.zones
        zones.refresh()
        if self._remembered_at != zones.changes:
            self._remembered.clear()
            self._remembered_at = zones.changes
        key = data[2:]
        if not stream and key in self._remembered:
            return data[:2] + self._remembered[key]
        try:
            question = answers.parse(data)
        except answers.Malformed:
            return answers.refusal(data, "FORMERR")
        reply = answers.answer(question, zones.seen_by(self._container), zones.own(self._container))
        if reply is None:
            return None
        if stream:
            return bytes(reply.pack())
        datagram = answers.fitting(reply, question)
        if len(reply.rr) < 2:
            # an answer with several addresses is made anew each time, since their order is random
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = datagram[2:]
        return datagram

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        if len(self._streams) >= _MOST_STREAMS:
            connection.close()
            return
        self._streams.add(Conversation(self, self._server, connection))

    def forget(self, conversation: Conversation) -> None:
        self._streams.discard(conversation)

    def ask_other_servers(self, data: bytes, conversation: Conversation) -> None:
        """Forwards a question that came by TCP. It is forwarded by TCP, since its answer may be long."""
        refused = answers.refusal(data, "SERVFAIL")
        if self._servers:
            self._server.forwarder.ask(self._servers, data, lambda answer: conversation.send(answer or refused), stream=True)
        else:
            conversation.send(refused)


class Conversation:
    """A connection by TCP: each message has its length before it (RFC 7766)."""

    def __init__(self, client: Client, server: Server, connection: socket.socket) -> None:
        self._client = client
        self._loop = server.loop
        self._connection = connection
        self._data = bytearray()
        connection.setblocking(False)
        self._timer = self._loop.call_later(_STREAM_SECONDS, self.close)
        self._loop.watch(connection.fileno(), READ, self._read)

    def _read(self, events: int) -> None:
        try:
            piece = self._connection.recv(_MOST_MESSAGE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece or events & HANG_UP:
            self.close()
            return
        self._data += piece
        while len(self._data) >= 2 and len(self._data) >= (length := int.from_bytes(self._data[:2], "big")) + 2:
            message = bytes(self._data[2 : length + 2])
            del self._data[: length + 2]
            reply = self._client.answer_from_zones(message, stream=True)
            if reply is not None:
                self.send(reply)
            else:
                self._client.ask_other_servers(message, self)
        if len(self._data) > _MOST_MESSAGE + 2:
            self.close()

    def send(self, data: bytes) -> None:
        """Sends an answer. Does nothing without one, or if the connection was closed meanwhile."""
        if not data or self._connection.fileno() < 0:
            return
        try:
            self._connection.sendall(len(data).to_bytes(2, "big") + data)
        except OSError:
            self.close()

    def close(self) -> None:
        if self._connection.fileno() >= 0:
            self._timer.cancel()
            self._loop.remove(self._connection.fileno())
            self._connection.close()
            self._client.forget(self)


if __name__ == "__main__":
    main(*sys.argv[1:])
