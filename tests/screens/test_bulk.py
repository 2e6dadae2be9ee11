"""Marks, actions on many rows, what is asked before, what can be taken back; order and columns of a list."""

from __future__ import annotations

from typing import Any

from moby_tui.screens.app import Dashboard
from moby_tui.screens.dialogs.confirm import Confirm
from moby_tui.screens.dialogs.preview import Preview
from moby_tui.screens.listing.columns import Order
from moby_tui.screens.preferences import ListView, Preferences
from moby_tui.screens.session.activity import Outcome
from moby_tui.screens.widgets.object_table import ObjectTable
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine, as_client


def marked(app: Any) -> list[str]:
    table = app.screen.query_one(ObjectTable)
    return [app.screen.find(identifier).name for identifier in table.marked]


async def test_marks_and_actions_on_many(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        table = app.screen.query_one(ObjectTable)
        await eventually(pilot, lambda: table.row_count == 7)
        await pilot.press("space", "down", "V")
        assert marked(app) == ["database", "web", "worker"]
        await pilot.press("exclamation_mark")
        assert marked(app) == ["cache", "draft", "batch", "migrate"]
        await pilot.press("minus", "shift+down")
        assert marked(app) == ["worker", "cache"]
        await pilot.press("minus", "slash", *"exited", "enter", "asterisk", "slash", "escape")
        assert marked(app) == ["batch", "migrate"]
        # started: at once; not asked
        await pilot.press("s")
        await eventually(pilot, lambda: {call[:2] for call in engine.calls} == {("start", "batch"), ("start", "migrate")})
        assert marked(app) == []
        await eventually(pilot, lambda: [deed.outcome for deed in app.session.activity] == [Outcome.DONE])
        assert [deed.command for deed in app.session.activity] == ["moby start batch migrate"]


async def test_a_row_that_changes_is_drawn_anew_and_the_others_are_not(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine, size=(120, 36)) as (app, pilot):
        table = app.screen.query_one(ObjectTable)
        await eventually(pilot, lambda: table.row_count == 7)

        def line(name: str) -> str:
            return str(table.render_line(1 + [app.screen.find(one).name for one in table.order_of_rows].index(name)).text)

        assert "up 3m" in line("web") and "✓" not in line("database")
        await pilot.press("space")
        await eventually(pilot, lambda: "✓ ● database" in line("database"))
        others = {cell for cell in table._cell_render_cache.keys() if cell[0].value == app.screen.rows_named(["web"])[0].id}  # noqa: SIM118
        assert others
        engine.change(next(one for one in engine.rows if app.screen.find(one).name == "cache"), "running", "unpause")
        await eventually(pilot, lambda: "paused" not in line("cache") and "up" in line("cache"))
        assert others <= set(table._cell_render_cache.keys())


async def test_several_are_removed_after_a_preview_and_come_back_with_u(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        table = app.screen.query_one(ObjectTable)
        await eventually(pilot, lambda: table.row_count == 7)
        await pilot.press("space", "space", "d")
        await eventually(pilot, lambda: isinstance(app.screen, Preview))
        await eventually(pilot, lambda: "2.0M" in str(app.screen.query_one("#total").render()))
        await pilot.press("y", "enter")
        assert type(app.screen).__name__ == "Preview", "a word is wanted, no letter"
        await pilot.press("backspace", "2", "enter")
        await eventually(pilot, lambda: len(app.session.removals) == 1)
        await eventually(pilot, lambda: [call[:2] for call in engine.calls] == [("kill", "database"), ("kill", "web")])
        assert sum("u keeps" in app.screen.find(one).describe(0.0) for one in engine.rows) == 2
        await pilot.press("u")
        await eventually(pilot, lambda: not app.session.removals)
        await app.session.remove_now()
        assert not any(call[0] == "remove" for call in engine.calls)
        assert [deed.outcome for deed in app.session.activity] == [Outcome.TAKEN_BACK]


async def test_who_leaves_has_the_removals_that_wait_carried_out(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: app.screen.query_one(ObjectTable).row_count == 7)
        await pilot.press("G", "d")
        await eventually(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await eventually(pilot, lambda: app.session.removals)
        await pilot.press("q")
        await eventually(pilot, lambda: app._exit)
    assert [call[:2] for call in engine.calls] == [("remove", "migrate")]


async def test_a_read_only_dashboard_offers_nothing_that_changes() -> None:
    engine = FakeEngine()
    app = Dashboard(as_client(lambda: engine), read_only=True)
    async with app.run_test() as pilot:
        while not app.session.connection.up or not app.screen.query_one(ObjectTable).row_count:
            await pilot.pause(0.05)
        await pilot.press("s", "x", "K", "d", "e", "r", "p")
        assert type(app.screen).__name__ == "ContainersPage" and engine.calls == [] and not app.session.removals


async def test_order_and_columns_are_chosen_and_remembered(eventually: Eventually) -> None:
    engine, chosen = FakeEngine(), Preferences(lists={"images": ListView(sort="size", reverse=True, hidden=["created", "gone"])})
    app = Dashboard(as_client(lambda: engine), chosen)
    async with app.run_test(size=(120, 36)) as pilot:
        await eventually(pilot, lambda: app.session.connection.up)
        await pilot.press("2")
        await eventually(pilot, lambda: app.screen.query(ObjectTable) and app.screen.query_one(ObjectTable).row_count == 3)
        table = app.screen.query_one(ObjectTable)
        assert [str(column.label) for column in table.columns.values()] == ["IMAGE", "ID", "SIZE▼", "USED BY"]
        assert [table.get_row_at(row)[2].plain for row in range(3)] == ["192M", "81.0M", "4.4M"]
        await pilot.press("equals_sign")
        assert [table.get_row_at(row)[2].plain for row in range(3)] == ["4.4M", "81.0M", "192M"]
        await pilot.click(table, offset=(3, 0))
        assert table.order == Order("name") and chosen.lists["images"].sort == "name"
        await pilot.press("v")
        await eventually(pilot, lambda: type(app.screen).__name__ == "Chooser")
        await pilot.press("space", "enter")
        await eventually(pilot, lambda: "ID" not in [str(column.label) for column in table.columns.values()])
        assert chosen.lists["images"].hidden == ["created", "id"]


async def test_a_list_is_kept_by_events_and_fetched_once(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    asked: list[object] = []
    fetch = engine.volumes.list

    async def listed(**options: Any) -> Any:
        asked.append(options.get("filters"))
        return await fetch(**options)

    engine.volumes.list = listed  # type: ignore[method-assign]
    async with open_dashboard(lambda: engine) as (app, pilot):
        await pilot.press("3")
        await eventually(pilot, lambda: app.screen.query(ObjectTable) and app.screen.query_one(ObjectTable).row_count == 2)
        engine.emit("volume", "create", "uploads")
        await eventually(pilot, lambda: len(asked) == 2)
        engine.emit("volume", "destroy", "pgdata")
        await eventually(pilot, lambda: app.screen.query_one(ObjectTable).row_count == 1)
        await pilot.press("1", "3")
        await pilot.pause(0.3)
        assert asked == [None, {"name": ["uploads"]}]


async def test_the_activity_page_copies_the_command_line(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: app.screen.query_one(ObjectTable).row_count == 7)
        await pilot.press("p", "A")
        await eventually(pilot, lambda: app.current_mode == "activity" and app.screen.query_one(ObjectTable).row_count == 1)
        await pilot.press("c")
        await eventually(pilot, lambda: app.clipboard == "moby pause database")
