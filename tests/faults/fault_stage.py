"""A stage for faults: roots with an image in them, engine processes that can be killed, and a look for what they left."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import leaks
from moby_tui.engine.kernel import fault
from moby_tui.engine.store.paths import Paths

PACKAGE = Path(__file__).parents[2] / "moby_tui"


def points() -> list[str]:
    """The name of every point in the source. Raises ``AssertionError`` for one that is no literal, or stands twice."""
    names = [name for source in sorted(PACKAGE.rglob("*.py")) for name in _points_in(source)]
    assert len(names) == len(set(names)), "two points of one name"
    return names


def _points_in(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "fault.point":
            (argument,) = node.args
            assert isinstance(argument, ast.Constant) and isinstance(argument.value, str), f"{source}:{node.lineno}"
            yield argument.value


class Stage:
    """Runs scenarios of ``fault_scenarios`` in processes of their own, with a fault armed or none."""

    def __init__(self, folder: Path, archive: Path, port: int) -> None:
        self.folder = folder
        self._archive = archive
        self.port = port
        self._number = 0
        self._hits: dict[str, set[str]] = {}
        self.plan = folder / "fault"
        #: what a command line wrote
        self.output = folder / "output"
        folder.mkdir()
        path = os.pathsep.join([str(PACKAGE.parent), str(PACKAGE.parent / "tests"), str(Path(__file__).parent)])
        self._actor = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("fault_actor.py"))],
            env={**os.environ, "PYTHONPATH": path, fault.VARIABLE: str(self.plan), leaks.ROOT: str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.furnish()

    def furnish(self) -> None:
        """Fresh roots, where the old ones hold what a failed test left; what of it runs is ended."""
        for pid in self._processes():
            leaks._kill(pid)
        for path in leaks._cgroups(self.folder):
            leaks._empty_cgroup(path)
        self._number += 1
        self.data, self.exec = self.folder / f"d{self._number}", self.folder / f"r{self._number}"
        answer = self.play("load", archive=str(self._archive))
        assert answer["wrong"] == [] and answer["said"] == [], answer

    def play(self, scenario: str, plan: dict[str, Any] | None = None, **request: Any) -> dict[str, Any]:
        """Plays it to its end. The answer: ``said``, ``wrong``, ``killed``, ``hung``, ``hits`` (who passed which point), ``fired``."""
        hits, fired, killed, result = (self.folder / name for name in ("fault.hits", "fault.fired", "fault.killed", "result"))
        for path in (hits, fired, killed, result, self.output, self.plan):
            path.unlink(missing_ok=True)
        if plan is not None:
            self.plan.write_text(json.dumps(plan))
        order = {
            "scenario": scenario,
            "data": str(self.data),
            "exec": str(self.exec),
            "port": self.port,
            "host": f"unix://{self.folder}/moby.sock",
            "result": str(result),
            "output": str(self.output),
        }
        assert self._actor.stdin is not None and self._actor.stdout is not None
        self._actor.stdin.write(json.dumps({**order, **request}) + "\n")
        self._actor.stdin.flush()
        answer: dict[str, Any] = {"said": [], "wrong": [], **json.loads(self._actor.stdout.readline())}
        if result.exists():
            answer |= json.loads(result.read_text())
        lines = hits.read_text().splitlines() if hits.exists() else []
        answer["hits"] = [line.partition(" ")[2] for line in lines]
        answer["fired"] = fired.exists()
        deadline = time.monotonic() + leaks.PATIENCE
        while answer["fired"] and plan is not None and plan["action"] == "kill" and not killed.exists():
            # the process that looks for its victims is slower than what it was to kill
            assert time.monotonic() < deadline, plan
            time.sleep(0.002)
        self.plan.unlink(missing_ok=True)
        if answer["hung"]:
            answer["wrong"].append(f"{scenario} hung after {answer['hits'][-3:]}")
        return answer

    def hits(self, scenario: str, **request: Any) -> set[str]:
        """The points that an undisturbed scenario passes; played once."""
        if scenario not in self._hits:
            self._hits[scenario] = set(self.play(scenario, **request)["hits"])
        return self._hits[scenario]

    def left_behind(self) -> list[str]:
        """What is in the roots, in the kernel and among the processes that no container needs. Looks again for a while.

        The name server would stay for two seconds after its last container (``test_the_name_server_leaves``): it is ended.
        """
        for pid in self._processes():
            if _name(pid) == "moby-names":
                leaks._kill(pid)
        return leaks.settled(lambda: list(self.look()))

    def look(self) -> Iterator[str]:
        """What is left at this moment."""
        paths = Paths(self.data, self.exec)
        for folder in (
            self.data / "containers",
            self.exec / "containers",
            paths.staging,
            paths.volumes,
            paths.networks / "sandboxes",
            *(paths.networks / "leases").glob("*/"),
            *(paths.networks / "names").glob("*/"),
        ):
            for path in folder.iterdir() if folder.exists() else ():
                if path.name != ".lock":
                    yield f"file {path.relative_to(self.folder)}"
        yield from (f"cgroup {path}" for path in leaks._cgroups(self.folder))
        links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        bridge = f"moby-{paths.instance}"
        yield from (f"link {line}" for line in links.splitlines() if "veth" in line and f"master {bridge}" in line)
        table = subprocess.run(["nft", "list", "table", "ip", bridge], capture_output=True, text=True, check=False).stdout
        maps = [part for part in re.split(r"\n\t(?=map|set|chain)", table) if part.startswith("map")]
        yield from (f"nft {entry}" for part in maps for entry in re.findall(r"elements = \{.*?\}", part, re.S))
        # only its own: the other workers of the session make bridges of networks in the same namespace
        own = {f"br-{ident[:12]}" for ident in leaks.named_ids(self.data)}
        yield from (f"link {line}" for line in links.splitlines() if line.split(": ")[1] in own)
        yield from (f"nft {name}" for name in re.findall(r'"(br-[0-9a-f]{12})"', table))
        yield from (f"process {pid}: {_name(pid)}" for pid in self._processes())

    def _processes(self) -> list[int]:
        """Every process of the stage but the one that plays the scenarios."""
        return [pid for pid in leaks._with_environment(leaks.ROOT, str(self.folder)) if pid != self._actor.pid]

    def close(self) -> None:
        assert self._actor.stdin is not None
        self._actor.stdin.close()
        self._actor.wait()
        for pid in leaks._with_environment(leaks.ROOT, str(self.folder)):
            os.kill(pid, signal.SIGKILL)
        leaks._remove_network(self.folder)
        shutil.rmtree(self.folder)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "gone meanwhile"
