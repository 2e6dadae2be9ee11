"""Restart policies and health checks through the real docker CLI, and a daemon that ends and begins."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api.world import Docker


async def until(look: Callable[[], Any], test: Callable[[str], bool], seconds: float = 20) -> str:
    async with asyncio.timeout(seconds):
        while not test(text := str((await look()).out.strip())):
            await asyncio.sleep(0.05)
    return text


async def test_restart_policy(docker: Docker) -> None:
    await docker("run", "-d", "--name", "done", "--network", "none", "--restart", "on-failure:2", "busybox", "sh", "-c", "exit 9")
    form = "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}} {{.HostConfig.RestartPolicy.Name}}"
    await until(lambda: docker("inspect", "-f", form, "done"), lambda text: text == "exited 9 2 on-failure")
    await docker("run", "-d", "--name", "loop", "--network", "none", "--restart", "always", "busybox", "false")
    await until(lambda: docker("ps", "--format", "{{.Names}} {{.Status}}"), lambda text: "loop Restarting (1) " in text)
    refused = await docker("run", "--restart", "sometimes", "busybox", "true", check=False)
    assert refused.status == 125 and "invalid restart policy: unknown policy 'sometimes'" in refused.err
    await docker("stop", "loop")
    assert (await docker("inspect", "-f", "{{.State.Status}}", "loop")).out == "exited\n"
    await docker("rm", "loop", "done")


async def test_health_check(docker: Docker) -> None:
    quick = ("--health-interval", "50ms", "--health-retries", "1", "--network", "none")
    await docker("run", "-d", "--name", "good", "--health-cmd", "echo well", *quick, "busybox", "sleep", "60")
    await until(lambda: docker("ps", "--filter", "health=healthy", "--format", "{{.Status}}"), lambda text: "(healthy)" in text)
    found = json.loads((await docker("inspect", "-f", "{{json .State.Health}}", "good")).out)
    assert (found["Status"], found["FailingStreak"]) == ("healthy", 0)
    assert found["Log"][0]["Output"] == "well\n" and len(found["Log"]) <= 5
    unhealthy = ("--health-cmd", "false", "--annotation", "moby.health-on-failure=restart", "--stop-timeout", "0")
    await docker("run", "-d", "--name", "bad", *unhealthy, *quick, "busybox", "sleep", "60")
    await until(lambda: docker("inspect", "-f", "{{.RestartCount}}", "bad"), lambda text: int(text) >= 1)
    await docker("run", "-d", "--name", "none", "--no-healthcheck", "--network", "none", "busybox", "sleep", "60")
    assert (await docker("inspect", "-f", "{{.State.Health}}", "none")).out == "<nil>\n"
    await docker("rm", "-f", "good", "bad", "none")


def _daemon(roots: tuple[Path, Path], socket: Path, *options: str) -> subprocess.Popen[str]:
    where = ("--data-root", str(roots[0]), "--exec-root", str(roots[1]), "-H", f"unix://{socket}", "-G", "root")
    daemon = subprocess.Popen([sys.executable, "-m", "moby_tui", "daemon", *where, *options], stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    assert daemon.stdout.readline().startswith("API listening")
    return daemon


def _end(daemon: subprocess.Popen[str]) -> None:
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(30) == 0
    assert daemon.stdout is not None
    daemon.stdout.close()


async def test_daemon_ends_and_begins(busybox: str, roots: tuple[Path, Path], tmp_path: Path) -> None:
    """With live restore the process lives on; without, it is stopped, and started by the next daemon as its policy says."""
    docker = Docker(tmp_path / "s", tmp_path)
    daemon = _daemon(roots, tmp_path / "s")
    for name, policy in (("kept", "unless-stopped"), ("left", "no")):
        await docker(
            "run", "-d", "--name", name, "--network", "none", "--restart", policy, "--stop-timeout", "0", "busybox", "sleep", "60"
        )
    assert "Live Restore Enabled: true" in (await docker("info")).out
    pid = int((await docker("inspect", "-f", "{{.State.Pid}}", "kept")).out)
    _end(daemon)
    os.kill(pid, 0)
    daemon = _daemon(roots, tmp_path / "s", "--no-live-restore")
    assert int((await docker("inspect", "-f", "{{.State.Pid}}", "kept")).out) == pid
    assert "Live Restore Enabled: false" in (await docker("info")).out
    _end(daemon)
    assert not Path(f"/proc/{pid}/exe").exists()
    daemon = _daemon(roots, tmp_path / "s")
    states = (await docker("ps", "-a", "--format", "{{.Names}} {{.State}}")).out.split("\n")
    assert {"kept running", "left exited"} <= set(states)
    await docker("rm", "-f", "kept", "left")
    _end(daemon)
