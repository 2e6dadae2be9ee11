"""The page of the images: layers, transfers and what can be done with an image; models, a scripted engine, the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, TabbedContent

from moby_tui.engine.engine import Engine
from moby_tui.errors import OtherEngine, Unreachable
from moby_tui.schema.exploration import ExploredLayer, FileChange, ImageExploration
from moby_tui.schema.image import ImageHistory, Progress, ProgressDetail
from moby_tui.screens.app import Dashboard
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.transfer import TransferView
from moby_tui.screens.files.layers import Changes, instruction, steps
from moby_tui.screens.files.transfer import Transfer
from moby_tui.screens.widgets.facts_table import FactsTable
from moby_tui.screens.widgets.files.layers import LayersView
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("/bin/sh -c #(nop)  CMD [\"sh\"]", 'CMD ["sh"]'),
        ("/bin/sh -c apt-get   update", "RUN apt-get update"),
        ("RUN /bin/sh -c make # buildkit", "RUN make"),
        ("|1 A=b /bin/sh -c make", "RUN make"),
        ("COPY . /x # buildkit", "COPY . /x"),
        ("\x1b[31mX\u202e", "X"),
        ("", "(not told)"),
    ],
)  # fmt: skip
def test_an_instruction_is_shown_as_a_dockerfile_has_it(told: Any, shown: Any) -> None:
    assert instruction(told) == shown


def history(*entries: tuple[str, int]) -> list[ImageHistory]:
    return [ImageHistory(id="", created=1, created_by=by, size=size) for by, size in reversed(entries)]


def layer(index: int, by: str, **counts: int) -> ExploredLayer:
    return ExploredLayer(index=index, diff_id=str(index), created_by=by, **counts)


def test_layers_stand_at_the_instructions_that_made_them() -> None:
    entries = history(("ADD", 5), ("ENV", 0), ("RUN a", 0), ("CMD", 0))
    assert [(step.instruction, step.layer, step.size) for step in steps(entries, None)] == [
        ("ADD", None, 5), ("ENV", None, 0), ("RUN a", None, 0), ("CMD", None, 0),
    ]  # fmt: skip
    found = ImageExploration(id="x", layers=[layer(0, "ADD", size=7, added=2), layer(1, "RUN a", deleted=1)])
    told = steps(entries, found)
    assert [step.layer for step in told] == [0, None, 1, None]
    assert (told[0].size, told[0].added, told[2].deleted, told[1].added) == (7, 2, 1, None)
    found.layers.append(layer(2, "", added=1))
    assert [step.layer for step in steps(entries, found)] == [0, None, 1, None, 2]


def test_the_tree_of_a_layer_has_its_changes_or_all_that_is_seen() -> None:
    changes = Changes()
    for number, kind, path, size in (
        (0, "added", "d/a", 5),
        (0, "added", "d/b", 7),
        (0, "added", "e", 1),
        (1, "deleted", "d/a", 5),
        (1, "changed", "d/b", 9),
        (1, "added", "n/new", 3),
    ):
        changes.take(FileChange(layer=number, kind=kind, path=path, size=size))

    def told(tree: Any) -> dict[str, tuple[str, int]]:
        for row in tree.rows():
            tree.open(row.entry.path)
        return {row.entry.path: (row.entry.mark, row.entry.size) for row in tree.rows()}

    assert told(changes.tree(0)) == {"/d": ("A", 12), "/d/a": ("A", 5), "/d/b": ("A", 7), "/e": ("A", 1)}
    own = {"/d": ("C", 14), "/d/a": ("D", 5), "/d/b": ("C", 9), "/n": ("A", 3), "/n/new": ("A", 3)}
    assert told(changes.tree(1)) == own
    assert told(changes.tree(1, whole=True)) == own | {"/e": ("", 1)}
    assert told(changes.tree(7)) == {}


def test_a_transfer_is_told_layer_by_layer() -> None:
    transfer = Transfer()
    for step in (
        Progress(status="Pulling from library/x", id="latest"),
        Progress(status="Pulling fs layer", id="aa"),
        Progress(status="Downloading", id="aa", progress_detail=ProgressDetail(current=30, total=100)),
        Progress(status="Already exists", id="b\x1b[2Jb"),
        Progress(status="Digest: sha256:1"),
        Progress(stream="Loaded image: x\n"),
    ):
        transfer.take(step)
    parts = [(part.id, part.status, part.share) for part in transfer.parts.values()]
    assert parts == [("aa", "Downloading", 0.3), ("bb", "Already exists", 1.0)] and transfer.bytes == (30, 100)
    assert transfer.said == ["Pulling from library/x", "Digest: sha256:1", "Loaded image: x"]
    transfer.take(Progress(status="Pull complete", id="aa"))
    assert transfer.bytes == (100, 100)


def table(app: Dashboard, identifier: str) -> list[list[str]]:
    found = app.screen.query_one(identifier, FactsTable)
    return [[cell.plain.strip() for cell in found.get_row_at(row)] for row in range(found.row_count)]


async def test_layers_wasted_users_and_claims(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine, size=(140, 40)) as (app, pilot):
        await pilot.press("2", "down")
        await eventually(pilot, lambda: app.current_mode == "images" and app.screen.chosen and "nginx" in app.screen.chosen.name)
        told = "3 · 2 unused, at most 85.4M · 1 dangling, at most 81.0M"
        await eventually(pilot, lambda: str(app.screen.query_one("#list").border_subtitle) == told)
        await eventually(pilot, lambda: len(table(app, "#layer-table")) == 5 and table(app, "#layer-table")[1][0] == "")
        await eventually(pilot, lambda: table(app, "#layer-table")[2][:4] == ["1", "117M", "400", "12"])
        assert table(app, "#layer-table")[3][6] == "RUN rm -rf /var/lib/apt/lists/*"
        view = app.screen.query_one(LayersView)
        await pilot.press("enter", "down", "down")
        await eventually(pilot, lambda: [row.entry.path for row in view.files.tree_model.rows()] == ["/etc", "/usr", "/var"])
        await pilot.press("b")
        await eventually(pilot, lambda: table(app, "#wasted-table") == [["17.0M", "1", "/var/lib/apt/lists/main"]])
        await pilot.press("u")
        await eventually(pilot, lambda: ["web", "up healthy"] in [row[:2] for row in table(app, "#user-table")])

        async def unreachable(*_: Any, **__: Any) -> None:
            raise Unreachable("no registry\x1b[31m there")

        engine.images.attestations = unreachable  # type: ignore[attr-defined]
        await pilot.press("a")
        await eventually(pilot, lambda: ["no registry there"] in table(app, "#claim-table"))


async def test_an_engine_that_does_not_explore_shows_the_history_and_says_why(
    open_dashboard: Open, eventually: Eventually
) -> None:
    engine = FakeEngine()

    async def explore(ref: str) -> Any:
        raise OtherEngine("exploring an image needs moby at the other end")

    engine.images.explore = explore  # type: ignore[method-assign]
    async with open_dashboard(lambda: engine, size=(140, 40)) as (app, pilot):
        await pilot.press("2")
        view = app.screen
        await eventually(pilot, lambda: app.current_mode == "images")
        view = app.screen.query_one(LayersView)
        await eventually(pilot, lambda: view.files.tree_model.root_note == "exploring an image needs moby at the other end")
        assert [row[1] for row in table(app, "#layer-table")] == ["74.8M", "", "117M", "", ""]


async def test_names_archives_and_layers_on_the_kernel(
    roots: tuple[Path, Path], busybox: str, engine: Engine, open_dashboard: Open, eventually: Eventually, tmp_path: Path
) -> None:
    from moby_tui.engine.engine import Engine

    archive = tmp_path / "saved.tar"
    async with open_dashboard(lambda: Engine.open(*roots), size=(140, 40)) as (app, pilot):
        await pilot.press("2")
        await eventually(pilot, lambda: app.current_mode == "images" and app.screen.chosen)

        async def answer(key: str, value: str) -> None:
            await pilot.press(key)
            await eventually(pilot, lambda: isinstance(app.screen, Ask) and app.screen.focused)
            app.screen.query_one("#field-name", Input).value = value
            await pilot.press("enter")

        await answer("t", "other:2")
        await eventually(pilot, lambda: app.screen.chosen and app.screen.chosen.tags == ("busybox:latest", "other:2"))
        await answer("w", str(archive))
        await eventually(pilot, archive.exists)
        await engine.images.remove("other:2")
        await engine.images.remove("busybox")
        await eventually(pilot, lambda: not app.screen.feed.model.rows())
        await answer("L", str(archive))
        await eventually(pilot, lambda: isinstance(app.screen, TransferView) and app.screen._end == "done")
        assert "other:2" in "".join(app.screen._transfer.said)
        await pilot.press("escape")
        await eventually(pilot, lambda: app.current_mode == "images" and app.screen.chosen)
        await answer("L", "/none.tar")
        await eventually(pilot, lambda: isinstance(app.screen, TransferView) and "cannot read /none.tar" in app.screen._end)
        await pilot.press("escape")
        view = app.screen.query_one(LayersView)
        await eventually(pilot, lambda: view.files.tree_model.rows())
        rows = view.files.tree_model.rows()
        assert rows[0].entry.is_folder and rows[0].entry.mark == "A" and rows[0].entry.size > 0
        assert app.screen.query_one(TabbedContent).active == "layers"
