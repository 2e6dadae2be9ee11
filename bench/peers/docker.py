"""Docker Engine: dockerd with a containerd of its own, driven by the docker command line."""

from __future__ import annotations

import json
from pathlib import Path

from bench.stage import Stage

CGROUP = "moby-bench-docker"


class Docker:
    """``env`` points the docker command line at this daemon."""

    cgroups = (CGROUP,)

    def __init__(self, stage: Stage, archive: Path) -> None:
        self._stage = stage
        socket = f"unix://{stage.folder}/s"
        self.env = {"DOCKER_HOST": socket}
        stage.start(
            [
                "dockerd",
                f"--data-root={stage.folder}/d",
                f"--exec-root={stage.folder}/r",
                f"--pidfile={stage.folder}/pid",
                f"--host={socket}",
                f"--cgroup-parent=/{CGROUP}",
                "--storage-driver=overlay2",
                "--oom-score-adjust=0",
            ]
        )
        stage.await_success(["docker", "version"], self.env)
        stage.run(["docker", "load", "-i", str(archive)], self.env)

    def version(self) -> str:
        return f"dockerd {self._stage.run(['docker', 'version', '--format', '{{.Server.Version}}'], self.env).output.strip()}"

    def run_true(self) -> float:
        """``docker run --rm busybox true`` on the default bridge."""
        return self._stage.run(["docker", "run", "--rm", "busybox", "true"], self.env).seconds

    def monitors(self, count: int) -> list[int]:
        """PSS in bytes of the shim of each of ``count`` idle containers."""
        ids = [
            self._stage.run(["docker", "run", "-d", "busybox", "sleep", "1000"], self.env).output.strip() for _ in range(count)
        ]
        inspected = json.loads(self._stage.run(["docker", "inspect", *ids], self.env).output)
        sizes = [self._stage.parent_pss(container["State"]["Pid"]) for container in inspected]
        self._stage.run(["docker", "rm", "-f", *ids], self.env)
        return sizes
