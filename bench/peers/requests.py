"""How long a daemon takes to answer requests of the API, over one connection that stays open."""

from __future__ import annotations

import http.client
import json
import socket
import time
from pathlib import Path

#: How many containers there are when they are listed, and one is inspected.
CONTAINERS = 200
_MADE = {"Image": "busybox", "Cmd": ["sleep", "1000"], "Labels": {"of": "bench"}, "HostConfig": {"NetworkMode": "none"}}


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


class Requests:
    """A daemon behind a unix socket, into which ``CONTAINERS`` containers are put that do not run."""

    def __init__(self, path: Path) -> None:
        self._connection = _Connection(path)
        self._ids = [self._made() for _ in range(CONTAINERS)]

    def list(self, count: int) -> float:
        """Seconds for one list of all containers, of ``count`` requests."""
        return self._seconds("/containers/json?all=1", count)

    def inspect(self, count: int) -> float:
        """Seconds for one container, of ``count`` requests."""
        return self._seconds(f"/containers/{self._ids[-1]}/json", count)

    def _seconds(self, path: str, count: int) -> float:
        begun = time.perf_counter()
        for _ in range(count):
            self._ask("GET", path)
        return (time.perf_counter() - begun) / count

    def _made(self) -> str:
        made: str = json.loads(self._ask("POST", "/containers/create", json.dumps(_MADE)))["Id"]
        return made

    def _ask(self, method: str, path: str, body: str | None = None) -> bytes:
        self._connection.request(method, f"/v1.41{path}", body, {"Content-Type": "application/json"} if body else {})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 400:
            raise OSError(f"{method} {path}: {response.status} {answer!r}")
        return answer
