"""Containers that go with their end: nothing of them is left in the database, though their monitors have none."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from box import Box

from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig

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
