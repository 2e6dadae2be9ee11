"""A daemon that is driven by the docker command line: what either of them is asked."""

from __future__ import annotations

import json
import time
from functools import cached_property
from pathlib import Path

from bench import registry
from bench.peers.images import Images
from bench.peers.requests import Requests
from bench.stage import Stage

CROWD = 50
AT_A_TIME = 8
#: Writes 300 MB in lines of 100 bytes, at the speed of sendfile(2).
WRITE_300_MB = f"yes {'.' * 99} | head -n 10000 > /lines; cat $(yes /lines | head -n 300)"
#: After this long a daemon that has just run a container has let go of it.
SETTLED = 2.0


class Crowd:
    """Fifty containers that are started together and then removed together, through one docker command line each."""

    def __init__(self, stage: Stage, env: dict[str, str], *, network: str = "bridge") -> None:
        self._stage = stage
        self._env = env
        self._network = network
        self._removals: list[float] = []

    def start(self) -> float:
        """Seconds until all of them run; they are removed at once, and ``remove`` tells how long that took."""
        command = ["docker", "run", "-d", "--network", self._network, "busybox", "sleep", "1000"]
        seconds, ids = self._stage.several([command] * CROWD, self._env, at_a_time=AT_A_TIME)
        removal = ["docker", "rm", "-f", *(container.strip() for container in ids)]
        self._removals.append(self._stage.run(removal, self._env).seconds)
        return seconds

    def remove(self) -> float:
        if not self._removals:
            self.start()
        return self._removals.pop()


class DockerDriven:
    """A daemon at ``socket`` whose first process has this ``pid``, with the image loaded."""

    def __init__(self, stage: Stage, socket: str, pid: int) -> None:
        self.stage = stage
        self._pid = pid
        self.env = {"DOCKER_HOST": socket}
        self.crowd = Crowd(stage, self.env)

    @cached_property
    def requests(self) -> Requests:
        return Requests(Path(self.env["DOCKER_HOST"].removeprefix("unix://")))

    def images(self, data: Path) -> Images:
        """With a registry beside it that has ``data``."""
        registry.serve(self.stage, data)
        return Images(self.stage, self.env, self._pid)

    def run_true(self) -> float:
        """``docker run --rm busybox true`` on the default bridge."""
        return self._docker("run", "--rm", "busybox", "true")

    def ps(self) -> float:
        """``docker ps``."""
        return self._docker("ps")

    def exec_true(self) -> float:
        """``docker exec`` of ``true`` in a container that runs anyway."""
        return self._docker("exec", self._companion, "true")

    def output(self) -> float:
        """From the spawn of ``docker run`` to its exit, with 300 MB of lines written to its standard output."""
        return self.stage.run(["docker", "run", "--rm", "busybox", "sh", "-c", WRITE_300_MB], self.env, discard=True).seconds

    def idle(self) -> float:
        """PSS in bytes of the daemon and its helpers after it has run one container and rested."""
        self.run_true()
        time.sleep(SETTLED)
        return self.stage.pss(self._pid)

    def monitors(self, count: int, *, network: str = "bridge") -> list[int]:
        """PSS in bytes of the process that watches over each of ``count`` idle containers."""
        ids = [self._detached(network) for _ in range(count)]
        inspected = json.loads(self.stage.run(["docker", "inspect", *ids], self.env).output)
        sizes = [self.stage.parent_pss(container["State"]["Pid"]) for container in inspected]
        self._docker("rm", "-f", *ids)
        return sizes

    @cached_property
    def _companion(self) -> str:
        return self._detached()

    def _detached(self, network: str = "bridge") -> str:
        return self.stage.run(["docker", "run", "-d", "--network", network, "busybox", "sleep", "1000"], self.env).output.strip()

    def _docker(self, *arguments: str) -> float:
        return self.stage.run(["docker", *arguments], self.env).seconds
