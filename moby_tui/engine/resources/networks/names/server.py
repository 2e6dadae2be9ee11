"""The name server: one process for all containers of a data root, on sockets that lie in their namespaces.

A monitor registers its container with one message over a unix socket (SOCK_SEQPACKET), the sockets beside it, and stays connected; when the
monitor ends, so does the registration. The process ends when it has had none for a while. It reads the zones' files itself, so a change
is visible at the next question, whichever process made it.
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
#: Connections of one container at a time, and how long one may say nothing.
_MOST_STREAMS, _STREAM_SECONDS = 64, 10.0
#: Datagrams that are answered before others get their turn.
_AT_A_TIME = 32


def main(folder: str, lock: str) -> None:
    """``folder`` holds the zones and, beside it, the socket; ``lock`` is the descriptor whose lock says that there is one server."""
    processes.set_name("moby-names")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(int(lock), False)
    Server(folder).serve()


class Server:
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
        self._leave_if_idle()
        self.loop.run_until(lambda: self._over)

    def _leave_if_idle(self) -> None:
        self.loop.call_later(_IDLE_SECONDS, self._look_whether_idle)

    def _look_whether_idle(self) -> None:
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
        """The one message of a monitor; its end, or nonsense, ends the connection."""
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
        self._clients.discard(client)
        if not self._clients:
            self._leave_if_idle()


def _check_sockets(descriptors: list[int]) -> tuple[int, int]:
    if len(descriptors) != 2 or not all(stat.S_ISSOCK(os.fstat(fd).st_mode) for fd in descriptors):
        raise MalformedMessage("registration: expected two sockets")
    return descriptors[0], descriptors[1]


class Client:
    """One container's sockets."""

    def __init__(
        self,
        server: Server,
        connection: socket.socket,
        asked: NameRegistration,
        descriptors: tuple[int, int],
    ) -> None:
        self._server = server
        self._connection = connection
        self._container = asked.container
        self._servers = asked.servers if asked.forwards else []
        self._datagrams, self._listener = (socket.socket(fileno=fd) for fd in descriptors)
        self._streams: set[Conversation] = set()
        self._remembered: dict[bytes, bytes] = {}
        self._as_of = -1

    def begin(self) -> None:
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
        reply = self.known(data, stream=False)
        if reply is not None:
            self._say(reply, sender)
        elif self._servers:
            self._server.forwarder.ask(
                self._servers, data, lambda said: self._say(said or answers.refusal(data, "SERVFAIL"), sender)
            )
        else:
            self._say(answers.refusal(data, "SERVFAIL"), sender)

    def _say(self, data: bytes, sender: tuple[str, int]) -> None:
        if data and self._datagrams.fileno() >= 0:
            with suppress(OSError):
                self._datagrams.sendto(data, sender)

    def known(self, data: bytes, *, stream: bool) -> bytes | None:
        """The answer from the zones, or that the question is none; None where others are to be asked."""
        zones = self._server.zones
        zones.refresh()
        if self._as_of != zones.changes:
            self._remembered.clear()
            self._as_of = zones.changes
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
        said = answers.fitting(reply, question)
        if len(reply.rr) < 2:
            # several addresses come in another order each time
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = said[2:]
        return said

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        if len(self._streams) >= _MOST_STREAMS:
            connection.close()
            return
        self._streams.add(Conversation(self, self._server, connection))

    def left(self, conversation: Conversation) -> None:
        self._streams.discard(conversation)

    def ask_others(self, data: bytes, conversation: Conversation) -> None:
        """A question that came by TCP is forwarded by TCP: the answer may be long."""
        if self._servers:
            done = lambda said: conversation.say(said or answers.refusal(data, "SERVFAIL"))  # noqa: E731
            self._server.forwarder.ask(self._servers, data, done, stream=True)
        else:
            conversation.say(answers.refusal(data, "SERVFAIL"))


class Conversation:
    """A connection by TCP: messages with their length before each (rfc 7766)."""

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
            reply = self._client.known(message, stream=True)
            if reply is not None:
                self.say(reply)
            else:
                self._client.ask_others(message, self)
        if len(self._data) > _MOST_MESSAGE + 2:
            self.close()

    def say(self, data: bytes) -> None:
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
            self._client.left(self)


if __name__ == "__main__":
    main(*sys.argv[1:])
