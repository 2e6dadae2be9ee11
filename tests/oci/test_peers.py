"""Other engines with our runtime under them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import overwriting
from bench import image

Podman = Callable[..., subprocess.CompletedProcess[str]]
PROJECT = Path(__file__).parents[2]
_NETLESS = ("--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")


@pytest.fixture
def podman(roots: tuple[Path, Path], tmp_path: Path) -> Iterator[Podman]:
    if shutil.which("podman") is None:
        pytest.fail("this test needs podman: install it")
    base = roots[0].parent  # podman takes short paths only
    runtime = tmp_path / "moby-oci"
    runtime.write_text(
        f'#!/bin/sh\nexport PYTHONPATH={PROJECT}\nexec {sys.executable} -P -m moby_tui oci --root {tmp_path}/oci "$@"\n'
    )
    runtime.chmod(0o755)
    options = {"root": "d", "runroot": "r", "tmpdir": "t"}
    command = ["podman", *(f"--{name}={base / folder}" for name, folder in options.items())]
    command += ["--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=file", f"--runtime={runtime}"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

    image.rootfs(tmp_path / "rootfs")
    subprocess.run(["tar", "-C", str(tmp_path / "rootfs"), "-cf", str(tmp_path / "i.tar"), "."], check=True)
    assert run("import", str(tmp_path / "i.tar"), "bb").returncode == 0
    yield run
    run("rm", "-fa", "-t", "0")


def test_podman(podman: Podman) -> None:
    done = podman("run", "--rm", *_NETLESS, "bb", "sh", "-c", "echo hello; exit 5")
    assert (done.returncode, done.stdout) == (5, "hello\n"), done.stderr
    assert podman("run", "--rm", *_NETLESS, "bb", "nosuch").returncode == 127
    started = podman("run", "-d", "--name", "c", "--pids-limit", "50", *_NETLESS, "bb", "sleep", "100")
    assert started.returncode == 0, started.stderr
    done = podman("exec", "--user", "7:8", "c", "sh", "-c", "id -u; exit 4")
    assert (done.returncode, done.stdout) == (4, "7\n")
    assert podman("pause", "c").returncode == 0
    assert podman("unpause", "c").returncode == 0
    assert podman("kill", "c").returncode == 0
    assert podman("wait", "c").stdout == "137\n"
    assert podman("rm", "c").returncode == 0


def test_podman_s_tmpfs_begins_with_what_it_covers(podman: Podman) -> None:
    done = podman("run", "--rm", "--tmpfs", "/bin/sub:rw", *_NETLESS, "bb", "sh", "-c", "grep -c ' /bin/sub tmpfs' /proc/mounts")
    assert done.stdout == "1\n", done.stderr
    done = podman("run", "--rm", "--tmpfs", "/bin", *_NETLESS, "bb", "sh", "-c", "test -x /bin/busybox && echo there")
    assert done.stdout == "there\n", done.stderr


def test_podman_s_user_namespaces(podman: Podman) -> None:
    mapped = ("--uidmap", "0:100000:5000", "--gidmap", "0:100000:5000")
    done = podman(
        "run", "--rm", *mapped, *_NETLESS, "bb", "sh", "-c", "cat /proc/self/uid_map; id -u; touch /mine; stat -c %u /mine /bin"
    )
    assert done.stdout.split() == ["0", "100000", "5000", "0", "0", "0"], done.stderr
    assert podman("run", "-d", "--name", "c", *mapped, *_NETLESS, "bb", "sleep", "100").returncode == 0
    done = podman("exec", "--user", "7", "c", "sh", "-c", "id -u; touch /tmp/x 2>/dev/null; cat /proc/1/comm")
    assert done.stdout.split() == ["7", "sleep"], done.stderr
    assert podman("rm", "-f", "-t", "0", "c").returncode == 0


def test_podman_s_container_cannot_write_to_our_program(podman: Podman, tmp_path: Path) -> None:
    """CVE-2019-5736: its command, and that of an exec, is our own program."""
    overwriting.poison(tmp_path / "rootfs")
    subprocess.run(["tar", "-C", str(tmp_path / "rootfs"), "-cf", str(tmp_path / "e.tar"), "."], check=True)
    assert podman("import", str(tmp_path / "e.tar"), "evil").returncode == 0
    before = Path(overwriting.INTERPRETER).stat()
    done = podman("run", "--rm", *_NETLESS, "evil", overwriting.COMMAND)
    assert overwriting.REFUSED in done.stdout and "won" not in done.stdout, done
    assert podman("run", "-d", "--name", "c", *_NETLESS, "evil", "sleep", "100").returncode == 0
    done = podman("exec", "c", overwriting.COMMAND)
    assert overwriting.REFUSED in done.stdout and "won" not in done.stdout, done
    assert podman("rm", "-f", "-t", "0", "c").returncode == 0
    after = Path(overwriting.INTERPRETER).stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
