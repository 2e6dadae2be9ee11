"""``system doctor``: what a host lacks is found, on the real kernel; what it has is told too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moby_tui.api.client.connect import connect
from moby_tui.engine.engine import Engine


def found(checks: Any, about: str) -> list[Any]:
    return [check for check in checks if check.about == about]


def full_disks(checks: Any) -> list[Any]:
    return [check for check in found(checks, "disk") if "space of the data root" in check.message and check.advice]


async def test_the_engine_tells_each_part_of_its_host_and_changes_nothing(engine: Engine) -> None:
    checks = await engine.system.examine()
    assert {"kernel", "namespaces", "control groups", "capabilities", "seccomp", "apparmor", "firewall", "storage", "disk"} <= {
        check.about for check in checks
    }
    assert {check.severity for check in checks} <= {"ok", "absent", "warning", "error"}
    assert all(check.advice for check in checks if check.severity in ("warning", "error"))
    assert [check.severity for check in found(checks, "kernel")] == ["ok"]


async def test_a_full_disk_is_an_error(roots: tuple[Path, Path]) -> None:
    """The data root is a small tmpfs that is nearly full."""
    data_root, exec_root = roots
    data_root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", data_root], check=True)
    try:
        async with connect(data_root=data_root, exec_root=exec_root) as client:
            assert not full_disks(await client.system.examine())
            left = os.statvfs(data_root)
            (data_root / "filler").write_bytes(bytes(left.f_bavail * left.f_frsize - (1 << 19)))
            (full,) = full_disks(await client.system.examine())
            assert full.severity == "error" and "nearly full" in full.message
    finally:
        subprocess.run(["umount", "-l", data_root], check=True)


def test_capabilities_that_are_lacking_are_told_and_what_that_means(roots: tuple[Path, Path]) -> None:
    code = (
        "from pathlib import Path; from moby_tui.engine.host_checks import examine\n"
        "for check in examine(Path('/var/tmp'), Path('/run')): print(check.severity, check.about, check.message)"
    )
    drop = ["setpriv", "--bounding-set=-mknod,-net_admin", "--inh-caps=-mknod,-net_admin"]
    lines = subprocess.run([*drop, sys.executable, "-c", code], check=True, text=True, capture_output=True).stdout.splitlines()
    told = [line for line in lines if " capabilities " in line]
    assert told[0].startswith("error") and "CAP_NET_ADMIN" in told[0]
    assert any(line.startswith("warning") and "CAP_MKNOD: devices are bound" in line for line in told)
    assert any(line.startswith("error firewall nftables does not answer") for line in lines)


def test_the_command(cli: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = cli("system", "doctor", "--format", "{{.Severity}} {{.About}}", check=False)
    severities = {line.partition(" ")[0] for line in done.stdout.splitlines()}
    assert severities <= {"ok", "absent", "warning", "error"}
    assert done.returncode == int("error" in severities)
