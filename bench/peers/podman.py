"""Podman over crun, without its events (they need a journal that a bare machine lacks)."""

from __future__ import annotations

from pathlib import Path

from bench.stage import Stage

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

    def __init__(self, stage: Stage, archive: Path) -> None:
        self._stage = stage
        self._podman = command(stage.folder)
        stage.run([*self._podman, "load", "-i", str(archive)])

    def version(self) -> str:
        return self._stage.run(["podman", "--version"]).output.strip().replace(" version", "")

    def run_true(self) -> float:
        """``podman run --rm busybox true`` on the default bridge."""
        return self._stage.run([*self._podman, "run", "--rm", *LIMITS, "busybox", "true"]).seconds
