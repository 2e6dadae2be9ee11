"""One request to a plug-in and its answer: HTTP/1.1 on a connection of its own, bounded in time and size (light imports).

The monitor makes such requests too, and must not pay for an HTTP library. RFC 9112 has the form of messages.
"""

from __future__ import annotations

import errno
import os
import socket
import time

from moby_tui.engine.plugins.discovery import Address
from moby_tui.engine.plugins.failure import NotListening, PluginFailure

MEDIA_TYPE = "application/vnd.docker.plugins.v1.2+json"
#: The host of a unix socket, as dockerd calls it.
_LOCAL = "plugin.moby.localhost"
#: Bytes of an answer: of its head, and of its body.
_LARGEST_HEAD = 64 << 10
LARGEST_BODY = 8 << 20
#: Seconds between two tries to connect to a socket whose queue is full.
_QUEUE_STEP = 0.02


def post(address: Address, method: str, body: bytes, seconds: float) -> tuple[int, bytes]:
    """The status and body of the answer to ``POST /METHOD``, which has to be there ``seconds`` from now. Blocking.

    Raises ``NotListening`` if nothing was sent, else ``PluginFailure``; the texts do not name the method.
    """
    deadline = time.monotonic() + seconds
    connection = _connect(address, deadline)
    try:
        head = f"POST /{method} HTTP/1.1\r\nHost: {address if address.port else _LOCAL}\r\nUser-Agent: moby\r\n"
        head += f"Accept: {MEDIA_TYPE}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.settimeout(_left(deadline))
        connection.sendall(head.encode() + body)
        return _Answer(connection, deadline).read()
    except TimeoutError:
        raise PluginFailure(f"plug-in {address.name} did not answer within {seconds:g} seconds") from None
    except OSError as error:
        raise PluginFailure(f"plug-in {address.name}: {address}: {_reason(error)}") from error
    except ValueError as error:
        raise PluginFailure(f"plug-in {address.name} gave an answer that cannot be read: {error}") from error
    finally:
        connection.close()


def _connect(address: Address, deadline: float) -> socket.socket:
    family = "tcp" if address.port else "unix"
    try:
        if address.port:
            connection = socket.create_connection((address.host, address.port), timeout=_left(deadline))
        else:
            connection = _connect_unix(address.host, deadline)
        return connection if address.tls is None else _secured(connection, address)
    except OSError as error:
        raise NotListening(f"plug-in {address.name}: dial {family} {address}: connect: {_reason(error)}") from error


def _connect_unix(path: str, deadline: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        while True:
            connection.settimeout(_left(deadline))
            try:
                connection.connect(path)
                return connection
            except BlockingIOError:
                # its queue is full, of which no event tells (unix(7))
                time.sleep(_QUEUE_STEP)
    except BaseException:
        connection.close()
        raise


def _secured(connection: socket.socket, address: Address) -> socket.socket:
    # few plug-ins are reached over a network
    import ssl

    assert address.tls is not None
    try:
        context = ssl.create_default_context(cafile=address.tls.authority or None)
        if not address.tls.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if address.tls.certificate:
            context.load_cert_chain(address.tls.certificate, address.tls.key or None)
        return context.wrap_socket(connection, server_hostname=address.host)
    except BaseException:
        connection.close()
        raise


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    return left


def _reason(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()


class _Answer:
    """The answer on a connection. Raises ``TimeoutError``, ``OSError``, and ``ValueError`` for what is no answer."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._unread = b""

    def read(self) -> tuple[int, bytes]:
        version, _, rest = self._line(_LARGEST_HEAD).partition(b" ")
        status = rest[:3]
        if not version.startswith(b"HTTP/1.") or not status.isdigit() or len(status) != 3:
            raise ValueError("it is no HTTP/1.1")
        fields = self._fields()
        if status[:1] == b"1":
            # an interim answer: the one that counts follows
            return self.read()
        if status in (b"204", b"304"):
            return int(status), b""
        if fields.get(b"transfer-encoding", b"identity").lower() != b"identity":
            return int(status), self._chunks()
        length = fields.get(b"content-length")
        if length is None:
            return int(status), self._rest()
        if not length.isdigit():
            raise ValueError("its length is no number")
        # a number of thousands of digits is no length either
        return int(status), self._exactly(int(length[:12]) if len(length) <= 12 else LARGEST_BODY + 1)

    def _fields(self) -> dict[bytes, bytes]:
        fields: dict[bytes, bytes] = {}
        room = _LARGEST_HEAD
        while line := self._line(room):
            room -= len(line) + 2
            name, _, value = line.partition(b":")
            fields[name.strip().lower()] = value.strip()
        return fields

    def _chunks(self) -> bytes:
        body = bytearray()
        while size := int(self._line(1024).partition(b";")[0].strip() or b"x", 16):
            if size < 0:
                raise ValueError("a part of it has no size")
            self._check(len(body) + size)
            body += self._exactly(size)
            self._line(2)
        return bytes(body)

    def _line(self, most: int) -> bytes:
        while b"\n" not in self._unread:
            if len(self._unread) > most:
                raise ValueError("a line of it is too long")
            self._more()
        line, _, self._unread = self._unread.partition(b"\n")
        if len(line) > most:
            raise ValueError("its head is too long")
        return line.removesuffix(b"\r")

    def _exactly(self, size: int) -> bytes:
        self._check(size)
        parts, missing = [self._unread[:size]], size - len(self._unread)
        self._unread = self._unread[size:]
        while missing > 0:
            part = self._receive(min(missing, 1 << 16))
            if not part:
                raise ValueError("it breaks off")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _rest(self) -> bytes:
        body = bytearray(self._unread)
        while part := self._receive(1 << 16):
            body += part
            self._check(len(body))
        return bytes(body)

    def _more(self) -> None:
        part = self._receive(1 << 16)
        if not part:
            raise ValueError("it breaks off")
        self._unread += part

    def _receive(self, size: int) -> bytes:
        self._connection.settimeout(_left(self._deadline))
        return self._connection.recv(size)

    @staticmethod
    def _check(size: int) -> None:
        if size > LARGEST_BODY:
            raise ValueError(f"it is larger than {LARGEST_BODY >> 20} MiB")
