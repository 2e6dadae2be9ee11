"""Programs that make traffic in one network namespace, and the requests that a row times: ``python -m bench.traffic WHAT ...``.

Each prints the seconds that it took, without its own start. Between ``sink`` and the others a connection is: bytes, an end, one byte back.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from collections.abc import Callable

from dnslib import QTYPE, DNSRecord

_CHUNK = 1 << 18
#: Questions that are under way at once, as from a few programs in a container.
_WINDOW = 8
_PATIENCE = 30.0


def sink(port: int) -> None:
    """Takes all that comes, one connection after another, until it is killed."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(128)
    buffer = bytearray(_CHUNK)
    while True:
        connection, _ = listener.accept()
        with connection:
            while connection.recv_into(buffer):
                pass
            connection.sendall(b".")


def source(host: str, port: int, size: int) -> float:
    """Sends so many bytes in one connection: the seconds until the sink has them all."""
    chunk = memoryview(bytes(_CHUNK))
    with _reached(host, port) as connection:
        began = time.perf_counter()
        while size > 0:
            size -= connection.send(chunk[: min(size, _CHUNK)])
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b"."
        return time.perf_counter() - began


def connect(host: str, port: int, count: int) -> float:
    """Makes so many connections one after another, each with one byte from the other side."""
    _reached(host, port).close()
    began = time.perf_counter()
    for _ in range(count):
        with socket.create_connection((host, port), _PATIENCE) as connection:
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b"."
    return time.perf_counter() - began


def _reached(host: str, port: int) -> socket.socket:
    """A connection to a sink that may only be starting."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return socket.create_connection((host, port), _PATIENCE)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def resolve(name: str, count: int) -> float:
    """Asks the container's name server so many times for a name's address, some at a time."""
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.settimeout(_PATIENCE)
    asker.connect(("127.0.0.11", 53))
    question = bytearray(DNSRecord.question(name).pack())
    began = time.perf_counter()
    for number in range(count + _WINDOW):
        if number >= _WINDOW:
            answer = asker.recv(4096)
            assert answer[7] == 1, DNSRecord.parse(answer)
        if number < count:
            question[:2] = number.to_bytes(2, "big")
            asker.send(question)
    seconds = time.perf_counter() - began
    assert DNSRecord.parse(answer).a.rtype == QTYPE.A
    return seconds


def networks(path: str, count: int) -> float:
    """Makes so many networks with the Engine API and removes them."""
    api = Api(path)
    began = time.perf_counter()
    for number in range(count):
        subnet = {"Subnet": f"10.201.{number}.0/24"}
        api.ask("POST", "/networks/create", {"Name": f"many-{number}", "IPAM": {"Config": [subnet]}})
    for number in range(count):
        api.ask("DELETE", f"/networks/many-{number}")
    return time.perf_counter() - began


def join(path: str, network: str, container: str, count: int) -> float:
    """Connects a running container to a network so many times; disconnecting it is not timed."""
    api = Api(path)
    seconds = 0.0
    for _ in range(count):
        began = time.perf_counter()
        api.ask("POST", f"/networks/{network}/connect", {"Container": container})
        seconds += time.perf_counter() - began
        api.ask("POST", f"/networks/{network}/disconnect", {"Container": container})
    return seconds / count


class Api(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=_PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)

    def ask(self, method: str, path: str, body: object = None) -> None:
        self.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = self.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")


_PROGRAMS: dict[str, Callable[..., float | None]] = {
    "sink": sink,
    "source": source,
    "connect": connect,
    "resolve": resolve,
    "networks": networks,
    "join": join,
}

if __name__ == "__main__":
    print(_PROGRAMS[sys.argv[1]](*(int(word) if word.isdecimal() else word for word in sys.argv[2:])))
