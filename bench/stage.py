"""A stage: mount, network and pid namespaces of their own in which one contestant lives.

Whatever a contestant mounts, wires or leaves running ends with its stage, because the stage's first process is the
init of its pid namespace (pid_namespaces(7)). Cgroups are not covered by a namespace here; the stage removes those
that its contestant is known to make.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

CGROUPS = Path("/sys/fs/cgroup")


class BenchError(Exception):
    """A contestant could not do what the row asks; the text holds its own words."""


@dataclass(frozen=True)
class Ran:
    """One command's run: how long from spawn to exit, and what it wrote."""

    seconds: float
    output: str


class Stage:
    """Speaks JSON lines with a worker program that runs inside the namespaces."""

    def __init__(
        self, folder: Path, *, worker: str = "bench.runner", arguments: Sequence[str] = (), cgroups: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self._cgroups = cgroups
        namespaces = [
            "unshare",
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--propagation",
            "private",
        ]
        self._process = subprocess.Popen(
            [*namespaces, sys.executable, "-m", worker, str(folder), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        for name in self._cgroups:
            remove_cgroup(name)

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request, one answer.

        Raises ``BenchError`` with the worker's text when it could not do it.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"the worker of {self.folder.name} ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchError(answer["error"])
        return answer

    def run(self, argv: Sequence[str], env: Mapping[str, str] | None = None, *, discard: bool = False) -> Ran:
        """Runs a command to its end; any status but 0 is an error. ``discard``: its output goes to ``/dev/null``."""
        answer = self.ask(op="run", argv=list(argv), env=dict(env or {}), discard=discard)
        return Ran(answer["seconds"], answer["output"])

    def several(self, commands: Sequence[Sequence[str]], env: Mapping[str, str], *, at_a_time: int) -> tuple[float, list[str]]:
        """Runs all commands, so many at a time: the seconds of the whole, and what each wrote in the order of their ends."""
        answer = self.ask(op="several", commands=[list(argv) for argv in commands], env=dict(env), at_a_time=at_a_time)
        return answer["seconds"], answer["outputs"]

    def start(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> int:
        """Starts a program that stays until the stage closes; its log is in the stage's folder. Returns its process id there."""
        pid: int = self.ask(op="start", argv=list(argv), env=dict(env or {}))["pid"]
        return pid

    def await_success(self, argv: Sequence[str], env: Mapping[str, str] | None = None, *, seconds: float = 30) -> None:
        """Repeats a command until it succeeds, for a daemon that is coming up."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.run(argv, env)
                return
            except BenchError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def parent_pss(self, pid: int) -> int:
        """Proportional set size in bytes of the parent of ``pid``: of the process that watches over a container."""
        pss: int = self.ask(op="parent_pss", pid=pid)["bytes"]
        return pss

    def pss(self, pid: int) -> int:
        """Proportional set size in bytes of a process and its descendants."""
        pss: int = self.ask(op="pss", pid=pid)["bytes"]
        return pss

    def growth(self, argv: Sequence[str], env: Mapping[str, str], pid: int) -> int:
        """By how many bytes a process and its descendants grow, at most, while a command runs."""
        grown: int = self.ask(op="growth", argv=list(argv), env=dict(env), pid=pid)["bytes"]
        return grown


def with_root(root: Path, folder: Path, command: Sequence[str]) -> list[str]:
    """A command that runs ``command`` with another root file system, in which ``folder`` is where it is here."""
    script = f"""set -e
mount --bind {root} {root}
cd {root}
for place in proc sys dev; do mount --rbind /$place $place; done
mkdir -p .old .{folder}
mount --bind {folder} .{folder}
mount -t tmpfs tmpfs run
pivot_root . .old
cd /
umount -l /.old
exec "$@\""""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *command]


def remove_cgroup(name: str) -> None:
    """Removes a cgroup and those below it in every hierarchy; one that others still use stays."""
    for top in [CGROUPS / name, *CGROUPS.glob(f"*/{name}")]:
        # from below; another engine may be making and removing its own
        for folder, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):
                os.rmdir(folder)
