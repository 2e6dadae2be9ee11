"""Docker Engine: dockerd with a containerd of its own, driven by the docker command line."""

from __future__ import annotations

from pathlib import Path

from bench.peers.driven import DockerDriven
from bench.stage import Stage, with_root

CGROUP = "moby-bench-docker"


class Docker(DockerDriven):
    """``dockerd``, driven by the docker command line."""

    cgroups = (CGROUP,)

    def __init__(self, stage: Stage, archive: Path, root: Path | None = None) -> None:
        """``root`` is a root file system whose dockerd and containerd are started, instead of those of this machine."""
        socket = f"unix://{stage.folder}/s"
        daemon = [
            "dockerd",
            f"--data-root={stage.folder}/d",
            f"--exec-root={stage.folder}/r",
            f"--pidfile={stage.folder}/pid",
            f"--host={socket}",
            f"--cgroup-parent=/{CGROUP}",
            "--storage-driver=overlay2",
        ]
        # dockerd of Debian 12 wants to lower its own, which not every root may; newer ones have neither the wish nor the option
        pid = stage.start(with_root(root, stage.folder, daemon) if root else [*daemon, "--oom-score-adjust=0"])
        super().__init__(stage, socket, pid)
        stage.await_success(["docker", "version"], self.env)
        stage.run(["docker", "load", "-i", str(archive)], self.env)

    def version(self) -> str:
        return f"dockerd {self.stage.run(['docker', 'version', '--format', '{{.Server.Version}}'], self.env).output.strip()}"
