"""Ourselves, through three doors: the daemon's socket, the command line in one process, and the SDK."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.peers.driven import DockerDriven
from bench.stage import Stage


def environment(stage: Stage) -> dict[str, str]:
    return {"MOBY_DATA_ROOT": f"{stage.folder}/d", "MOBY_EXEC_ROOT": f"{stage.folder}/r"}


def program() -> list[str]:
    return [sys.executable, "-m", "moby_tui"]


def version(stage: Stage) -> str:
    return stage.run([*program(), "version", "--format", "moby {{.Client.Version}}"]).output.strip()


class Daemon(DockerDriven):
    """``moby daemon``, driven by the docker command line."""

    cgroups = ("moby",)

    def __init__(self, stage: Stage, archive: Path) -> None:
        socket = f"unix://{stage.folder}/s"
        pid = stage.start([*program(), "daemon", "-H", socket], environment(stage))
        super().__init__(stage, socket, pid)
        stage.await_success(["docker", "version"], self.env)
        stage.run([*program(), "load", "-i", str(archive)], environment(stage))


class CommandLine:
    """The command line as most people meet it: no daemon, the engine in the process."""

    cgroups = ("moby",)

    def __init__(self, stage: Stage, archive: Path) -> None:
        self._stage = stage
        self._env = environment(stage)
        stage.run([*program(), "load", "-i", str(archive)], self._env)

    def run_true(self) -> float:
        """``moby run --rm busybox true`` on the default bridge."""
        return self._stage.run([*program(), "run", "--rm", "busybox", "true"], self._env).seconds

    def ps(self) -> float:
        """``moby ps``."""
        return self._stage.run([*program(), "ps"], self._env).seconds


class OneFile:
    """``dist/moby``, and the folder that its first start unpacks."""

    def __init__(self, stage: Stage, binary: Path) -> None:
        self._stage = stage
        self._binary = binary
        self._env = {"MOBY_DIST": f"{stage.folder}/dist"}
        stage.run([str(binary), "version"], self._env)
        (self._program,) = (stage.folder / "dist").glob("*/moby")

    def version_of_file(self) -> float:
        return self._stage.run([str(self._binary), "version"], self._env).seconds

    def version_of_folder(self) -> float:
        return self._stage.run([str(self._program), "version"]).seconds


class Sdk:
    """An engine that is already open; the stage's worker is ``bench.warm``."""

    cgroups = ("moby",)

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def start_true(self, *, port: bool = False) -> float:
        """Start to exit of ``true`` without a network, or on the bridge with a published port; create and remove are not timed."""
        seconds: float = self._stage.ask(op="start_true", port=port)["seconds"]
        return seconds
