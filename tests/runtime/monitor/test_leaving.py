"""Containers that go with their end: nothing of them is left in the database, though their monitors have none."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel import removal
from moby_tui.engine.store.state import STATE_FILE, State, now
from moby_tui.errors import Unavailable
from moby_tui.schema.container import ContainerCreate, HostConfig
from runtime.box import Box

GOING = HostConfig(network_mode="none", auto_remove=True)


def _rows(data_root: Path) -> int:
    with sqlite3.connect(data_root / "moby.db") as connection:
        return int(connection.execute("SELECT count(*) FROM containers").fetchone()[0])


async def test_rows_do_not_pile_up_where_nobody_lists(box: Box) -> None:
    for _ in range(70):
        made = await box.engine.containers.create(ContainerCreate(image=box.image, cmd=["true"], host_config=GOING))
        wait = await box.engine.containers.wait(made.id, condition="removed")
        await box.engine.containers.start(made.id)
        await wait.result()
    assert _rows(box.engine.paths.data_root) < 40


async def test_an_engine_that_closes_leaves_no_row(roots: tuple[Path, Path], busybox: str) -> None:
    async with Engine.open(*roots) as engine:
        made = await engine.containers.create(ContainerCreate(image=busybox, cmd=["true"], host_config=GOING))
        wait = await engine.containers.wait(made.id, condition="removed")
        await engine.containers.start(made.id)
        await wait.result()
        assert _rows(roots[0]) == 1
    assert _rows(roots[0]) == 0


async def test_who_waits_is_told_that_the_engine_was_closed(box: Box, roots: tuple[Path, Path]) -> None:
    """Of a container that outlives the engine: a daemon that ends meanwhile ended never, since the wait left it no time."""
    asked = ContainerCreate(image=box.image, cmd=["sleep", "1000"], host_config=HostConfig(network_mode="none"))
    made = await box.engine.containers.create(asked)
    await box.engine.containers.start(made.id)
    async with Engine.open(*roots) as other:
        waits = [
            asyncio.ensure_future((await other.containers.wait(made.id)).result()),
            # sleep, as PID 1, does not end by SIGTERM
            asyncio.ensure_future(other.containers.stop(made.id, timeout=-1)),
            asyncio.ensure_future(other.containers.restart(made.id, timeout=-1)),
        ]
        await asyncio.sleep(0)
    for wait in waits:
        with pytest.raises(Unavailable, match="the engine was closed"):
            await asyncio.wait_for(wait, 30)
    assert (await box.engine.containers.inspect(made.id)).state.running


async def test_a_monitor_is_killed_while_it_removes(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the container's folder the state is left, which tells that it had ended: whoever waits for its removal carries it out."""
    made = await box.engine.containers.create(ContainerCreate(image=box.image, cmd=["true"], host_config=GOING))
    wait = await box.engine.containers.wait(made.id, condition="removed")
    files = box.engine.paths.container(made.id)
    State(status="exited", exit_code=3, started_at=now(), finished_at=now()).write(str(files.state))
    # as the one that is killed leaves it: nobody holds it
    files.run.mkdir(parents=True, exist_ok=True)
    files.monitor_lock.touch()
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(os, "unlink", _killed_at_the_state)
        removal.remove_tree(str(files.data), STATE_FILE)
    assert os.listdir(files.data) == [STATE_FILE]
    assert (await asyncio.wait_for(wait.result(), 60)).status_code == 3
    assert not files.data.exists()
    # killed a moment later, where nothing is left but the folder
    made = await box.engine.containers.create(ContainerCreate(image=box.image, cmd=["true"], host_config=GOING))
    wait = await box.engine.containers.wait(made.id, condition="removed")
    files = box.engine.paths.container(made.id)
    files.run.mkdir(parents=True, exist_ok=True)
    files.monitor_lock.touch()
    removal.remove_tree(str(files.data))
    files.data.mkdir()
    await asyncio.wait_for(wait.result(), 60)
    assert not files.data.exists()


def _killed_at_the_state(path: str, unlink: Callable[[str], None] = os.unlink) -> None:
    if path.endswith(STATE_FILE):
        raise KeyboardInterrupt
    unlink(path)
