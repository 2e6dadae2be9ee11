"""The dashboard over the real engine: real containers, a real log, a real shell."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import DataTable

from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.screens.dialogs.confirm import Confirm
from moby_tui.screens.widgets.container_table import ContainerTable
from moby_tui.screens.widgets.log_stream import LogStream
from moby_tui.screens.widgets.plot import Plot
from moby_tui.screens.widgets.status_bar import Banner
from moby_tui.screens.widgets.terminal import Terminal
from screens.conftest import Eventually, Open, Tmux

TALK = "echo hello from inside; echo and an error >&2; while true; do sleep 1; done"


async def talker(engine: Engine, image: str, name: str = "talker") -> str:
    created = await engine.containers.create(
        ContainerCreate(
            image=image, cmd=["sh", "-c", TALK], stop_timeout=1, hostname="inner", host_config=HostConfig(network_mode="none")
        ),
        name=name,
    )
    return created.id


def written(view: LogStream) -> list[str]:
    """The lines of the log, without the dashboard's own notes."""
    lines = [view.store.line(number) for number in range(view.store.first, view.store.end)]
    return [line.text.decode() for line in lines if line.fd]


def state(app: Any) -> str:
    return app.screen.chosen.state if app.screen.chosen else ""


async def walk_through_a_life(app: Any, pilot: Pilot[None], eventually: Eventually, engine: Engine, image: str) -> None:
    """Start, log, use, shell, stop, start, kill, remove: all by keys, and each looked up in the engine."""
    identifier = await talker(engine, image)
    await eventually(pilot, lambda: app.screen.chosen and app.screen.chosen.name == "talker" and state(app) == "created")

    await pilot.press("s")
    await eventually(pilot, lambda: state(app) == "running")
    assert (await engine.containers.inspect(identifier)).state.running
    view = app.screen.query_one(LogStream)
    await eventually(pilot, lambda: set(written(view)) == {"hello from inside", "and an error"})
    await eventually(pilot, lambda: app.stats.histories.get(identifier) and len(app.stats.histories.get(identifier).cpu) >= 2)
    assert app.stats.histories.get(identifier).memory[-1] > 0
    await eventually(pilot, lambda: app.screen.query_one("#side-plots #memory", Plot)._values)
    await pilot.press("o")
    await eventually(pilot, lambda: app.screen.query_one("#process-table", DataTable).row_count >= 1)

    await pilot.press("e")
    await eventually(pilot, lambda: app.screen.query(Terminal) and "#" in app.screen.query_one(Terminal).screen_text)
    terminal = app.screen.query_one(Terminal)
    await pilot.press(*"echo $((6*7))-$(hostname)", "enter")
    await eventually(pilot, lambda: "42-inner" in terminal.screen_text)
    await pilot.press(*"sleep 1000", "enter")
    await pilot.pause(0.5)
    await pilot.press("ctrl+c", *"echo in-$((1+1))", "enter")
    await eventually(pilot, lambda: "in-2" in terminal.screen_text)
    await pilot.resize_terminal(90, 28)
    await pilot.pause(0.5)
    await pilot.press(*"stty size", "enter")
    await eventually(pilot, lambda: f"{terminal.size.height} {terminal.size.width - 1}" in terminal.screen_text)
    await pilot.press(*"exit", "enter")
    await eventually(pilot, lambda: app.current_mode == "containers")

    await pilot.press("x", "y")
    await eventually(pilot, lambda: state(app) == "exited")
    assert not (await engine.containers.inspect(identifier)).state.running
    await pilot.press("s")
    await eventually(pilot, lambda: state(app) == "running")
    await eventually(pilot, lambda: written(view).count("hello from inside") == 2)
    await pilot.press("K")
    await eventually(pilot, lambda: isinstance(app.screen, Confirm))
    await pilot.press("y")
    await eventually(pilot, lambda: not isinstance(app.screen, Confirm) and state(app) == "exited")
    assert (await engine.containers.inspect(identifier)).state.exit_code == 137
    await pilot.press("d")
    await eventually(pilot, lambda: isinstance(app.screen, Confirm))
    await pilot.press("y")
    await eventually(pilot, lambda: app.session.removals)
    assert len(await engine.containers.list(all=True)) == 1, "it can be taken back"
    await pilot.press("d")
    await eventually(pilot, lambda: app.screen.query_one(ContainerTable).row_count == 0)
    assert await engine.containers.list(all=True) == []


async def test_a_containers_life_in_process(
    roots: tuple[Path, Path], busybox: str, engine: Engine, open_dashboard: Open, eventually: Eventually
) -> None:
    from moby_tui.engine.engine import Engine

    async with open_dashboard(lambda: Engine.open(*roots), size=(130, 40)) as (app, pilot):
        await walk_through_a_life(app, pilot, eventually, engine, busybox)


