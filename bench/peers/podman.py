"""Podman over crun, without its events (they need a journal that a bare machine lacks)."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.stage import Stage, with_root

#: Root without CAP_SYS_RESOURCE cannot raise limits, and podman asks for more than it has.
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
CGROUP = "libpod_parent"


def command(folder: Path) -> list[str]:
    """``podman`` with all that it keeps in ``folder``."""
    return [
        "podman",
        f"--root={folder}/d",
        f"--runroot={folder}/r",
        f"--tmpdir={folder}/t",
        "--cgroup-manager=cgroupfs",
        "--storage-driver=overlay",
        "--runtime=crun",
        "--events-backend=none",
    ]


class Podman:
    cgroups = (CGROUP,)

    def __init__(self, stage: Stage, archive: Path, root: Path | None = None) -> None:
        """``root`` is a root file system whose podman and crun are measured, instead of those of this machine."""
        self._stage = stage
        self._podman = command(stage.folder)
        if root is not None:
            # whoever enters the namespace of this process has its root
            pid = stage.start(with_root(root, stage.folder, ["sleep", "infinity"]))
            self._podman = ["nsenter", f"--target={pid}", "--mount", *self._podman]
            stage.await_success([*self._podman, "--version"])
            # there the stage's own folder alone is where it is here
            archive = Path(shutil.copy(archive, stage.folder))
        stage.run([*self._podman, "load", "-i", str(archive)])

    def version(self) -> str:
        return self._stage.run([*self._podman, "--version"]).output.strip().replace(" version", "")

    def run_true(self) -> float:
        """``podman run --rm busybox true`` on the default bridge."""
        return self._stage.run([*self._podman, "run", "--rm", *LIMITS, "busybox", "true"]).seconds
