"""The page of the volumes: made, cloned, renamed, exported, imported, copied, measured and pruned, on the real engine."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.widgets import Input, Static

from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.schema.volume import VolumeCreate
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.picker import Picker
from moby_tui.screens.dialogs.preview import Preview
from moby_tui.screens.forms.volume import FORM
from moby_tui.screens.session.activity import Outcome
from moby_tui.screens.widgets.object_table import ObjectTable
from screens.typing_keys import typed


def test_a_new_volume_as_it_is_written() -> None:
    written = {"name": "data", "driver": "", "options": "size=10g", "labels": "team=db 'note=two words'"}
    asked = FORM.request(written)
    assert asked.driver_opts == {"size": "10g"} and asked.labels == {"team": "db", "note": "two words"}
    assert FORM.line(written) == "moby volume create -o size=10g --label team=db --label 'note=two words' data"
    assert FORM.request({"name": "", "driver": "x", "options": "", "labels": ""}).labels is None
    for wrong, said in (({"options": "size"}, "write KEY=value"), ({"labels": "'a"}, "no closing quotation")):
        assert said in FORM.check(written | wrong) and FORM.check(written) == ""


async def fill(app: Any, pilot: Any, eventually: Callable[..., Any], key: str, **values: str) -> str:
    """Opens a form by its key, fills it in and sends it. Returns the command line that it showed."""
    await typed(app, pilot, key)
    await eventually(pilot, lambda: isinstance(app.screen, Ask))
    for field, value in values.items():
        app.screen.query_one(f"#field-{field}", Input).value = value
    await pilot.pause()
    line = str(app.screen.query_one("#ask-line", Static).render())
    await typed(app, pilot, "enter")
    await eventually(pilot, lambda: not isinstance(app.screen, Ask))
    return line


async def test_a_volumes_life(
    roots: Any, busybox: str, engine: Any, open_dashboard: Callable[..., Any], eventually: Callable[..., Any], tmp_path: Path
) -> None:
    from moby_tui.engine.engine import Engine

    (tmp_path / "seed").write_bytes(b"s" * 50_000)
    host = HostConfig(binds=["kept:/data"], network_mode="none")

    async with open_dashboard(lambda: Engine.open(*roots), size=(150, 40)) as (app, pilot):
        deeds = app.session.activity
        await typed(app, pilot, "3")
        await eventually(pilot, lambda: app.current_mode == "volumes" and app.session.volumes.loaded)
        table, names = app.screen.query_one(ObjectTable), app.session.volumes.model

        async def done(count: int) -> None:
            await eventually(pilot, lambda: len(deeds) == count and all(one.outcome is not Outcome.RUNNING for one in deeds))
            assert [one.detail for one in deeds] == [""] * count

        assert await fill(app, pilot, eventually, "n", name="data") == "moby volume create data"
        await done(1)
        await eventually(pilot, lambda: table.chosen == "data")
        said = await fill(app, pilot, eventually, "i", local=str(tmp_path / "seed"))
        assert said == f"moby volume cp {tmp_path}/seed data:/"
        await done(2)
        await eventually(pilot, lambda: app.screen._size_of("data") >= 50_000)
        assert await fill(app, pilot, eventually, "C") == "moby volume clone data data-copy"
        await done(3)
        await eventually(pilot, lambda: table.row_count == 2 and app.screen._size_of("data-copy") >= 50_000)

        assert (
            await fill(app, pilot, eventually, "w", path=str(tmp_path / "data.tar"))
            == f"moby volume export -o {tmp_path}/data.tar data"
        )
        await done(4)
        with tarfile.open(tmp_path / "data.tar") as archive:
            assert [one.size for one in archive if one.name.endswith("seed")] == [50_000]
        assert await fill(app, pilot, eventually, "R", name="kept") == "moby volume rename data kept"
        await done(5)
        await eventually(pilot, lambda: [one.name for one in names.sorted()] == ["data-copy", "kept"] and table.row_count == 2)

        await engine.volumes.create(VolumeCreate(name="empty"))
        await eventually(pilot, lambda: table.row_count == 3)
        app.go("volumes", "empty")
        await eventually(pilot, lambda: table.chosen == "empty")
        assert (
            await fill(app, pilot, eventually, "L", path=str(tmp_path / "data.tar"))
            == f"moby volume import empty {tmp_path}/data.tar"
        )
        await done(6)
        await fill(app, pilot, eventually, "o", inside="/seed", local=str(tmp_path / "back"))
        await done(7)
        assert (tmp_path / "back").read_bytes() == b"s" * 50_000

        user = await engine.containers.create(ContainerCreate(image=busybox, host_config=host), name="user")
        await eventually(pilot, lambda: user.id in app.session.model and app.session.model.get(user.id).volumes == ("kept",))
        await typed(app, pilot, "p")
        await eventually(pilot, lambda: isinstance(app.screen, Picker))
        await typed(app, pilot, "down", "enter")
        await eventually(pilot, lambda: isinstance(app.screen, Preview))
        assert [name for _, name in app.screen._rows] == ["data-copy", "empty"]
        await typed(app, pilot, "2", "enter")
        await done(8)
        await eventually(pilot, lambda: table.row_count == 1)
        assert [one.name for one in await engine.volumes.list()] == ["kept"]

        await typed(app, pilot, "u")
        await eventually(pilot, lambda: isinstance(app.screen, Picker))
        await typed(app, pilot, "enter")
        await eventually(
            pilot, lambda: app.current_mode == "containers" and app.screen.chosen and app.screen.chosen.name == "user"
        )