@asynccontextmanager
async def daemon(roots: tuple[Path, Path]) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    data_root, exec_root = roots
    host = f"unix://{exec_root}/t.sock"
    command = [
        sys.executable,
        "-m",
        "moby_tui",
        "daemon",
        "--data-root",
        str(data_root),
        "--exec-root",
        str(exec_root),
        "-H",
        host,
    ]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env={**os.environ, "MOBY_HOST": ""})
    try:
        assert process.stdout and await process.stdout.readline()
        yield host, process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def test_a_containers_life_over_a_socket(
    roots: tuple[Path, Path], busybox: str, engine: Engine, open_dashboard: Open, eventually: Eventually
) -> None:
    from moby_tui.api.client.connect import connect

    async with daemon(roots) as (host, _), open_dashboard(lambda: connect(host), size=(130, 40)) as (app, pilot):
        await walk_through_a_life(app, pilot, eventually, engine, busybox)


async def test_a_daemon_that_dies_and_comes_back(
    roots: tuple[Path, Path], busybox: str, engine: Engine, open_dashboard: Open, eventually: Eventually
) -> None:
    from moby_tui.api.client.connect import connect

    await talker(engine, busybox)
    async with daemon(roots) as (host, running):
        factory = lambda: connect(host)  # noqa: E731
        async with open_dashboard(factory) as (app, pilot):
            await eventually(pilot, lambda: app.screen.query_one(ContainerTable).row_count == 1)
            running.terminate()
            await running.wait()
            await eventually(pilot, lambda: app.screen.query_one(Banner).has_class("-lost"))
            assert app.screen.query_one(ContainerTable).row_count == 1
            await talker(engine, busybox, "second")
            async with daemon(roots):
                await eventually(pilot, lambda: app.session.connection.up, tries=600)
                await eventually(pilot, lambda: app.screen.query_one(ContainerTable).row_count == 2)


async def test_moby_tui_in_a_terminal(roots: tuple[Path, Path], busybox: str, engine: Engine, tmux: Tmux) -> None:
    """The whole program, as a person sees it; it gives the terminal back in order."""

    await talker(engine, busybox)
    line = shlex.join([sys.executable, "-m", "moby_tui", "--data-root", str(roots[0]), "--exec-root", str(roots[1]), "tui"])
    sees = tmux.sees
    tmux("new-session", "-d", "-x", "120", "-y", "36", "sh")
    tmux("send-keys", f"PS1='ready# '; {line}; echo status $?", "Enter")
    await sees("talker")
    tmux("send-keys", "s")
    await sees("hello from inside")
    tmux("send-keys", "e")
    await sees("ctrl+] then")
    await sees("/ #")
    tmux("send-keys", "echo $((6*7))-$(hostname)", "Enter")
    await sees("42-inner")
    tmux("send-keys", "C-]")
    await sees("other tab")
    tmux("send-keys", "d")
    await sees("hello from inside")
    tmux("send-keys", "q")
    assert "hello from inside" not in await sees("status 0")


async def test_lists_live_from_the_real_engines_events(
    roots: tuple[Path, Path], busybox: str, engine: Engine, open_dashboard: Open, eventually: Eventually
) -> None:
    from moby_tui.engine.engine import Engine
    from moby_tui.schema.network import NetworkCreate
    from moby_tui.schema.volume import VolumeCreate
    from moby_tui.screens.widgets.object_table import ObjectTable

    def rows(app: Any) -> set[str]:
        table = app.page.query_one(ObjectTable)
        # a row that is gone from the model and not yet from the table counts too
        return {getattr(app.page.find(identifier), "name", "") for identifier in table.order_of_rows}

    async with open_dashboard(lambda: Engine.open(*roots), size=(130, 40)) as (app, pilot):
        await pilot.press("3")
        await eventually(pilot, lambda: app.current_mode == "volumes" and app.session.volumes.loaded)
        await engine.volumes.create(VolumeCreate(name="one"))
        await eventually(pilot, lambda: rows(app) == {"one"})
        await engine.volumes.create(VolumeCreate(name="onetwo"))
        await eventually(pilot, lambda: rows(app) == {"one", "onetwo"})
        await engine.volumes.remove("one")
        await eventually(pilot, lambda: rows(app) == {"onetwo"})
        # typed at once, before the question stands
        for key in ("d", *"onetwo", "enter"):
            app.simulate_key(key)
        await eventually(pilot, lambda: rows(app) == set())
        assert await engine.volumes.list() == []
        await pilot.press("4")
        await eventually(pilot, lambda: app.current_mode == "networks" and "bridge" in rows(app))
        identifier = (await engine.networks.create(NetworkCreate(name="front"))).id
        await eventually(pilot, lambda: "front" in rows(app))
        await engine.networks.remove(identifier)
        await eventually(pilot, lambda: "front" not in rows(app))
        await pilot.press("2")
        await eventually(pilot, lambda: app.current_mode == "images" and app.session.images.loaded)
        await engine.images.tag(busybox, "another:tag")
        await eventually(pilot, lambda: any("another:tag" in name for name in rows(app)))
