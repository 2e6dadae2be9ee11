"""Containers run from the one file, and what its loader sets for itself reaches none of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import overwriting
from moby_tui.engine.store.state import State

LOADER = ("LD_LIBRARY_PATH", "_PYI_", "_MEI")


@pytest.fixture
def program(
    binary: Path, roots: tuple[Path, Path], tmp_path: Path, busybox_archive: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``program("ps")``: the one file on the test's roots, with busybox loaded."""
    names = {"MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1]), "MOBY_DIST": str(tmp_path / "dist")}
    env = {**os.environ, **names, "LD_LIBRARY_PATH": "/the/caller's"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([str(binary), *arguments], env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done

    run("load", "-i", str(busybox_archive))
    return run


def test_the_loaders_environment_does_not_reach_a_container(program: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert not [line for line in program("run", "--rm", "busybox", "env").stdout.splitlines() if line.startswith(LOADER)]


def test_a_container_outlives_the_program_that_started_it(program: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Its monitor still has its modules: it serves another program's exec, and records the exit code."""
    program("run", "-d", "--name", "lasting", "busybox", "sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done")
    seen = program("exec", "lasting", "env").stdout
    assert not [line for line in seen.splitlines() if line.startswith(LOADER)]
    program("stop", "lasting")
    assert program("inspect", "--format", "{{.State.ExitCode}}", "lasting").stdout.strip() == "7"
    program("rm", "lasting")


def test_a_container_cannot_write_to_the_one_file_s_program(
    program: Callable[..., subprocess.CompletedProcess[str]], roots: tuple[Path, Path], tmp_path: Path
) -> None:
    """CVE-2019-5736: neither to its interpreter nor to the libraries that its folder brings along."""
    ident = program("run", "-d", "--name", "lasting", "busybox", "sleep", "60").stdout.strip()
    monitor = State.read(str(roots[0] / "containers" / ident / "state.json")).monitor
    assert str(tmp_path / "dist") in str(Path(f"/proc/{monitor}/exe").readlink())
    assert overwriting.writable_files(monitor) == []
    program("rm", "-f", "lasting")
