"""One walk through all pages, by keys, over each kind of engine: in process, our daemon, dockerd and podman.

The two of others are those of this machine, and any whose sockets ``DASHBOARD_HOSTS`` names (``unix:///run/a.sock,unix:///run/b.sock``).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

import leaks
from bench.peers import podman as podman_peer
from bench.stage import remove_cgroup
from moby_tui.api.client.connect import connect
from moby_tui.api.server.serve import serving
from moby_tui.errors import MobyError, NotFound
from moby_tui.schema.container import ContainerCreate, HostConfig, Ulimit
from moby_tui.schema.network import NetworkCreate
from moby_tui.schema.volume import VolumeCreate
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.pages.registry import PAGES
from moby_tui.screens.widgets.container_table import ContainerTable
from moby_tui.screens.widgets.log_stream import LogStream
from moby_tui.screens.widgets.object_table import ObjectTable
from moby_tui.screens.widgets.status_bar import Banner
from moby_tui.screens.widgets.terminal import Terminal
from screens.conftest import Eventually, Open

TALK = "echo from inside; while true; do sleep 1; done"
Factory = Callable[[], AbstractAsyncContextManager[Any]]
#: The control groups that dockerd and podman make.
GROUPS = ("docker", podman_peer.CGROUP)
HOSTS = [host for host in os.environ.get("DASHBOARD_HOSTS", "").split(",") if host]


@asynccontextmanager
async def in_process(roots: tuple[Path, Path]) -> AsyncIterator[Factory]:
    from moby_tui.engine.engine import Engine

    yield lambda: Engine.open(*roots)


@asynccontextmanager
async def our_daemon(roots: tuple[Path, Path]) -> AsyncIterator[Factory]:
    from moby_tui.engine.engine import Engine

    host = f"unix://{roots[0].parent}/s"
    async with Engine.open(*roots) as engine, serving(engine, [host]):
        yield lambda: connect(host)


@asynccontextmanager
async def a_program(socket: Path, *command: str) -> AsyncIterator[Factory]:
    """An engine that listens on the socket; it ends at the end, and what it has mounted with its mount namespace."""
    with (socket.parent / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', "sh", *command],
            stdout=log,
            stderr=log,
        )
    try:
        while not socket.exists():
            assert process.poll() is None, (socket.parent / "log").read_text()[-2000:]
            await asyncio.sleep(0.05)
        yield lambda: connect(f"unix://{socket}")
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)
        # podman's conmon stays five minutes behind an exec, to clean up; it would make the folder anew
        for pid in named_in_its_command(socket.parent):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert leaks.settled(lambda: [str(pid) for pid in named_in_its_command(socket.parent)]) == []
        # a group can be removed a moment after its last process
        leaks.settled(lambda: [group for group in GROUPS if not is_removed(group)])


def is_removed(group: str) -> bool:
    remove_cgroup(group)
    return not any(Path("/sys/fs/cgroup").glob(f"*/{group}"))


def named_in_its_command(folder: Path) -> Iterator[int]:
    """The processes that were started with a path in the folder."""
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            if os.fsencode(f"{folder}/") in Path(f"/proc/{entry}/cmdline").read_bytes():
                yield int(entry)


def dockerd(roots: tuple[Path, Path]) -> AbstractAsyncContextManager[Factory]:
    folder = roots[0].parent
    places = (f"--data-root={folder}/d", f"--exec-root={folder}/r", f"--pidfile={folder}/pid", f"--host=unix://{folder}/s")
    return a_program(folder / "s", "dockerd", "--bridge=none", "--iptables=false", "--storage-driver=overlay2", *places)


def podman(roots: tuple[Path, Path]) -> AbstractAsyncContextManager[Factory]:
    folder = roots[0].parent
    command = [word.replace("--events-backend=none", "--events-backend=file") for word in podman_peer.command(folder)]
    return a_program(folder / "s", *command, "system", "service", "-t", "0", f"unix://{folder}/s")


def named(host: str) -> Callable[[tuple[Path, Path]], AbstractAsyncContextManager[Factory]]:
    @asynccontextmanager
    async def there(_: tuple[Path, Path]) -> AsyncIterator[Factory]:
        yield lambda: connect(host)

    there.__name__ = host
    return there


async def ready(factory: Factory, archive: Path) -> str:
    """Waits for the engine, and gives it an image, a container, a volume and a network. Returns the container's id."""
    while True:
        try:
            async with factory() as client:
                await client.system.ping()
                return await _furnish(client, archive)
        except (OSError, MobyError) as error:
            if "refused" not in str(error) and "no such file" not in str(error).lower():
                raise
            await asyncio.sleep(0.1)


