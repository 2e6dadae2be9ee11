"""CVE-2019-5736 where nothing of ours stays running: a container of ``moby oci`` cannot write to our program."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import overwriting
from oci import bundle


def fingerprint() -> tuple[int, int]:
    status = Path(overwriting.INTERPRETER).stat()
    return status.st_size, status.st_mtime_ns


def poisoned(tmp_path: Path, *args: str, **changes: Any) -> Path:
    """A bundle of the attacker's, with the folder ``told`` of the host in it."""
    (tmp_path / "told").mkdir()

    def change(config: dict[str, Any]) -> None:
        config.update(changes)
        source = str(tmp_path / "told")
        config["mounts"].append({"destination": "/told", "type": "bind", "source": source, "options": ["bind"]})

    folder = bundle.make(tmp_path / "b", change, *args)
    overwriting.poison(folder / "rootfs")
    return folder


def check(tmp_path: Path, before: tuple[int, int]) -> None:
    """The attack was carried out, and refused."""
    said = overwriting.wait_for_attempts(tmp_path / "told")
    assert overwriting.REFUSED in said and "won" not in said, said
    assert fingerprint() == before


def test_run(runtime: bundle.Runtime, tmp_path: Path) -> None:
    before = fingerprint()
    assert runtime("run", "-d", "-b", str(poisoned(tmp_path, overwriting.COMMAND)), "own-run").returncode == 0
    check(tmp_path, before)


def test_create_and_start(runtime: bundle.Runtime, tmp_path: Path) -> None:
    """The process that waits to be started shows our program all the while."""
    before = fingerprint()
    assert runtime("create", "-b", str(poisoned(tmp_path, overwriting.COMMAND)), "own-create").returncode == 0
    assert overwriting.writable_files(runtime.state("own-create")["pid"]) == []
    assert runtime("start", "own-create").returncode == 0
    check(tmp_path, before)


def test_exec(runtime: bundle.Runtime, tmp_path: Path) -> None:
    before = fingerprint()
    assert runtime("run", "-d", "-b", str(poisoned(tmp_path, "sleep", "60")), "own-exec").returncode == 0
    assert runtime("exec", "-d", "own-exec", overwriting.COMMAND).returncode == 0
    check(tmp_path, before)


def test_a_hook_inside_the_container(runtime: bundle.Runtime, tmp_path: Path) -> None:
    """``start`` enters a container where it has startContainer hooks."""
    before = fingerprint()
    folder = poisoned(tmp_path, "sleep", "60", hooks={"startContainer": [{"path": overwriting.COMMAND}]})
    assert runtime("create", "-b", str(folder), "own-hook").returncode == 0
    (tmp_path / "told" / "go").touch()
    done = runtime("start", "own-hook")
    assert done.returncode == 0, done.stderr
    check(tmp_path, before)


def test_it_returns_to_where_it_was_called(runtime: bundle.Runtime, tmp_path: Path) -> None:
    """A bundle is named from the working directory, and what is written is written in the caller's mount namespace."""
    folder = bundle.make(tmp_path / "b", None, "pwd")
    command = [*runtime.command, "run", "--pid-file", "here", "own-here"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "/\n"), done.stderr
    assert (folder / "here").read_text().isdecimal()
