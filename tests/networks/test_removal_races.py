"""A network that one process removes while another puts a container into it: one of the two is refused, and nothing is left half-made."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel import fault
from networks.test_cut_short import left

Cli = Callable[..., subprocess.CompletedProcess[str]]
START = ("run", "--name", "web", "--network", "n", "-p", "8080:80", "-d", "busybox", "sleep", "1000")
CONNECT = ("network", "connect", "n", "web")


class Paused:
    """A command that waits at a point until ``go``."""

    def __init__(self, roots: tuple[Path, Path], plan: Path, point: str, *words: str) -> None:
        self._plan = plan
        plan.write_text(json.dumps({"point": point, "action": "wait"}))
        environment = {"MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1]), fault.VARIABLE: str(plan)}
        self._process = command(environment, *words)
        while not plan.with_name(f"{plan.name}.fired").exists():
            assert self._process.poll() is None, self._process.communicate()

    def go(self) -> tuple[int, str]:
        """The status and the errors of the command."""
        self._plan.with_name(f"{self._plan.name}.go").touch()
        return ended(self._process)


def command(environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "moby_tui", *words],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


async def waits(process: subprocess.Popen[str]) -> None:
    """Until a process waits for the lock of a network, or has ended."""
    while process.poll() is None and "-> OFDLCK" not in Path("/proc/locks").read_text():
        await asyncio.sleep(0.01)


async def nothing_left(roots: tuple[Path, Path], before: list[str]) -> None:
    async with Engine.open(*roots) as engine:
        await engine.containers.remove("web", force=True)
        for network in await engine.networks.list():
            if network.name == "n":
                await engine.networks.remove("n")
    assert left(roots) == before


@pytest.fixture
def environment(roots: tuple[Path, Path]) -> dict[str, str]:
    return {"MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1])}


@pytest.fixture
def before(own_network: None, roots: tuple[Path, Path], cli: Cli, busybox: str) -> list[str]:
    """What there is with the default bridge alone, and without the network ``n``, which is there now."""
    cli("run", "--rm", "busybox", "true")
    cli("network", "create", "n")
    cli("network", "rm", "n")
    names = left(roots)
    cli("network", "create", "n")
    return names


@pytest.mark.parametrize("words", [START, CONNECT], ids=["start", "connect"])
@pytest.mark.parametrize("point", ["network.bridge there", "network.record claimed", "network.wired"])
async def test_what_has_begun_keeps_the_network(
    roots: tuple[Path, Path],
    cli: Cli,
    environment: dict[str, str],
    before: list[str],
    tmp_path: Path,
    words: tuple[str, ...],
    point: str,
) -> None:
    if words == CONNECT:
        cli("run", "--name", "web", "-d", "busybox", "sleep", "1000")
    starting = Paused(roots, tmp_path / "fault", point, *words)
    removing = command(environment, "network", "rm", "n")
    await waits(removing)
    assert starting.go() == (0, "")
    status, errors = ended(removing)
    assert (status, "has active endpoints" in errors) == (1, True), errors
    assert "inet " in cli("exec", "web", "ip", "-o", "addr", "show", "dev", "eth1" if words == CONNECT else "eth0").stdout
    await nothing_left(roots, before)


async def test_a_start_that_knew_the_network_before_its_removal(
    roots: tuple[Path, Path], cli: Cli, before: list[str], tmp_path: Path
) -> None:
    starting = Paused(roots, tmp_path / "fault", "network.ports bound", *START)
    cli("network", "rm", "n")
    status, errors = starting.go()
    assert (status, "network n not found" in errors) == (125, True), errors
    assert cli("ps", "-a", "--format", "{{.Names}} {{.Status}}").stdout == "web Created\n"
    await nothing_left(roots, before)


@pytest.mark.parametrize("words", [START, CONNECT], ids=["start", "connect"])
async def test_one_that_comes_during_the_removal(
    roots: tuple[Path, Path],
    cli: Cli,
    environment: dict[str, str],
    before: list[str],
    tmp_path: Path,
    words: tuple[str, ...],
) -> None:
    if words == CONNECT:
        cli("run", "--name", "web", "-d", "busybox", "sleep", "1000")
    removing = Paused(roots, tmp_path / "fault", "networks.unmade", "network", "rm", "n")
    starting = command(environment, *words)
    await waits(starting)
    assert removing.go() == (0, "")
    status, errors = ended(starting)
    assert (status, "network n not found" in errors) == (1 if words == CONNECT else 125, True), errors
    await nothing_left(roots, before)


async def test_two_removals_at_once(
    roots: tuple[Path, Path], cli: Cli, environment: dict[str, str], before: list[str], tmp_path: Path
) -> None:
    """The second does not remove the bridge of a network that was made meanwhile with the same bridge."""
    cli("network", "rm", "n")
    named = ("network", "create", "-o", "com.docker.network.bridge.name=br-races", "n")
    cli(*named)
    removing = Paused(roots, tmp_path / "fault", "networks.unmade", "network", "rm", "n")
    second = command(environment, "network", "rm", "n")
    await waits(second)
    assert removing.go() == (0, "")
    assert ended(second)[0] == 1
    cli("create", "--name", "web", "busybox")
    await nothing_left(roots, before)
