"""Who is killed first for want of memory: a container's own processes at the score that was asked for, ours late."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.engine.store.state import State
from runtime.box import Box
from runtime.running import execute

Cli = Callable[..., subprocess.CompletedProcess[str]]
OWN = "/proc/self/oom_score_adj"
#: What the engine has that starts them: less of a claim to live than a container has by default.
CALLERS = 300


def raise_own() -> None:
    """In a new process, before it executes the command line."""
    Path(OWN).write_text(str(CALLERS))


def may_lower(score: int) -> bool:
    """Without CAP_SYS_RESOURCE root may not."""
    return subprocess.run(["sh", "-c", f"echo {score} >{OWN}"], stderr=subprocess.DEVNULL).returncode == 0


def score_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


@pytest.mark.parametrize(("asked", "wanted"), [([], 0), (["--oom-score-adj", "400"], 400)])
def test_a_container_its_execs_and_probes_have_their_own(cli: Cli, busybox: str, asked: list[str], wanted: int) -> None:
    probe = ["--health-cmd", f"cat {OWN}", "--health-interval", "100ms"]
    options = ["--name", "cc", "--network", "none", *asked, *probe]
    cli("run", "-d", *options, busybox, "sh", "-c", f"cat {OWN}; sleep 100", preexec_fn=raise_own)
    try:
        assert cli("exec", "cc", "cat", OWN).stdout == f"{wanted}\n"
        assert cli("logs", "cc").stdout == f"{wanted}\n"
        seen: list[dict[str, str]] = []
        while not seen:
            seen = json.loads(cli("inspect", "--format", "{{json .State}}", "cc").stdout)["Health"].get("Log") or []
        assert seen[0]["Output"] == f"{wanted}\n"
    finally:
        cli("rm", "-f", "cc")


async def test_a_container_does_not_get_back_to_ours(box: Box) -> None:
    refused = await box.run("sh", "-c", f"echo -1 >{OWN}; cat {OWN}")
    assert refused.out == "0\n"
    ident = await box.start("sleep", "60")
    assert (await execute(box, ident, "sh", "-c", f"echo -1 2>&- >{OWN}; cat {OWN}")).endswith("0\n")


async def test_a_monitor_has_that_of_a_shim(engine: Engine, box: Box) -> None:
    ident = await box.start("sleep", "60")
    monitor = State.read(str(engine.paths.container(ident).state)).monitor
    assert score_of(monitor) == (-998 if may_lower(-998) else score_of(os.getpid()))


def test_the_daemon_has_that_of_dockerd(roots: tuple[Path, Path]) -> None:
    where = ["--data-root", str(roots[0]), "--exec-root", str(roots[1]), "-H", f"unix://{roots[1]}/s"]
    daemon = subprocess.Popen(
        [sys.executable, "-m", "moby_tui", "daemon", *where], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert daemon.stdout is not None and daemon.stdout.readline().startswith("API listening")
    score = score_of(daemon.pid)
    daemon.terminate()
    said = daemon.communicate()[1]
    lowered = may_lower(-500)
    assert score == (-500 if lowered else score_of(os.getpid()))
    assert ("CAP_SYS_RESOURCE" in said) is not lowered
