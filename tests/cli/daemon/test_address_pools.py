"""``moby daemon --default-address-pool``: where the networks that it makes get their subnets."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]


def test_networks_get_their_subnets_from_the_daemon_s_pools(
    cli: Cli, begin: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    socket = tmp_path / "s"
    daemon = begin(
        "daemon",
        "-H",
        f"unix://{socket}",
        "--default-address-pool",
        "base=10.94.0.0/16,size=24",
        "--default-address-pool",
        "base=10.93.0.0/28,size=29",
    )
    assert daemon.stdout is not None and b"API listening" in daemon.stdout.readline()
    there = ("-H", f"unix://{socket}")
    cli(*there, "network", "create", "front")
    try:
        shown = "{{range .IPAM.Config}}{{.Subnet}}{{end}}"
        for name, subnet in (("bridge", "10.93.0.0/29"), ("front", "10.93.0.8/29")):
            assert cli(*there, "network", "inspect", "-v", "--format", shown, name).stdout.strip() == subnet
        pools = cli(*there, "info", "--format", "{{json .DefaultAddressPools}}").stdout
        assert json.loads(pools) == [{"Base": "10.94.0.0/16", "Size": 24}, {"Base": "10.93.0.0/28", "Size": 29}]
        told = " Default Address Pools:\n   Base: 10.94.0.0/16, Size: 24\n   Base: 10.93.0.0/28, Size: 29\n"
        assert told.replace(" ", "") in cli(*there, "info").stdout.replace(" ", "")
    finally:
        cli(*there, "network", "rm", "front")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0


@pytest.mark.parametrize(
    "pool", ["10.0.0.0/8", "base=10.0.0.0/8", "base=10.0.0.0/8,size=7", "base=nowhere,size=24", "base=10.0.0.0/8,size=24,a=b"]
)
def test_a_bad_pool_is_told_before_anything_is_served(cli: Cli, tmp_path: Path, pool: str) -> None:
    done = cli("daemon", "-H", f"unix://{tmp_path}/s", "--default-address-pool", pool, check=False)
    assert done.returncode == 1 and f"invalid address pool {pool!r}" in done.stderr and "Traceback" not in done.stderr
