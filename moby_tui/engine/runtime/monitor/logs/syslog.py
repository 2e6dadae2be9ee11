"""The ``syslog`` driver: RFC 3164 and RFC 5424 messages over unix, udp, tcp and tls sockets, worded as Docker words them.

``options``: ``scheme``, ``host``, ``port`` or ``path``; ``facility`` (a number), ``format``, ``tag``, and for tls ``ca``, ``cert``,
``key`` and ``skip-verify``. Runs in a process of its own (``process.py``): it waits on the network as long as that takes.
"""

from __future__ import annotations

import os
import socket
import time

_INFO, _ERR = 6, 3
_LOCAL = ("/dev/log", "/var/run/syslog", "/var/run/log")
_SECONDS = 10.0
#: Pauses between attempts at a server that does not answer: the container waits meanwhile, as with Docker.
_RETRIES = (0.1, 0.5, 2.0)


class Syslog:
    def __init__(self, options: dict[str, str]) -> None:
        """Connects. Raises ``OSError``."""
        self._options = options
        self._hostname = socket.gethostname()
        #: Messages that could not be sent.
        self.dropped = 0
        self._socket = self._connect()

    def lines(self, stream: str, text: bytes, when: int) -> None:
        for line in text[:-1].split(b"\n"):
            self._send(self._message(stream, line, when))

    def pieces(self, stream: str, texts: list[bytes], when: int) -> None:
        for text in texts:
            self._send(self._message(stream, text, when))

    def close(self) -> None:
        self._socket.close()

    def _connect(self) -> socket.socket:
        options = self._options
        scheme = options.get("scheme", "")
        if scheme in ("", "unix", "unixgram"):
            return _connect_unix([options["path"]] if scheme else list(_LOCAL))
        address = (options["host"], int(options["port"]))
        if scheme == "udp":
            return _connect_udp(address)
        connection = socket.create_connection(address, _SECONDS)
        return self._secure(connection, address[0]) if scheme == "tcp+tls" else connection

    def _secure(self, connection: socket.socket, host: str) -> socket.socket:
        import ssl

        options = self._options
        context = ssl.create_default_context(cafile=options.get("ca") or None)
        if options.get("skip-verify"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if options.get("cert"):
            context.load_cert_chain(options["cert"], options.get("key") or None)
        return context.wrap_socket(connection, server_hostname=host)

    def _message(self, stream: str, line: bytes, when: int) -> bytes:
        priority = int(self._options["facility"]) * 8 + (_ERR if stream == "stderr" else _INFO)
        tag, pid, form = self._options["tag"], os.getpid(), self._options.get("format", "")
        if form in ("rfc5424", "rfc5424micro"):
            stamp = _rfc3339(when, micro=form == "rfc5424micro")
            head = f"<{priority}>1 {stamp} {self._hostname} {tag} {pid} {tag} - "
        elif form == "rfc3164":
            head = f"<{priority}>{_stamp(when)} {self._hostname} {tag}[{pid}]: "
        elif self._options.get("scheme") in ("unix", "unixgram"):
            head = f"<{priority}>{_stamp(when)} {tag}[{pid}]: "
        else:
            head = f"<{priority}> {_rfc3339(when, micro=False)} {self._hostname} {tag}[{pid}]: "
        message = head.encode() + line + b"\n"
        return b"%d %b" % (len(message), message) if self._counted else message

    @property
    def _counted(self) -> bool:
        """RFC 5425: over TLS each message is preceded by its length."""
        return self._options.get("scheme") == "tcp+tls" and self._options.get("format", "").startswith("rfc5424")

    def _send(self, message: bytes) -> None:
        for pause in (*_RETRIES, 0.0):
            try:
                if self._socket.type == socket.SOCK_DGRAM:
                    self._socket.send(message)
                else:
                    self._socket.sendall(message)
                return
            except OSError:
                # a server that went away may be back
                time.sleep(pause)
                self._reconnect()
        self.dropped += 1

    def _reconnect(self) -> None:
        self._socket.close()
        try:
            self._socket = self._connect()
        except OSError:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


def _connect_unix(paths: list[str]) -> socket.socket:
    error: OSError | None = None
    for path in paths:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            connection = socket.socket(socket.AF_UNIX, kind)
            try:
                connection.connect(path)
                return connection
            except OSError as problem:
                connection.close()
                error = problem
    raise OSError(error.errno if error else 0, f"failed to connect to the syslog socket {paths[0]}: is a syslog daemon running?")


def _connect_udp(address: tuple[str, int]) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
    connection = socket.socket(family, kind, protocol)
    connection.connect(where)
    return connection


def _stamp(when: int) -> str:
    """``Jan _2 15:04:05``, in local time."""
    local = time.localtime(when // 1_000_000_000)
    return f"{time.strftime('%b', local)} {local.tm_mday:2d} {time.strftime('%H:%M:%S', local)}"


def _rfc3339(when: int, *, micro: bool) -> str:
    seconds, fraction = divmod(when, 1_000_000_000)
    local = time.localtime(seconds)
    zone = time.strftime("%z", local)
    fractions = f".{fraction // 1000:06d}" if micro else ""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}{fractions}{'Z' if zone == '+0000' else f'{zone[:3]}:{zone[3:]}'}"
