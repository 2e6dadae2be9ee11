"""The settings of an object: as a tree that is searched, its paths and values copied; as JSON and YAML."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from textual.widgets import Input, TextArea

from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.source import Source
from moby_tui.screens.widgets.inspect_view import InspectView, Item
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (("State", "Pid"), ".State.Pid"),
        (("Config", "Env", 0), ".Config.Env[0]"),
        (("Config", "Labels", 'a.b "c"'), '.Config.Labels["a.b \\"c\\""]'),
        (("80/tcp",), '.["80/tcp"]'),
    ],
)
def test_paths_are_those_of_jq(place: Any, path: str) -> None:
    assert Item(place).path == path


async def test_the_settings_are_searched_and_paths_copied(open_dashboard: Open, eventually: Eventually) -> None:
    async with open_dashboard(FakeEngine) as (app, pilot):
        await pilot.press("i")
        tree = app.screen.query_one(InspectView)
        await eventually(pilot, lambda: tree.has_focus and tree.root.children)
        await pilot.press("slash")
        await eventually(pilot, lambda: isinstance(app.screen, Ask))
        await pilot.press(*"memoryswap", "enter")
        await eventually(pilot, lambda: tree.cursor_node and tree.cursor_node.data.place == ("HostConfig", "MemorySwap"))
        await pilot.press("y")
        assert app.clipboard == ".HostConfig.MemorySwap"
        await pilot.press("c")
        assert app.clipboard == str(128 << 20)
        tree.move_cursor(next(node for node in tree.root.children if node.data.place == ("State",)))
        await pilot.press("c")
        assert ".State.Pid: 4711" in app.clipboard.splitlines()


async def test_the_settings_as_json_and_yaml(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await pilot.press("i")
        tree = app.screen.query_one(InspectView)
        await eventually(pilot, lambda: tree.has_focus and tree.root.children)
        await pilot.press("J")
        await eventually(pilot, lambda: isinstance(app.screen, Source) and app.screen.query(TextArea))
        area = app.screen.query_one(TextArea)
        whole = json.loads(area.text)
        assert whole["State"]["Pid"] == 4711
        await pilot.press("y")
        assert yaml.safe_load(area.text) == whole and area.text.startswith("Id: ")
        await pilot.press("slash", *"pid: 47", "enter")
        await eventually(pilot, lambda: area.selected_text == "Pid: 47")
        assert not app.screen.query_one(Input).display
        await pilot.press("c")
        assert app.clipboard == "Pid: 47"
        await pilot.press("escape")
        await eventually(pilot, lambda: not isinstance(app.screen, Source))
