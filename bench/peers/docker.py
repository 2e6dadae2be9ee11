"""Docker Engine: dockerd with a containerd of its own, driven by the docker command line."""

from __future__ import annotations

from pathlib import Path

from bench.peers.driven import DockerDriven
from bench.stage import Stage

CGROUP = "moby-bench-docker"


class Docker(DockerDriven):
    """``dockerd``, driven by the docker command line."""

    cgroups = (CGROUP,)

    def __init__(self, stage: Stage, archive: Path) -> None:
        socket = f"unix://{stage.folder}/s"
        pid = stage.start(
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
        super().__init__(stage, socket, pid)
        stage.await_success(["docker", "version"], self.env)
        stage.run(["docker", "load", "-i", str(archive)], self.env)

    def version(self) -> str:
        return f"dockerd {self._stage.run(['docker', 'version', '--format', '{{.Server.Version}}'], self.env).output.strip()}"
