"""The worker of a stage: runs commands and times them. It is the init of its pid namespace, so it reaps everyone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_SAMPLE_SECONDS = 0.02


def furnish(folder: Path) -> None:
    """Makes the namespaces fit for every contestant: loopback up, a private /run, no half cgroup v2 hierarchy.

    crun and dockerd of Debian 12 refuse a hybrid hierarchy whose version 2 side holds controllers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for place in ("/run", "/var/lib/cni"):
        if Path(place).is_dir():
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    if Path("/sys/fs/cgroup/unified/cgroup.procs").exists():
        subprocess.run(["umount", "/sys/fs/cgroup/unified"], check=True)


class Runner:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, argv: list[str], env: dict[str, str], discard: bool = False) -> dict[str, Any]:
        output = Path(os.devnull) if discard else self._folder / "output"
        began = time.perf_counter()
        status = _wait(self._spawn(argv, env, output))
        seconds = time.perf_counter() - began
        text = output.read_text(errors="replace")
        if status != 0:
            return {"error": f"{' '.join(argv)}: status {status}: {text.strip()[-2000:]}"}
        return {"seconds": seconds, "output": text}

    def start(self, argv: list[str], env: dict[str, str]) -> dict[str, Any]:
        return {"pid": self._spawn(argv, env, self._folder / f"{Path(argv[0]).name}.log")}

    def several(self, commands: list[list[str]], env: dict[str, str], at_a_time: int) -> dict[str, Any]:
        """Runs all commands, so many at a time, and times the whole."""
        waiting = list(enumerate(commands))
        running: dict[int, Path] = {}
        outputs = []
        began = time.perf_counter()
        while waiting or running:
            while waiting and len(running) < at_a_time:
                number, argv = waiting.pop(0)
                output = self._folder / f"output-{number}"
                running[self._spawn(argv, env, output)] = output
            ended, status = os.waitpid(-1, 0)
            finished = running.pop(ended, None)
            if finished is not None:
                outputs.append(finished.read_text(errors="replace"))
                if status != 0:
                    return {"error": f"{commands[0]}: {outputs[-1]}"}
        return {"seconds": time.perf_counter() - began, "outputs": outputs}

    def parent_pss(self, pid: int) -> dict[str, Any]:
        return {"bytes": _pss(_parent(pid))}

    def pss(self, pid: int) -> dict[str, Any]:
        """Of a process and all its descendants."""
        members = {pid}
        others = [int(name) for name in os.listdir("/proc") if name.isdigit() and name != str(pid)]
        while found := [other for other in others if other not in members and _parent(other) in members]:
            members.update(found)
        return {"bytes": sum(_pss(member) for member in members)}

    def growth(self, argv: list[str], env: dict[str, str], pid: int) -> dict[str, Any]:
        """Runs a command, and looks how much larger ``pid`` and its descendants are at their largest than before it."""
        before = largest = self.pss(pid)["bytes"]
        child = self._spawn(argv, env, self._folder / "output")
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            time.sleep(_SAMPLE_SECONDS)
            with suppress(FileNotFoundError, ProcessLookupError):  # a helper of theirs that ended meanwhile
                largest = max(largest, self.pss(pid)["bytes"])
        return {"bytes": largest - before}

    def _spawn(self, argv: list[str], env: dict[str, str], output: Path) -> int:
        program = shutil.which(argv[0])
        if program is None:
            raise FileNotFoundError(f"{argv[0]} is not installed")
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        return os.posix_spawn(program, argv, {**os.environ, **env}, file_actions=actions)


def _parent(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat[stat.rindex(")") + 2 :].split()[1])


def _pss(pid: int) -> int:
    """Proportional set size in bytes; proc_pid_smaps(5)."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))


def _wait(pid: int) -> int:
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def serve(operations: dict[str, Callable[..., dict[str, Any]]]) -> None:
    """Answers requests until the other side closes; an operation's error becomes its answer."""
    for line in sys.stdin:
        request = json.loads(line)
        operation = operations[request.pop("op")]
        try:
            answer = operation(**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def main() -> None:
    folder = Path(sys.argv[1])
    furnish(folder)
    runner = Runner(folder)
    serve(
        {
            "run": runner.run,
            "several": runner.several,
            "start": runner.start,
            "parent_pss": runner.parent_pss,
            "pss": runner.pss,
            "growth": runner.growth,
        }
    )


if __name__ == "__main__":
    main()
