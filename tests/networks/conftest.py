"""An engine's networks in the session's namespace, and a neighbour of the host in a namespace of its own."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

import namespaces
from moby_tui.api.client.address import parse_host
from moby_tui.api.client.http import HttpClient
from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine as WholeEngine
from moby_tui.engine.kernel.network import netns
from networks.world import HOST, OUTSIDE, Engine, run, serve


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """One such test at a time: the workers share one namespace, and with it the host's ports and the neighbour's wire."""
    lock = os.open(namespaces.folder(), os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield
    os.close(lock)


@pytest.fixture
async def engine(roots: tuple[Path, Path]) -> AsyncIterator[Engine]:
    made = Engine(*roots)
    yield made
    made.close()


@pytest.fixture
async def whole_engine(roots: tuple[Path, Path], busybox: str) -> AsyncIterator[WholeEngine]:
    """An engine with the image ``busybox``, for tests with containers. Its containers and networks are gone at the end."""
    async with WholeEngine.open(*roots) as opened:
        yield opened
        for container in await opened.containers.list(all=True):
            await opened.containers.remove(container.id, force=True, volumes=True)
        await opened.networks.prune()


@pytest.fixture
def outside() -> Iterator[int]:
    """A neighbour on the host's wire (10.77.0.0/24), whose default route is the host."""
    namespace = netns.create()
    run("ip link add outside0 type veth peer name outside1")
    subprocess.run(["ip", "link", "set", "outside1", "netns", f"/proc/self/fd/{namespace}"], check=True, pass_fds=[namespace])
    run(f"ip addr add {HOST}/24 dev outside0; ip link set outside0 up")
    run(
        f"ip link set lo up; ip addr add {OUTSIDE}/24 dev outside1; ip link set outside1 up; ip route add default via {HOST}",
        namespace,
    )
    yield namespace
    run("ip link delete outside0")
    os.close(namespace)


@pytest.fixture
def listen() -> Iterator[Callable[..., socket.socket]]:
    """``serve``, closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(serve(*arguments))


@pytest.fixture
def served_engine(roots: tuple[Path, Path], busybox: str, tmp_path: Path) -> Iterator[Path]:
    """The socket of a daemon that is alone in its network namespace: it chooses subnets that nobody else there has taken."""
    path = tmp_path / "s"
    where = ("--data-root", str(roots[0]), "--exec-root", str(roots[1]), "-H", f"unix://{path}", "-G", "root")
    alone = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    daemon = subprocess.Popen([*alone, sys.executable, "-m", "moby_tui", "daemon", *where], stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None and str(path) in daemon.stdout.readline()
    yield path
    asyncio.run(_remove_containers(path))
    daemon.terminate()
    assert daemon.wait(60) == 0


@pytest.fixture
async def door(whole_engine: WholeEngine, tmp_path: Path) -> AsyncIterator[Path]:
    """The socket of ``whole_engine``."""
    path = tmp_path / "door"
    async with serving(whole_engine, [f"unix://{path}"]):
        yield path


async def _remove_containers(path: Path) -> None:
    async with HttpClient(parse_host(f"unix://{path}")) as client:
        for container in await client.containers.list(all=True):
            await client.containers.remove(container.id, force=True, volumes=True)
