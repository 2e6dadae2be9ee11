"""Another engine while the dashboard runs; layouts for broad and small screens; themes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from moby_tui.docker_folder import find as docker_folder
from moby_tui.errors import InvalidArgument, NotFound
from moby_tui.screens.app import Dashboard
from moby_tui.screens.preferences import ListView, Preferences
from moby_tui.screens.widgets.object_table import ObjectTable
from moby_tui.screens.widgets.status_bar import Banner, StatusBar
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine, as_client, summary
from screens.typing_keys import typed


class Engines:
    def __init__(self, **engines: FakeEngine) -> None:
        self.engines = engines

    def names(self) -> list[tuple[str, str]]:
        return [(name, "") for name in self.engines]

    def factory(self, name: str) -> Any:
        if name not in self.engines:
            raise NotFound(f"there is no context {name}")
        return lambda: self.engines[name]


def names(app: Dashboard) -> list[str]:
    return sorted(row.name for row in app.session.model.rows())


async def test_another_engine_takes_the_place_of_the_first_once_it_answers(eventually: Eventually) -> None:
    first, other = FakeEngine(), FakeEngine([summary(77, "elsewhere")])
    other.down = True
    app = Dashboard(as_client(lambda: first), engines=Engines(home=first, prod=other))
    async with app.run_test(size=(140, 30)) as pilot:
        await eventually(pilot, lambda: len(names(app)) == 7)
        with pytest.raises(ValueError, match="no context nowhere"):
            app.commander.use_context("nowhere")
        app.commander.use_context("prod")
        bar = app.screen.query_one(StatusBar)
        await eventually(pilot, lambda: app.screen.query_one(Banner).has_class("-lost"))
        assert len(names(app)) == 7 and "prod · stale" in bar.render().plain
        other.down = False
        await eventually(pilot, lambda: names(app) == ["elsewhere"])
        await eventually(pilot, lambda: "stale" not in bar.render().plain and not app.screen.query_one(Banner).has_class("-lost"))
        await eventually(pilot, lambda: other.queues)  # it follows the events by now
        other.emit("container", "start", next(iter(other.rows)), name="elsewhere")
        await eventually(pilot, lambda: len(app.session.events) == 1)
        app.commander.choose_context()
        await eventually(pilot, lambda: type(app.screen).__name__ == "Picker")
        await pilot.press("up", "enter")
        await eventually(pilot, lambda: len(names(app)) == 7 and not app.session.events)


def test_contexts_of_docker_are_the_engines_of_the_dashboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    from moby_tui.cli.engines import NamedEngines
    from moby_tui.contexts.store import Context, Store

    Store(docker_folder("")).create(
        Context(name="prod", endpoints={"docker": {"Host": "tcp://192.0.2.1:2375", "SkipTLSVerify": False}}), {}
    )
    engines = NamedEngines()
    assert list(engines.names()) == [("default", "the engine in this process"), ("prod", "tcp://192.0.2.1:2375")]
    assert type(engines.factory("prod")()).__name__ == "HttpClient"
    assert type(engines.factory("unix:///run/nowhere.sock")()).__name__ == "HttpClient"
    with pytest.raises(InvalidArgument):
        engines.factory("ftp://x")()
    with pytest.raises(NotFound):
        engines.factory("nowhere")


async def test_a_broad_screen_has_lists_and_details_side_by_side_and_remembers_how_they_share_it(eventually: Eventually) -> None:
    chosen = Preferences()
    app = Dashboard(as_client(FakeEngine), chosen)
    async with app.run_test(size=(170, 40)) as pilot:
        await eventually(pilot, lambda: app.screen.query(ObjectTable) and app.screen.query_one(ObjectTable).row_count == 7)
        left, right = app.screen.query_one("#list"), app.screen.query_one("#detail")
        assert left.region.y == right.region.y and left.region.right == right.region.x
        before = left.region.width
        await pilot.press("ctrl+down", "ctrl+down")
        await eventually(pilot, lambda: left.region.width > before)
        await pilot.press("backslash")
        await eventually(pilot, lambda: left.region.bottom == right.region.y and left.region.width == 170)
        assert chosen.lists["containers"] == ListView(share=55, beside=False)
        await pilot.resize_terminal(60, 20)
        await eventually(pilot, lambda: right.region.bottom <= 20 and right.region.height >= 5)
        bar = app.screen.query_one(StatusBar)
        assert len(bar.render().plain) <= 60 and "4/7" in bar.render().plain


async def test_a_click_on_a_pages_name_goes_there_and_every_theme_can_be_drawn(
    open_dashboard: Open, eventually: Eventually
) -> None:
    async with open_dashboard(lambda: FakeEngine(), size=(140, 30)) as (app, pilot):
        await eventually(pilot, lambda: app.screen.query_one(ObjectTable).row_count == 7)
        for theme in ("moby-contrast", "ansi-dark", "ansi-light", "moby-light", "moby-dark"):
            app.commander.use_theme(theme)
            await pilot.pause(0.15)
            assert app.screen.query_one(ObjectTable).row_count == 7
        await pilot.click(StatusBar, offset=(app.screen.query_one(StatusBar).render().plain.index("Images"), 0))
        await eventually(pilot, lambda: app.current_mode == "images")


async def test_no_color_takes_all_colour_away(monkeypatch: pytest.MonkeyPatch, eventually: Eventually) -> None:
    """No shade is left; what stands out by its ground is reversed."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = Dashboard(as_client(FakeEngine), Preferences(theme="nord"))
    async with app.run_test(size=(100, 30)) as pilot:

        def reversed_text() -> str:
            pieces = (piece for strip in app.screen._compositor.render_strips() for piece in strip)
            return "".join(piece.text for piece in pieces if piece.style and piece.style.reverse)

        await eventually(pilot, lambda: app.screen.query(ObjectTable) and app.screen.query_one(ObjectTable).row_count == 7)
        assert app.no_color
        for keys in ((), ("?",), ("escape", "x"), ("escape", "S"), ("escape", "n"), ("escape", "H"), ("T",), ("ctrl+p",)):
            await typed(app, pilot, *keys)
            pieces = [piece for strip in app.screen._compositor.render_strips() for piece in strip if piece.style]
            colours = {colour for one in pieces if one.style for colour in (one.style.color, one.style.bgcolor) if colour}
            assert all(one.is_default for one in colours), (keys, colours)
        await typed(app, pilot, "escape", "1")
        await eventually(pilot, lambda: "database" in reversed_text() and "1 Containers" in reversed_text())
        await typed(app, pilot, "S")
        await eventually(pilot, lambda: "as the page has it" in reversed_text())
        await typed(app, pilot, "escape", "colon", *"theme", "enter")
        await eventually(pilot, lambda: any("NO_COLOR" in note.message for note in app._notifications))
        app.exit()  # as a person leaves: what begins after the first picture may just be starting
