"""The program as one file: on a machine without Python, unpacked once, and never from somebody else's hands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

#: All that the head and the program's loader are allowed to need, from Debian's essential packages.
TOOLS = ("sh", "tail", "tar", "gzip", "sha256sum", "flock", "mkdir", "mv", "rm")

#: The C library's parts, and zlib, which dpkg itself needs.
LIBRARIES = ("libm.so.6", "libdl.so.2", "libpthread.so.0", "libutil.so.1", "librt.so.1", "libz.so.1")


@pytest.fixture
def bare_machine(tmp_path: Path, binary: Path) -> Path:
    """A root file system with the allowed tools, the C library and the binary, and nothing more."""
    root = tmp_path / "root"
    for folder in ("bin", "tmp", "dev", "proc", "var/lib"):
        (root / folder).mkdir(parents=True)
    (root / "dev" / "null").touch()  # a stand-in: what is written to it stays
    for tool in TOOLS:
        _copy_with_libraries(Path(shutil.which(tool) or tool), root)
    shutil.copy(binary, root / "bin" / "moby")
    return root


def _copy_with_libraries(program: Path, root: Path) -> None:
    shutil.copy(program, root / "bin" / program.name)
    listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout
    wanted = set(re.findall(r"(/\S+) \(0x", listed))
    libc = next((Path(path).parent for path in wanted if path.endswith("/libc.so.6")), Path("/lib"))
    for path in wanted | {str(libc / name) for name in LIBRARIES}:
        if Path(path).exists():
            (root / Path(path).parent.relative_to("/")).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / Path(path).relative_to("/"))


def _run(binary: Path, dist: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "MOBY_DIST": str(dist)}
    return subprocess.run([str(binary), *arguments], env=env, capture_output=True, text=True, timeout=120, **options)


def _run_in(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [shutil.which("chroot") or "chroot", str(root), "/bin/moby", *arguments]
    return subprocess.run(command, env={"PATH": "/bin"}, capture_output=True, text=True, timeout=120)


def test_it_runs_where_there_is_no_python(bare_machine: Path) -> None:
    done = _run_in(bare_machine, "version")
    assert done.returncode == 0, done.stderr
    assert "Version" in done.stdout
    unpacked = [path for path in (bare_machine / "var/lib/moby/dist").iterdir() if path.is_dir()]
    assert len(unpacked) == 1


def test_it_brings_its_libraries_and_no_tools_of_development(bare_machine: Path) -> None:
    assert _run_in(bare_machine, "version").returncode == 0
    (internal,) = (bare_machine / "var/lib/moby/dist").glob("*/_internal")
    assert (internal / "libseccomp.so.2").exists()
    for name in ("tkinter", "pip", "setuptools", "hypothesis", "pytest", "mypy"):
        assert not list(internal.glob(f"{name}*")), name


def test_it_unpacks_once(binary: Path, tmp_path: Path) -> None:
    assert _run(binary, tmp_path / "dist", "version").returncode == 0
    (home,) = [path for path in (tmp_path / "dist").iterdir() if path.is_dir()]
    assert home.stat().st_mode & 0o777 == 0o700
    made = home.stat().st_ctime_ns
    assert _run(binary, tmp_path / "dist", "version").returncode == 0
    assert home.stat().st_ctime_ns == made


def test_many_first_starts_at_once_make_one_folder(binary: Path, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "MOBY_DIST": str(tmp_path / "dist")}
    started = [subprocess.Popen([str(binary), "version"], env=env, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait(120) for process in started] == [0, 0, 0, 0]
    assert len([path for path in (tmp_path / "dist").iterdir() if path.is_dir()]) == 1


def test_a_half_made_folder_is_not_used(binary: Path, tmp_path: Path) -> None:
    line = re.search(rb"^sha=([0-9a-f]{64})$", binary.read_bytes()[:4096], re.MULTILINE)
    assert line is not None
    sha = line[1].decode()
    half_made = tmp_path / "dist" / f"{sha}.part"
    half_made.mkdir(parents=True)
    (half_made / "moby").write_text("#!/bin/sh\necho wrong\n")
    assert _run(binary, tmp_path / "dist", "version").returncode == 0
    assert not half_made.exists()


def test_a_damaged_file_is_refused(binary: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "moby"
    content = bytearray(binary.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    damaged.chmod(0o755)
    done = _run(damaged, tmp_path / "dist", "version")
    assert done.returncode == 125
    assert "is damaged" in done.stderr
    assert not [path for path in (tmp_path / "dist").iterdir() if path.is_dir()]


@pytest.mark.parametrize("whose", ["dist", "home"])
def test_what_belongs_to_somebody_else_is_refused(binary: Path, tmp_path: Path, whose: str) -> None:
    assert _run(binary, tmp_path / "dist", "version").returncode == 0
    (home,) = [path for path in (tmp_path / "dist").iterdir() if path.is_dir()]
    os.chown({"dist": tmp_path / "dist", "home": home}[whose], 65534, 65534)
    done = _run(binary, tmp_path / "dist", "version")
    assert done.returncode == 125
    assert "belongs to someone else" in done.stderr
