"""An engine's networks in the session's namespace, and a neighbour of the host in a namespace of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

import namespaces
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
async def served_engine(busybox: str, roots: tuple[Path, Path], tmp_path: Path) -> AsyncIterator[Path]:
    """The socket of an engine with the image ``busybox``. Its containers, networks and tables are gone at the end."""
    path = tmp_path / "s"
    async with WholeEngine.open(*roots) as engine:
        async with serving(engine, [f"unix://{path}"]):
            yield path
        for container in await engine.containers.list(all=True):
            await engine.containers.remove(container.id, force=True, volumes=True)
        await engine.networks.prune()
        name = f"moby-{engine.paths.instance}"
    subprocess.run(["ip", "link", "delete", name], capture_output=True)
    for family in ("ip", "ip6"):
        subprocess.run(["nft", "delete", "table", family, name], capture_output=True)
