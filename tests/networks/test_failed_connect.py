"""A start that fails at the second of three networks, and a create that fails, leave nothing; the next start succeeds."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]
NETWORKS = ("one", "two", "three")


def connected(cli: Cli) -> list[int]:
    """How many containers each network has."""
    return [len(network["Containers"] or {}) for network in json.loads(cli("network", "inspect", *NETWORKS).stdout)]


@pytest.mark.parametrize("point", ["record claimed", "address leased", "record written", "names written", "wired"])
def test_the_second_of_three_networks(cli: Cli, busybox: str, tmp_path: Path, point: str) -> None:
    for name in NETWORKS:
        cli("network", "create", "--internal", name)
    options = [word for name in NETWORKS for word in ("--network", name)]
    cli("create", "--name", "web", *options, busybox, "sleep", "600")
    before = set(os.listdir("/sys/class/net"))
    fault = tmp_path / "fault"
    fault.write_text(json.dumps({"point": f"network.{point}", "hit": 2, "action": "raise", "errno": errno.EIO}))
    assert cli("start", "web", env={"MOBY_FAULT": str(fault)}, check=False).returncode == 1
    assert (tmp_path / "fault.fired").exists()
    left = {name for name in set(os.listdir("/sys/class/net")) - before if not name.startswith("br-")}
    assert left == set() and connected(cli) == [0, 0, 0]
    cli("start", "web")
    assert connected(cli) == [1, 1, 1]
    cli("rm", "-f", "web")
    cli("network", "rm", *NETWORKS)


@pytest.mark.parametrize("point", ["upper made", "folder made"])
def test_a_create_that_fails_leaves_no_container(
    cli: Cli, busybox: str, tmp_path: Path, roots: tuple[Path, Path], point: str
) -> None:
    for name in NETWORKS:
        cli("network", "create", "--internal", name)
    options = [word for name in NETWORKS for word in ("--network", name)]
    fault = tmp_path / "fault"
    fault.write_text(json.dumps({"point": f"create.{point}", "action": "raise", "errno": errno.EIO}))
    create = ("create", "--name", "web", "-v", "/anonymous", *options, busybox, "true")
    assert cli(*create, env={"MOBY_FAULT": str(fault)}, check=False).returncode != 0
    assert (tmp_path / "fault.fired").exists()
    assert cli("ps", "-aq").stdout == cli("volume", "ls", "-q").stdout == ""
    assert os.listdir(roots[0] / "containers") == []
    cli("network", "rm", *NETWORKS)
