"""What a screen reader finds: the terminal's cursor stands on what the keys act on, in every part that has them."""

from __future__ import annotations

from typing import Any

from textual.widgets import Button

from moby_tui.screens.widgets.plot import Plot
from moby_tui.screens.widgets.terminal import Terminal
from moby_tui.screens.widgets.topology_view import TopologyView
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine
from screens.pages.test_topology import some_members, some_networks


def line_of_cursor(app: Any) -> str:
    """What stands on the line of the terminal's cursor, from the cursor on."""
    strips = app.screen._compositor.render_strips()
    text: str = strips[app.cursor_position.y].crop(app.cursor_position.x).text
    return text


async def later(value: Any) -> Any:
    return value


async def test_the_cursor_walks_over_the_topology(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine(some_members())
    engine.networks.list = lambda **_: later(some_networks())  # type: ignore[method-assign]
    async with open_dashboard(lambda: engine, size=(100, 16)) as (app, pilot):
        await pilot.press("T")
        await eventually(pilot, lambda: app.screen.query(TopologyView) and app.screen.query_one(TopologyView).chosen)
        view = app.screen.query_one(TopologyView)
        seen = set()
        for _ in view._drawing.spots:
            name = app.screen._graph.network(view.chosen.network).name
            if view.chosen.container:
                name = next(one.name for one in app.screen._graph.places(view.chosen.container))
            await eventually(pilot, lambda name=name: name in line_of_cursor(app))
            assert not line_of_cursor(app).startswith(("│", "╭", " ┃")), "it begins behind the frame"
            seen.add(name)
            await pilot.press("down")
        assert len(seen) > 4


async def test_the_cursor_is_in_terminals_plots_and_on_buttons(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    engine.samples = 20
    async with open_dashboard(lambda: engine) as (app, pilot):
        await pilot.press("x")
        await eventually(pilot, lambda: isinstance(app.focused, Button) and line_of_cursor(app).strip().startswith("Keep"))
        await pilot.press("tab")
        await eventually(pilot, lambda: line_of_cursor(app).strip().startswith("Stop"))
        await pilot.press("escape", "m")
        await eventually(pilot, lambda: app.screen.query(Plot))
        app.screen.query(Plot).first().focus()
        await eventually(pilot, lambda: line_of_cursor(app).startswith("CPU"))
        await pilot.press("e")
        await eventually(pilot, lambda: app.screen.query(Terminal) and "/ #" in app.screen.query_one(Terminal).screen_text)
        terminal = app.screen.query_one(Terminal)
        await pilot.press(*"ls")
        emulator = terminal._emulator
        await eventually(
            pilot, lambda: app.cursor_position - terminal.content_region.offset == (emulator.cursor.x, emulator.cursor.y)
        )
        assert emulator.cursor.x > 3
