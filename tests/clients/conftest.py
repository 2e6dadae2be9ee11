from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moby_tui.api.client.connect import connect


@pytest.fixture
def served_alone(roots: tuple[Path, Path], busybox: str, tmp_path: Path) -> Iterator[Path]:
    """The socket of a daemon that has the image ``busybox`` and is alone in its network namespace, with subnets of its own choice."""
    with _serving(roots, tmp_path / "s", "unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh") as path:
        yield path


@pytest.fixture
def served_here(roots: tuple[Path, Path], tmp_path: Path) -> Iterator[Path]:
    """The socket of a daemon without images in the network namespace of the tests."""
    with _serving(roots, tmp_path / "s") as path:
        yield path


@contextmanager
def _serving(roots: tuple[Path, Path], path: Path, *start: str) -> Iterator[Path]:
    """``start`` are the words before the daemon's own."""
    where = ("--data-root", str(roots[0]), "--exec-root", str(roots[1]), "-H", f"unix://{path}", "-G", "root")
    daemon = subprocess.Popen([*start, sys.executable, "-m", "moby_tui", "daemon", *where], stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None and str(path) in daemon.stdout.readline()
    yield path
    asyncio.run(_remove_containers(path))
    daemon.terminate()
    assert daemon.wait(60) == 0


async def _remove_containers(path: Path) -> None:
    async with connect(f"unix://{path}") as client:
        for container in await client.containers.list(all=True):
            await client.containers.remove(container.id, force=True)


@pytest.fixture
def named_docker(tmp_path: Path) -> Path:
    """Our program under the name ``docker``."""
    path = tmp_path / "bin/docker"
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\nfrom moby_tui.__main__ import main\n\nmain()\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def namespace() -> Iterator[int]:
    """The pid of a process in a network namespace of its own, in which other tests publish no ports."""
    holder = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec sleep 1000"], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "ready\n"
    yield holder.pid
    holder.kill()
    holder.wait()
    holder.stdout.close()


@pytest.fixture
def environment_of(request: pytest.FixtureRequest, roots: tuple[Path, Path], busybox: str) -> Callable[[str], dict[str, str]]:
    """The variables with which a command line reaches an engine that has ``busybox``: ``in process``, or ``by a daemon``."""

    def variables(door: str) -> dict[str, str]:
        if door == "in process":
            return {"MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1])}
        return {"DOCKER_HOST": f"unix://{request.getfixturevalue('served_alone')}"}

    return variables
