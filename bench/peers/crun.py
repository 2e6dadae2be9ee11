"""crun: the fastest OCI runtime of Debian, on a bundle of its own, without a network."""

from __future__ import annotations

import json
from pathlib import Path

from bench import image
from bench.stage import Stage


class Crun:
    cgroups = ("moby-bench-crun",)

    def __init__(self, stage: Stage, archive: Path) -> None:
        self._stage = stage
        self._bundle = stage.folder / "bundle"
        self._number = 0
        image.rootfs(self._bundle / "rootfs")
        stage.run(["crun", "spec", "--bundle", str(self._bundle)])
        spec_path = self._bundle / "config.json"
        spec = json.loads(spec_path.read_text())
        spec["process"].update(terminal=False, args=["true"], env=["PATH=/bin"])
        spec["process"].pop("rlimits", None)
        spec["linux"]["cgroupsPath"] = f"/{self.cgroups[0]}/c"
        spec_path.write_text(json.dumps(spec))

    def version(self) -> str:
        return self._stage.run(["crun", "--version"]).output.splitlines()[0].replace(" version", "")

    def run_true(self) -> float:
        """``crun run``: create, start, wait and delete, with no network."""
        self._number += 1
        root = f"--root={self._stage.folder}/state"
        return self._stage.run(
            ["crun", root, "--cgroup-manager=cgroupfs", "run", "--bundle", str(self._bundle), f"c{self._number}"]
        ).seconds
