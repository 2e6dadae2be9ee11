"""The palette, the copied selection, and an orderly end."""

from __future__ import annotations

from textual.command import CommandPalette
from textual.widgets import Button, Input

from moby_tui.screens.dialogs.confirm import Confirm
from moby_tui.screens.widgets.inspect_view import InspectView
from moby_tui.screens.widgets.log_stream import LogStream
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine


async def test_the_palette_knows_the_pages_and_the_keys_of_this_one(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: app.screen.chosen)
        await pilot.press("ctrl+p")
        await eventually(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"go to vol")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await eventually(pilot, lambda: app.current_mode == "volumes")
        await pilot.press("1", "ctrl+p")
        await eventually(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"restart")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await eventually(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await eventually(pilot, lambda: ("restart", "database", {}) in engine.calls)


async def test_keys_can_be_given_to_other_actions(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: app.screen.chosen)
        app.set_keymap({"container.stop": "ctrl+t", "confirm.yes": "J"})
        await pilot.press("x", "ctrl+t")
        await eventually(
            pilot, lambda: isinstance(app.screen, Confirm) and "(J)" in str(app.screen.query_one("#go", Button).label)
        )
        await pilot.press("y", "J")
        await eventually(pilot, lambda: engine.calls == [("stop", "database", {})])


async def test_log_text_is_selected_with_the_mouse(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    engine.logs["database"] = [
        (1, b"2026-11-23T20:11:22.123456789Z first \x1b[31mline\x1b[0m\n"),
        (1, b"2026-11-23T20:11:23.0Z second\n"),
    ]
    async with open_dashboard(lambda: engine) as (app, pilot):
        view = app.screen.query_one(LogStream)
        await eventually(pilot, lambda: len(view.shown) == 2)
        await pilot.mouse_down(view, offset=(8, 0))
        await pilot.hover(view, offset=(5, 1))
        await pilot.mouse_up(view, offset=(5, 1))
        await pilot.pause()
        assert app.screen.get_selected_text() == "line\nseco"


async def test_a_value_of_the_settings_is_copied(open_dashboard: Open, eventually: Eventually) -> None:
    async with open_dashboard(lambda: FakeEngine()) as (app, pilot):
        await eventually(pilot, lambda: app.screen.chosen)
        await pilot.press("i")
        tree = app.screen.query_one(InspectView)
        await eventually(pilot, lambda: tree.root.children and app.focused is tree)
        await pilot.press("j", "c")
        await eventually(pilot, lambda: app.clipboard)
        assert app.clipboard in (app.screen.chosen.id, "nginx")


async def test_typing_into_a_filter_is_no_command(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: app.screen.chosen)
        await pilot.press("slash", *"xdqK1?:")
        await pilot.pause(0.3)
        assert not engine.calls and app.current_mode == "containers"
        assert app.screen.query_one("#container-filter Input", Input).value == "xdqK1?:"
