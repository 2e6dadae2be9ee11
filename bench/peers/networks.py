"""What a daemon is asked about networks: traffic between containers and to a published port, names, and changes to networks."""

from __future__ import annotations

import statistics
import sys
from functools import cached_property
from itertools import count

from bench.peers.driven import Crowd, DockerDriven

#: An address of the host that is not on the loopback: from 127.0.0.1 dockerd forwards with a process of its own, from here with the firewall.
_HOST = "10.99.0.1"
_PORT = 18400
_INNER = 5000
_SIZE = 2_000_000_000
_CONNECTIONS = 2000
_QUESTIONS = 10_000
_NETWORKS = 100
_JOINS = 10
_SERVICES = 10
_SUBNET = "10.202.0.0/16"
#: Each service runs until it is killed, so that taking the project down is quick.
_SERVICE = "  s{}: {{image: busybox, command: [sleep, '1000'], stop_signal: SIGKILL}}\n"


class Networks:
    """Two containers on a network of the user's, ``one`` with a published port, beside all else that the daemon has."""

    def __init__(self, daemon: DockerDriven) -> None:
        self._stage = daemon.stage
        self._daemon = daemon
        self._env = daemon.env
        self._docker("network", "create", "--subnet", _SUBNET, "bench")
        self.crowd = Crowd(self._stage, self._env, network="bench")
        #: the last part of the addresses that ``connections`` takes
        self._unused = count(2)

    def _docker(self, *words: str) -> str:
        return self._stage.run(["docker", *words], self._env).output.strip()

    @cached_property
    def _pair(self) -> tuple[str, str]:
        """The pids of both containers; in the first a sink listens."""
        self._stage.run(["ip", "address", "add", f"{_HOST}/32", "dev", "lo"])
        run = ("run", "-d", "--network", "bench")
        self._docker(*run, "--name", "one", "-p", f"{_PORT}:{_INNER}", "busybox", "sleep", "100000")
        self._docker(*run, "--name", "two", "busybox", "sleep", "100000")
        one, two = self._docker("inspect", "--format", "{{.State.Pid}}", "one", "two").split()
        self._stage.start([*_inside(one), *_traffic("sink", _INNER)])
        return one, two

    def _seconds(self, *words: str | int, pid: str | None = None) -> float:
        """What ``bench.traffic`` says that it took, on the host or beside the process of a container."""
        return float(self._stage.run([*(_inside(pid) if pid else ()), *_traffic(*words)]).output)

    def between_containers(self) -> float:
        _, two = self._pair
        address = self._docker("inspect", "--format", "{{.NetworkSettings.Networks.bench.IPAddress}}", "one")
        return self._seconds("source", address, _INNER, _SIZE, pid=two)

    def to_port(self) -> float:
        assert self._pair
        return self._seconds("source", _HOST, _PORT, _SIZE)

    def connections(self) -> float:
        """To another address of the host at each call.

        For a minute the kernel keeps the port of each connection that was closed (TIME_WAIT). With 20,000 of the 28,000 kept for one
        address, its search for a free port takes ten times as long as all else of a connection.
        """
        assert self._pair
        address = f"{_HOST.rpartition('.')[0]}.{next(self._unused)}"
        self._stage.run(["ip", "address", "add", f"{address}/32", "dev", "lo"])
        return self._seconds("connect", address, _PORT, _CONNECTIONS)

    def names(self) -> float:
        return self._seconds("resolve", "one", _QUESTIONS, pid=self._pair[1])

    def changes(self) -> float:
        return self._seconds("networks", self._socket, _NETWORKS)

    def join(self) -> float:
        assert self._pair
        self._docker("network", "create", "--subnet", "10.203.0.0/24", "second")
        try:
            return self._seconds("join", self._socket, "second", "two", _JOINS)
        finally:
            self._docker("network", "rm", "second")

    def run_true(self) -> float:
        """``docker run --rm --network bench busybox true``."""
        return self._stage.run(["docker", "run", "--rm", "--network", "bench", "busybox", "true"], self._env).seconds

    def compose(self) -> float:
        """``docker compose up -d`` of ten services on the project's network; taking it down is not timed."""
        folder = self._stage.folder / "project"
        folder.mkdir(exist_ok=True)
        (folder / "compose.yaml").write_text("services:\n" + "".join(_SERVICE.format(number) for number in range(_SERVICES)))
        command = ["docker", "compose", "--project-directory", str(folder), "--progress", "quiet"]
        seconds = self._stage.run([*command, "up", "-d"], self._env).seconds
        self._stage.run([*command, "down"], self._env)
        return seconds

    def monitor(self, count: int) -> float:
        """Median PSS in bytes of the process that watches over each of some idle containers on this network."""
        return statistics.median(self._daemon.monitors(count, network="bench"))

    @property
    def _socket(self) -> str:
        return self._env["DOCKER_HOST"].removeprefix("unix://")


def _inside(pid: str) -> list[str]:
    return ["nsenter", f"--net=/proc/{pid}/ns/net"]


def _traffic(*words: str | int) -> list[str]:
    return [sys.executable, "-m", "bench.traffic", *map(str, words)]