async def _furnish(client: Any, archive: Path) -> str:
    async def content() -> AsyncIterator[bytes]:
        yield archive.read_bytes()

    async for _ in client.images.load(content()):
        pass
    await client.volumes.create(VolumeCreate(name="a-volume"))
    await client.networks.create(NetworkCreate(name="a-network", driver="bridge", internal=True))
    # podman asks for more than this machine's root may have
    limits = [Ulimit(name=name, soft=1024, hard=1024) for name in ("nofile", "nproc")]
    config = ContainerCreate(
        image="busybox",
        cmd=["sh", "-c", TALK],
        stop_timeout=1,
        hostname="inner",
        host_config=HostConfig(network_mode="none", ulimits=limits),
    )
    identifier: str = (await client.containers.create(config, name="walker")).id
    return identifier


async def clear(factory: Factory) -> None:
    async with factory() as client:
        for remove in (
            client.containers.remove("walker", force=True, volumes=True),
            client.volumes.remove("a-volume"),
            client.networks.remove("a-network"),
            client.images.remove("walked:2", force=True),
            client.images.remove("busybox", force=True),
        ):
            try:
                await remove
            except NotFound:
                continue


def rows(app: Any) -> set[str]:
    return {getattr(app.page.find(identifier), "name", "") for identifier in app.page.query_one(ObjectTable).order_of_rows}


@pytest.mark.parametrize(
    "kind", [in_process, our_daemon, dockerd, podman, *map(named, HOSTS)], ids=lambda kind: kind.__name__.replace("/", "_")
)
async def test_all_pages_and_a_containers_life(
    kind: Callable[[tuple[Path, Path]], AbstractAsyncContextManager[Factory]],
    roots: tuple[Path, Path],
    busybox_archive: Path,
    open_dashboard: Open,
    eventually: Eventually,
) -> None:
    roots[0].parent.mkdir(exist_ok=True)
    async with kind(roots) as factory:
        try:
            identifier = await ready(factory, busybox_archive)
            async with open_dashboard(factory, size=(100, 30)) as (app, pilot):
                await walk(app, pilot, eventually, identifier)
            async with factory() as client:
                assert all(container.id != identifier for container in await client.containers.list(all=True))
        finally:
            await clear(factory)


async def walk(app: Any, pilot: Pilot[None], eventually: Eventually, identifier: str) -> None:
    # the container's life
    await eventually(pilot, lambda: app.screen.chosen and app.screen.chosen.id == identifier)
    await pilot.press("s")
    await eventually(pilot, lambda: app.screen.chosen.state == "running")
    log = app.screen.query_one(LogStream)
    await eventually(pilot, lambda: "from inside" in texts(log))
    await pilot.press("e")
    await eventually(pilot, lambda: app.screen.query(Terminal) and "#" in app.screen.query_one(Terminal).screen_text)
    terminal = app.screen.query_one(Terminal)
    await pilot.press(*"echo $((6*7))-$(hostname)", "enter")
    await eventually(pilot, lambda: "42-inner" in terminal.screen_text)
    await pilot.press(*"exit", "enter")
    await eventually(pilot, lambda: app.current_mode == "containers")

    # all pages, with what there is on them
    shown = {"images": "busybox", "volumes": "a-volume", "networks": "a-network"}
    for page in PAGES:
        app.go(page.mode)
        await eventually(pilot, partial(is_shown, app, page.mode))
        await pilot.pause()
        if page.mode in shown:
            await eventually(pilot, partial(has_row, app, shown[page.mode]))
        assert not app.screen.query_one(Banner).has_class("-lost"), page.mode
    app.go("logs", "walker")
    await eventually(pilot, lambda: app.current_mode == "logs" and "from inside" in texts(app.screen.query_one(LogStream)))
    app.go("containers")
    await eventually(pilot, lambda: app.current_mode == "containers" and app.screen.chosen)

    # an image of it
    await pilot.press("W")
    await eventually(pilot, lambda: isinstance(app.screen, Ask))
    await pilot.press(*"walked:2", "enter")
    await eventually(pilot, lambda: any(one.command.endswith("walker walked:2") for one in app.session.activity))
    app.go("images")
    await eventually(pilot, lambda: app.current_mode == "images" and has_row(app, "walked:2"))
    app.go("containers")
    await eventually(pilot, lambda: app.current_mode == "containers" and app.screen.chosen)

    await pilot.press("x", "y")
    await eventually(pilot, lambda: app.screen.chosen.state == "exited")
    await pilot.press("d", "y")
    await eventually(pilot, lambda: app.session.removals)
    await pilot.press("d")
    await eventually(pilot, lambda: "walker" not in {one.name for one in app.session.model.sorted()})
    await eventually(pilot, lambda: app.screen.query_one(ContainerTable).row_count == 0)


def is_shown(app: Any, mode: str) -> bool:
    return bool(app.current_mode == mode and app.page.mode == mode)


def has_row(app: Any, name: str) -> bool:
    return any(name in row for row in rows(app))


def texts(view: LogStream) -> list[str]:
    lines = [view.store.line(number) for number in range(view.store.first, view.store.end)]
    return [line.text.decode() for line in lines if line.fd]
