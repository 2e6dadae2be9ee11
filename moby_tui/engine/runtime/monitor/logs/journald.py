"""The ``journald`` driver: systemd's native journal protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), fields as Docker names them."""

from __future__ import annotations

import errno
import os
import socket
import struct

from moby_tui.engine.runtime.monitor.logs.json_file import format_time

_SOCKET = "/run/systemd/journal/socket"
_PRIORITIES = {"stdout": b"6", "stderr": b"3"}


class Journald:
    """``options``: the fields that stand in each entry, and ``socket`` for another than the system's."""

    def __init__(self, options: dict[str, str]) -> None:
        """Connects. Raises ``OSError``."""
        #: Entries that could not be sent.
        self.dropped = 0
        self._ordinal = 0
        self._within = {"stdout": False, "stderr": False}
        fields = {**options, "CONTAINER_LOG_EPOCH": os.urandom(32).hex()}
        path = fields.pop("socket", _SOCKET)
        self._fields = b"".join(_field(name, value.encode()) for name, value in fields.items())
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.connect(path)
        except OSError as error:
            raise OSError(error.errno, "journald is not enabled on this host") from error

    def lines(self, stream: str, text: bytes, when: int) -> None:
        for line in text[:-1].split(b"\n"):
            if line or self._within[stream]:
                self._send(stream, line, when, b"")
            self._within[stream] = False

    def pieces(self, stream: str, texts: list[bytes], when: int) -> None:
        for text in texts:
            self._send(stream, text, when, b"CONTAINER_PARTIAL_MESSAGE=true\n")
        self._within[stream] = True

    def close(self) -> None:
        self._socket.close()

    def _send(self, stream: str, line: bytes, when: int, more: bytes) -> None:
        self._ordinal += 1
        entry = b"".join(
            (
                _field("MESSAGE", line),
                b"PRIORITY=%b\nCONTAINER_LOG_ORDINAL=%d\nSYSLOG_TIMESTAMP=%b\n"
                % (_PRIORITIES[stream], self._ordinal, format_time(when).encode()),
                more,
                self._fields,
            )
        )
        try:
            self._socket.send(entry)
        except OSError as error:
            if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                self.dropped += 1
                return
            self._send_large(entry)

    def _send_large(self, entry: bytes) -> None:
        """An entry larger than a datagram is sent as a sealed file in memory (memfd)."""
        import fcntl

        memory = os.memfd_create("journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.write(memory, entry)
            fcntl.fcntl(
                memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
            )
            socket.send_fds(self._socket, [b""], [memory])
        except OSError:
            self.dropped += 1
        finally:
            os.close(memory)


def _field(name: str, value: bytes) -> bytes:
    if b"\n" in value:
        return name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
    return name.encode() + b"=" + value + b"\n"
