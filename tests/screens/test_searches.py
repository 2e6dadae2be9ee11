"""Saved texts of searches and filters: of lists and of logs, remembered for the next dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Static

from moby_tui.screens import preferences
from moby_tui.screens.actions.searches import MOST, Searches
from moby_tui.screens.app import Dashboard
from moby_tui.screens.preferences import Preferences
from moby_tui.screens.widgets.filter_bar import FilterBar
from moby_tui.screens.widgets.log_stream import LogStream
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine, as_client
from screens.typing_keys import typed


def test_saved_ones_come_before_those_that_were_used() -> None:
    kept: dict[str, Any] = {}
    searches = Searches({"logs": ["level>=warn"]}, kept.__setitem__)
    searches.use("logs", "timeout")
    searches.use("lists", "web")
    assert searches.offered("logs") == ["level>=warn", "timeout"] and searches.offered("lists") == ["web"]
    assert searches.turn("logs", "timeout") and kept["logs"] == ["timeout", "level>=warn"]
    assert not searches.turn("logs", "level>=warn") and searches.offered("logs") == ["timeout"]
    for number in range(MOST + 5):
        searches.turn("logs", str(number))
    assert len(kept["logs"]) == MOST


def label(bar: FilterBar) -> str:
    return str(bar.query_one(".label", Static).render())


async def test_a_filter_of_a_list_is_saved_found_and_forgotten(
    eventually: Eventually, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    app: Any = Dashboard(as_client(FakeEngine), Preferences(), keeps=True)
    async with app.run_test(size=(120, 36)) as pilot:
        await eventually(pilot, lambda: app.session.connection.up)
        await typed(app, pilot, "slash", *"exited !web", "ctrl+s", "enter")
        bar = app.screen.query_one("#container-filter", FilterBar)
        await eventually(pilot, lambda: "★" in label(bar))
        assert preferences.load().searches == {"lists": ["exited !web"]}
        await typed(app, pilot, "escape", "2", "slash", *"pos", "up")
        other = app.screen.query_one("#row-filter", FilterBar)
        await eventually(pilot, lambda: other.value == "exited !web")
        await typed(app, pilot, "down")
        await eventually(pilot, lambda: other.value == "pos" and "★" not in label(other))
        app.exit()
    app = Dashboard(as_client(FakeEngine), preferences.load(), keeps=True)
    async with app.run_test(size=(120, 36)) as pilot:
        await eventually(pilot, lambda: app.session.connection.up)
        await typed(app, pilot, "slash")
        bar = app.screen.query_one("#container-filter", FilterBar)
        assert bar.query_one(Input).placeholder.startswith("↑ saved")
        await typed(app, pilot, "up")
        await eventually(pilot, lambda: bar.value == "exited !web")
        await typed(app, pilot, "f2")
        await eventually(pilot, lambda: preferences.load().searches == {"lists": []})
        app.exit()


@pytest.mark.parametrize("key", ["slash", "ampersand"])
async def test_a_search_of_a_log_is_had_on_every_page_with_lines(open_dashboard: Open, eventually: Eventually, key: str) -> None:
    engine = FakeEngine()
    engine.logs["database"] = [(1, b"a timeout\n"), (1, b"all well\n")]
    chosen = Preferences(searches={"logs": ["timeout"], "lists": ["web"]})
    async with open_dashboard(lambda: engine, chosen) as (app, pilot):
        app.go("logs", "database")
        await eventually(pilot, lambda: app.current_mode == "logs" and len(app.screen._store) >= 2)
        stream = app.screen.query_one(LogStream)
        await typed(app, pilot, key, "up", "enter")
        await eventually(pilot, lambda: len(stream.shown) == 1 if key == "ampersand" else stream.hits is not None)
        await typed(app, pilot, "5", "slash", "up")
        await eventually(pilot, lambda: app.screen.query_one(FilterBar).value == "timeout")
        # what is edited after it was taken from the saved ones is what was typed
        await typed(app, pilot, *"s", "up", "down")
        assert app.screen.query_one(FilterBar).value == "timeouts"
