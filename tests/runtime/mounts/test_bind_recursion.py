"""How far a bind reaches, and how far read-only does: ``--mount type=bind,bind-recursive=``."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]
_LOOK = "touch /b/top 2>/dev/null && echo top; touch /b/below/file 2>/dev/null && echo below; test -e /b/below/there && echo there; true"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file system mounted below it, in which there is a file."""
    below = tmp_path / "bound" / "below"
    below.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", below], check=True)
    (below / "there").touch()
    yield tmp_path / "bound"
    subprocess.run(["umount", below], check=True)


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ("", "top below there"),
        ("readonly", "there"),
        ("readonly,bind-recursive=enabled", "there"),
        ("readonly,bind-recursive=readonly,bind-propagation=rprivate", "there"),
        ("readonly,bind-recursive=writable", "below there"),
        ("bind-recursive=disabled", "top below"),
        ("readonly,bind-recursive=disabled", ""),
    ],
)
def test_reach(cli: Cli, busybox: str, folder: Path, options: str, seen: str) -> None:
    mount = ",".join(["type=bind", f"source={folder}", "target=/b", *([options] if options else [])])
    done = cli("run", "--rm", "--network", "none", "--mount", mount, "busybox", "sh", "-c", _LOOK)
    assert done.stdout.split() == seen.split()


def test_short_form_is_read_only_all_the_way(cli: Cli, busybox: str, folder: Path) -> None:
    done = cli("run", "--rm", "--network", "none", "-v", f"{folder}:/b:ro", "busybox", "sh", "-c", _LOOK)
    assert done.stdout.split() == ["there"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("bind-recursive=writable", "option 'bind-recursive=writable' requires 'readonly' to be specified"),
        ("bind-recursive=readonly", "option 'bind-recursive=readonly' requires 'readonly' to be specified"),
        ("readonly,bind-recursive=readonly", "requires 'bind-propagation=rprivate' to be specified"),
        ("bind-recursive=sometimes", "invalid value for bind-recursive: sometimes"),
    ],
)
def test_refused(cli: Cli, busybox: str, folder: Path, options: str, why: str) -> None:
    mount = f"type=bind,source={folder},target=/b,{options}"
    done = cli("run", "--rm", "--network", "none", "--mount", mount, "busybox", "true", check=False)
    assert done.returncode == 125 and why in done.stderr and done.stderr.count("\n") == 1
