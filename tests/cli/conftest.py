"""A small image, and containers that end with their test."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]
BUSYBOX = Path("/bin/busybox")


@pytest.fixture(scope="session")
def box_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system of busybox alone."""
    path = tmp_path_factory.mktemp("box") / "box.tar"
    applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
    with tarfile.open(path, "w") as archive:
        archive.add(BUSYBOX.resolve(), "bin/busybox")
        for applet in applets:
            if applet != "busybox":
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(link)
        for folder in ("etc", "tmp", "root", "proc", "sys", "dev"):
            member = tarfile.TarInfo(folder)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
    return path


@pytest.fixture
def box(cli: Cli, box_archive: Path) -> Iterator[Cli]:
    """The command line on roots that hold the image ``box``. Containers are removed at the end."""
    cli("import", str(box_archive), "box")
    yield cli
    left = cli("ps", "-aq", "--no-trunc").stdout.split()
    if left:
        cli("rm", "-f", "-v", *left)


@pytest.fixture
def begin(roots: tuple[Path, Path]) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """``begin("logs", "-f", "web")``: a command line that goes on; killed at the end if it has not ended."""
    environment = {**os.environ, "MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1])}
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        started.append(subprocess.Popen([sys.executable, "-m", "moby_tui", *arguments], env=environment, bufsize=0, **pipes))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
