"""The dashboard over a scripted engine: what the real one does not do at command (see test_real_engine for the rest)."""

from __future__ import annotations

import asyncio
import time

import pytest
from textual.widgets import Button, Input

from moby_tui.errors import Conflict
from moby_tui.schema.event import Event, EventActor
from moby_tui.screens.app import Dashboard
from moby_tui.screens.dialogs.confirm import Confirm, Notice
from moby_tui.screens.dialogs.preview import Preview
from moby_tui.screens.widgets.container_table import ContainerTable
from moby_tui.screens.widgets.key_bar import KeyBar
from moby_tui.screens.widgets.log_stream import LogStream
from moby_tui.screens.widgets.status_bar import Banner, StatusBar
from moby_tui.screens.widgets.terminal import Terminal
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine, summary


def names(app: Dashboard) -> list[str]:
    table = app.screen.query_one(ContainerTable)
    return [table.get_row_at(row)[0].plain[2:] for row in range(table.row_count)]


async def test_the_list_lives_from_events_and_is_not_asked_for_again(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        asked = engine.lists
        await pilot.pause(2.5)
        assert engine.lists == asked
        row = summary(9, "added")
        engine.rows[row.id] = row
        engine.emit("container", "create", row.id)
        await eventually(pilot, lambda: "added" in names(app))
        del engine.rows[row.id]
        engine.emit("container", "destroy", row.id)
        await eventually(pilot, lambda: "added" not in names(app))
        assert engine.lists == asked + 1
        first = next(iter(engine.rows))
        name = engine.rows.pop(first).names[0].lstrip("/")
        engine.emit("container", "remove", first)  # podman's word
        await eventually(pilot, lambda: name not in names(app))


async def test_the_cursor_stays_on_its_container_while_others_come_and_go(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        await pilot.press("down", "down")
        chosen = app.screen.chosen.name
        for number in range(40, 60):
            row = summary(number, f"a{number}")
            engine.rows[row.id] = row
            engine.emit("container", "create", row.id)
        await eventually(pilot, lambda: len(names(app)) == 27)
        assert app.screen.chosen.name == chosen == "worker"
        await pilot.press("x", "y")
        await eventually(pilot, lambda: app.screen.query(ContainerTable) and app.screen.chosen.state == "exited")
        assert engine.calls == [("stop", "worker", {})] and app.screen.chosen.name == "worker"


@pytest.mark.parametrize(
    ("keys", "removed"), [(["d", "enter"], False), (["d", "d", "d", "escape"], False), (["d", "n"], False), (["d", "y"], True)]
)
async def test_removal_asks_and_the_safe_choice_is_first(
    open_dashboard: Open, eventually: Eventually, keys: list[str], removed: bool
) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await eventually(pilot, lambda: not isinstance(app.screen, Confirm))
        await pilot.pause(0.3)
        assert bool(app.session.removals) is removed
        await app.session.remove_now()
        await eventually(pilot, lambda: ("database" not in names(app)) is removed)
        assert (("remove", "database", {"force": True}) in engine.calls) is removed


async def test_the_mouse_answers_too(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        await pilot.press("K")
        await eventually(pilot, lambda: isinstance(app.screen, Confirm))
        assert app.focused is app.screen.query_one("#keep", Button)
        await pilot.click("#go")
        await eventually(pilot, lambda: engine.calls == [("kill", "database", {})])


async def test_a_refusal_is_told_and_nothing_breaks(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    engine.refusal = Conflict("container database is in use; stop it first, or remove it with force")
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        await pilot.press("d", "y")
        await eventually(pilot, lambda: app.session.removals)
        await pilot.press("d")
        await eventually(pilot, lambda: any(note.severity == "error" for note in app._notifications))
        assert any("stop it first" in note.message for note in app._notifications)


async def test_a_lost_engine_is_told_and_found_again(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        engine.lose()
        await eventually(pilot, lambda: app.screen.query_one(Banner).has_class("-lost"))
        assert len(names(app)) == 7, "what was known is still shown"
        await pilot.press("x", "y")
        await eventually(pilot, lambda: any("not connected" in note.message for note in app._notifications))
        del engine.rows[next(iter(engine.rows))]
        engine.down = False
        await eventually(pilot, lambda: not app.screen.query_one(Banner).has_class("-lost"))
        await eventually(pilot, lambda: len(names(app)) == 6)


async def test_an_engine_that_is_not_there_at_the_start(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    engine.down = True
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: app.screen.query_one(Banner).has_class("-lost"))
        engine.down = False
        await eventually(pilot, lambda: len(names(app)) == 7)


async def test_filter(open_dashboard: Open, eventually: Eventually) -> None:
    async with open_dashboard(lambda: FakeEngine()) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        await pilot.press("slash", *"exited")
        await eventually(pilot, lambda: names(app) == ["batch", "migrate"])
        await pilot.press("enter", "s")
        await eventually(pilot, lambda: names(app) == ["migrate"])
        await pilot.press("slash", "escape")
        await eventually(pilot, lambda: len(names(app)) == 7)


async def test_log_search_wrap_times_and_scrolling(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    engine.logs["database"] = [(1, f"2026-11-23T20:11:22.123456789Z line {number}\n".encode()) for number in range(500)]
    async with open_dashboard(lambda: engine) as (app, pilot):
        view = app.screen.query_one(LogStream)
        await eventually(pilot, lambda: len(view.shown) == 500)
        assert view.following and "line 499" in view.render_line(view.size.height - 1).text
        view.focus()
        await pilot.press("k", "k")
        assert not view.following
        await pilot.press("slash", *'"line 123"', "enter")
        await eventually(pilot, lambda: view.cursor.text == b"line 123")
        assert not view.following and any("line 123" in view.render_line(y).text for y in range(view.size.height))
        await pilot.press("ampersand")
        await eventually(pilot, lambda: len(view.shown) == 1)
        await pilot.press("t", "t")
        await pilot.pause(0.1)
        assert "20:11:22.123Z line 123" in view.render_line(0).text


async def test_a_flood_neither_freezes_nor_grows(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    engine.flood = True
    async with open_dashboard(lambda: engine) as (app, pilot):
        view = app.screen.query_one(LogStream)
        await eventually(pilot, lambda: engine.flooded > 30_000)
        assert view.store.bytes <= 16 << 20
        before = time.monotonic()
        for _ in range(20):
            await asyncio.sleep(0)
            await pilot.press("down")
        assert engine.flooded > 30_000 and time.monotonic() - before < 60
        engine.flood_over = True


async def test_a_shell_takes_every_key_and_gives_the_dashboard_back(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        await pilot.press("e")
        await eventually(pilot, lambda: app.screen.query(Terminal) and "/ #" in app.screen.query_one(Terminal).screen_text)
        terminal = app.screen.query_one(Terminal)
        assert [config.cmd for config in engine.execs] == [["/bin/bash"], ["/bin/sh"]]
        await pilot.press("q", "1", "colon", "question_mark", "ctrl+q", "ctrl+p", "ctrl+c", "up", "f1", "tab", "escape")
        await eventually(pilot, lambda: engine.pipe.sent == b"q1:?\x11\x10\x03\x1b[A\x1bOP\t\x1b")
        await pilot.resize_terminal(100, 30)
        await eventually(pilot, lambda: engine.sizes and engine.sizes[-1] == (terminal.size.height, terminal.size.width - 1))
        await pilot.press("ctrl+right_square_bracket", "ctrl+right_square_bracket")
        await eventually(pilot, lambda: engine.pipe.sent.endswith(b"\x1d"))
        await pilot.press("ctrl+right_square_bracket", "d")
        await eventually(pilot, lambda: app.current_mode == "containers")
        await pilot.press("6")
        await eventually(pilot, lambda: app.focused is terminal)
        await pilot.press(*"exit", "enter")
        await eventually(pilot, lambda: app.current_mode == "containers")


async def test_no_shell_at_all_is_told(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    engine.shells = set()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        await pilot.press("e")
        await eventually(pilot, lambda: any("no /bin/bash and no /bin/sh" in note.message for note in app._notifications))


@pytest.mark.parametrize("size", [(200, 60), (80, 24), (40, 12), (20, 5)])
async def test_every_page_in_every_size(open_dashboard: Open, eventually: Eventually, size: tuple[int, int]) -> None:
    engine = FakeEngine()
    engine.samples = 20
    async with open_dashboard(lambda: engine, size=size) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        for key in (
            "m",
            "o",
            "i",
            "l",
            "2",
            "3",
            "4",
            "5",
            "6",
            "1",
            "question_mark",
            "escape",
            "z",
            "z",
            "z",
            "colon",
            "escape",
            "e",
        ):
            await pilot.press(key)
            await pilot.pause(0.05)
        await pilot.resize_terminal(60, 20)
        await pilot.pause(0.1)
        assert app.return_code in (None, 0)


async def test_thousands_of_containers(open_dashboard: Open, eventually: Eventually) -> None:
    rows = [summary(1, f"c{number:04}", "exited", "Exited (0) 2 hours ago") for number in range(3000)]
    for number, row in enumerate(rows):
        row.id = f"{number:064x}"
    engine = FakeEngine(rows)
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: app.screen.query_one(ContainerTable).row_count == 3000)
        await pilot.press("G", "s")
        await eventually(pilot, lambda: app.screen.query_one(ContainerTable).get_row_at(0)[0].plain == "● c2999")
        for number in range(200):
            identifier = rows[number].id
            del engine.rows[identifier]
            engine.emit("container", "destroy", identifier)
        await eventually(pilot, lambda: app.screen.query_one(ContainerTable).row_count == 2800)
        await pilot.press("slash", *"c2500")
        await eventually(pilot, lambda: names(app) == ["c2500"])
        assert app.screen.query_one("#container-filter Input", Input).value == "c2500"


async def test_an_image_is_removed_with_all_its_tags_at_once_and_by_force_where_containers_were_made_of_it(
    open_dashboard: Open, eventually: Eventually
) -> None:
    rows = [summary(1, "user"), summary(2, "other", image_id="sha256:" + "d" * 64)]
    engine = FakeEngine(rows)
    async with open_dashboard(lambda: engine) as (app, pilot):
        await pilot.press("2")
        await eventually(pilot, lambda: app.screen.query("#rows") and app.screen.query_one("#rows").row_count == 3)
        await pilot.press("down", "d")
        await eventually(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.pause()
        assert "made of it: 1" in str(app.screen.query_one("#consequence").render())
        assert "by force" in str(app.screen.query_one("#go", Button).label)
        await pilot.press("y")
        await eventually(pilot, lambda: engine.calls == [("remove image", "sha256:" + "a" * 64, {"force": True})])
        await eventually(pilot, lambda: app.screen.query("#rows"))
        await pilot.press("up", "d", "y")
        await eventually(pilot, lambda: engine.calls[1:] == [("remove image", "sha256:" + "b" * 64, {"force": False})])
        await eventually(pilot, lambda: app.screen.query("#rows"))
        await pilot.press("3")
        await eventually(pilot, lambda: app.screen.query_one("#rows").row_count == 2)
        await pilot.press("d")
        await eventually(pilot, lambda: isinstance(app.screen, Preview))
        await pilot.press("y", "enter", "backspace", *"pgdata")
        assert engine.calls[-1][0] == "remove image"
        await pilot.press("enter")
        await eventually(pilot, lambda: engine.calls[-1][:2] == ("remove volume", "pgdata"))


@pytest.mark.parametrize("key", ["x", "r"])
async def test_stop_and_restart_ask(open_dashboard: Open, eventually: Eventually, key: str) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        await pilot.press(key, "enter")
        await eventually(pilot, lambda: not isinstance(app.screen, Confirm))
        assert engine.calls == []


async def test_a_shell_in_what_does_not_run_is_refused_and_swallows_what_is_typed(
    open_dashboard: Open, eventually: Eventually
) -> None:
    engine = FakeEngine([summary(1, "batch", "exited", "Exited (0) 2 hours ago")])
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 1)
        await pilot.press("e", *"rm -dsxq", "enter", "y")
        assert isinstance(app.screen, Notice) and "start it (s)" in str(app.screen.query_one("#consequence").render())
        await pilot.press("escape")
        await eventually(pilot, lambda: not isinstance(app.screen, Notice))
        assert engine.calls == [] and app.return_code is None


async def test_what_is_typed_while_a_shell_opens_goes_into_it_or_nowhere(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        for key in "e" + "dykyxy":
            app.simulate_key(key)
        await eventually(pilot, lambda: app.screen.query(Terminal) and "/ #" in app.screen.query_one(Terminal).screen_text)
        await pilot.press("z")
        await eventually(pilot, lambda: engine.pipe.sent.endswith(b"z"))
        assert b"dykyxyz".endswith(engine.pipe.sent) and engine.calls == []


@pytest.mark.parametrize("after", ["d", "2"])
async def test_keys_after_the_one_that_ends_it_do_nothing(open_dashboard: Open, eventually: Eventually, after: list[str]) -> None:
    async with open_dashboard(lambda: FakeEngine()) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        app.simulate_key("q")
        app.simulate_key(after)
        while not app._exit:
            await asyncio.sleep(0.01)
    assert app.return_code == 0


async def test_events_are_shown_as_they_happen(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await pilot.press("5")
        engine.emit("container", "oom", "ab" * 32, name="web", image="nginx")
        view = app.screen.query_one("#events", LogStream)
        await eventually(pilot, lambda: len(view.shown) == 1)
        assert "oom          web (nginx)" in view.render_line(0).text


async def test_events_from_before_the_start_and_from_before_the_first_visit_are_shown(
    open_dashboard: Open, eventually: Eventually
) -> None:
    engine = FakeEngine()
    at = int(time.time()) - 3600
    engine.past = [Event(type="image", action="pull", actor=EventActor(id="nginx", attributes={}), time=at, time_nano=at * 10**9)]
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        engine.emit("container", "start", "ab" * 32, name="web")
        engine.emit("container", "oom", "ab" * 32, name="web")
        await eventually(pilot, lambda: engine.queues[0].empty())
        assert app.session.events.maxlen == 10_000
        await pilot.press("5")
        view = app.screen.query_one("#events", LogStream)
        await eventually(pilot, lambda: len(view.shown) == 3)
        assert {view.store.line(number).text.split()[1] for number in range(3)} == {b"pull", b"start", b"oom"}
        engine.emit("container", "die", "ab" * 32, name="web")
        await eventually(pilot, lambda: len(view.shown) == 4)


async def test_a_log_search_ends_with_its_log(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    for name in ("database", "web"):
        engine.logs[name] = [(1, f"2026-11-23T20:11:22.123456789Z {name} {number}\n".encode()) for number in range(5)]
    async with open_dashboard(lambda: engine) as (app, pilot):
        view = app.screen.query_one(LogStream)
        await eventually(pilot, lambda: len(view.shown) == 5)
        view.focus()
        await pilot.press("slash", *"database 3", "enter", "ampersand")
        await eventually(pilot, lambda: len(view.shown) == 1)
        await pilot.press("escape")
        await eventually(pilot, lambda: len(view.shown) == 5)
        assert app.focused is view
        await pilot.press("slash", *"database 3", "enter", "ampersand")
        await eventually(pilot, lambda: len(view.shown) == 1)
        app.screen.query_one(ContainerTable).focus()
        await pilot.press("down")
        await eventually(
            pilot, lambda: {view.store.line(number).text[:3] for number in range(view.store.first, view.store.end)} == {b"web"}
        )
        assert len(view.shown) == 5 and not app.screen.query_one("#log-search").has_class("-open")


async def test_escape_in_the_list_ends_its_filter(open_dashboard: Open, eventually: Eventually) -> None:
    async with open_dashboard(lambda: FakeEngine()) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        await pilot.press("slash", *"up", "enter")
        await eventually(pilot, lambda: names(app) == ["database", "web", "worker"])
        await pilot.press("escape")
        await eventually(pilot, lambda: len(names(app)) == 7)
        await pilot.press("2")
        await eventually(pilot, lambda: app.screen.query("#rows") and app.screen.query_one("#rows").row_count == 3)
        await pilot.press("slash", *"busy", "enter")
        await eventually(pilot, lambda: app.screen.query_one("#rows").row_count == 1)
        await pilot.press("escape")
        await eventually(pilot, lambda: app.screen.query_one("#rows").row_count == 3)


async def test_a_lost_engine_hides_no_tab_and_is_told_once_in_the_log(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        gathering = app.screen.query_one("#log-panel").gathering
        await eventually(pilot, lambda: gathering.sources)
        source = next(iter(gathering.sources.values()))
        gathering._merger.take(all=True)
        for _ in range(3):
            gathering._tell_trouble(source, "cannot connect")
        assert len(gathering._merger) == 1
        engine.lose()
        banner, tabs = app.screen.query_one(Banner), app.screen.query_one(StatusBar)
        await eventually(pilot, lambda: banner.region.height)
        assert tabs.region.y == 0 and banner.region.y == 1


async def test_the_palette_lists_each_command_once(open_dashboard: Open, eventually: Eventually) -> None:
    async with open_dashboard(lambda: FakeEngine()) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        app.screen.query_one(LogStream).focus()
        await pilot.pause()
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert titles.count("Follow") == 1


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (40, "NAME STATE CPU %"),
        (80, "NAME STATE CPU % MEM IMAGE PORTS"),
        (140, "NAME STATE CPU % MEM IMAGE PORTS COMMAND"),
        (200, "NAME STATE CPU % MEM IMAGE PORTS"),  # the details stand beside the list
    ],
)
async def test_columns_are_as_wide_as_their_cells(open_dashboard: Open, eventually: Eventually, width: int, titles: str) -> None:
    async with open_dashboard(lambda: FakeEngine(), size=(width, 24)) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        columns = app.screen.query_one(ContainerTable).columns
        assert " ".join(column.label.plain for column in columns.values()) == titles
        widths = {column.label.plain: column.width for column in columns.values()}
        assert widths["NAME"] <= 12
        assert width < 80 or widths["STATE"] >= len("exited 137 · 5m")


async def test_the_footer_fits_a_small_screen(open_dashboard: Open, eventually: Eventually) -> None:
    async with open_dashboard(lambda: FakeEngine(), size=(80, 24)) as (app, pilot):
        await eventually(pilot, lambda: len(names(app)) == 7)
        bar = app.screen.query_one(KeyBar)
        await eventually(pilot, lambda: len(bar.shown) > 5)
        assert sum(key.width for key in bar.shown) <= 80 and bar.shown[-1].title == "Help"
        await pilot.click(bar, offset=(3, 0))
        await eventually(pilot, lambda: isinstance(app.screen, Confirm))
