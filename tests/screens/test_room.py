"""What is cut where there is little room, and what never is."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.widgets import OptionList, Static

from moby_tui.screens.app import Dashboard
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.confirm import Notice
from moby_tui.screens.dialogs.help import Help
from moby_tui.screens.dialogs.picker import Chooser, Picker
from moby_tui.screens.dialogs.preview import Preview
from moby_tui.screens.dialogs.ticks import Tick, Ticks
from moby_tui.screens.files.entry import Entry
from moby_tui.screens.topology.drawing import draw
from moby_tui.screens.topology.graph import Graph, Member, Net, Published
from moby_tui.screens.usage.rows import UsageRow
from moby_tui.screens.widgets.container_table import ContainerTable
from moby_tui.screens.widgets.figure_table import FigureTable
from moby_tui.screens.widgets.files.tree import FileTreeView
from moby_tui.screens.widgets.status_bar import StatusBar
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine, summary
from screens.typing_keys import typed


async def test_states_and_questions_are_whole_however_small_the_screen_is(open_dashboard: Open, eventually: Eventually) -> None:
    long = "a-name-that-goes-on-and-on-for-quite-a-while-and-then-some"
    engine = FakeEngine(
        [
            summary(1, long),
            summary(2, "sick", status="Up 3 minutes (unhealthy)"),
            summary(3, "cut", "exited", "Exited (137) 2 days ago"),
            *(summary(number, f"many-{number}") for number in range(4, 34)),
        ]
    )
    async with open_dashboard(lambda: engine, size=(140, 40)) as (app, pilot):
        table = app.screen.query_one(ContainerTable)

        def line(name: str) -> str:
            place = [app.screen.find(one).name for one in table.order_of_rows].index(name) - table.scroll_offset.y
            return str(table.render_line(1 + place).text)

        await eventually(pilot, lambda: table.row_count == 33)
        bar = app.screen.query_one(StatusBar)
        for width, height in ((220, 60), (140, 40), (80, 24), (60, 20)):
            await pilot.resize_terminal(width, height)
            await eventually(pilot, lambda width=width: table.size.width <= width and bar.size.width == width)
            assert "…" not in bar.render().plain and "/33" in bar.render().plain, width
            if width >= 80:
                assert "up 3m unhealthy" in line("sick") and "a-name-that-goes…"[:12] in line(long), (width, line("sick"))
        await pilot.press("asterisk", "d")
        for width, height in ((60, 20), (80, 24)):
            await pilot.resize_terminal(width, height)
            await eventually(pilot, lambda: isinstance(app.screen, Preview) and app.screen.query("#word"))
            await eventually(
                pilot,
                lambda width=width, height=height: (
                    app.size == (width, height)
                    and app.screen.query_one("#word").region.bottom < height
                    and app.screen.query_one("#go").region.bottom < height
                    and app.screen.query_one("#going").size.height >= 1
                ),
            )
        await pilot.press("escape")


async def test_a_figure_that_is_not_known_yet_is_told_as_that(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine([summary(1, "a-name-that-goes-on-and-on-for-quite-a-while-and-then-some")])
    async with open_dashboard(lambda: engine, size=(100, 24)) as (app, pilot):
        await pilot.press("8")
        await eventually(pilot, lambda: app.current_mode == "overview" and app.screen.query(FigureTable))
        table = app.screen.query_one(FigureTable)
        row = UsageRow("1", "a-name-that-goes-on-and-on-for-quite-a-while-and-then-some", "up", 1.0, cpu=-1.0, memory=5.0)
        line = table._line(row, 98).plain
        assert "while…" not in line and "… " in line and "0.0%" in line and "-1" not in line


def test_published_ports_are_whole_where_there_is_room() -> None:
    member = Member("1" * 64, "n", "web", True, published=(Published("127.0.0.1", 18080, 80, "tcp"),))
    graph = Graph((Net("n", "back", "bridge", members=(member,)),))
    text = "\n".join("".join(piece for piece, _ in line) for line in draw(graph, 130).lines)
    assert str(member.published[0]) in text


async def test_the_help_says_what_is_different_in_a_browser(
    open_dashboard: Open, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_dashboard(lambda: FakeEngine()) as (app, pilot):
        monkeypatch.setattr(Dashboard, "is_web", True)
        await pilot.press("question_mark")
        await eventually(pilot, lambda: isinstance(app.screen, Help) and app.screen.query(".note"))
        assert "ctrl+w" in str(app.screen.query_one(".note", Static).render())


async def test_forms_and_notices_keep_what_they_say_and_their_buttons_on_the_smallest_screen(
    open_dashboard: Open, eventually: Eventually
) -> None:
    async with open_dashboard(lambda: FakeEngine(), size=(60, 20)) as (app, pilot):

        def whole(*parts: str) -> bool:
            return all(
                one.region.height and one.region.bottom < 20 and one.region.y >= 0
                for part in parts
                for one in app.screen.query(part)
            )

        await pilot.press("c")
        await eventually(pilot, lambda: isinstance(app.screen, Ask) and app.screen.query("#go") and whole("#ask-line", "#go"))
        await pilot.press("tab", "ctrl+u", "enter")
        wrong = app.screen.query_one("#ask-wrong", Static)
        await eventually(pilot, lambda: "name a network" in str(wrong.render()) and whole("#ask-wrong", "#go"))
        await pilot.press("escape")
        app.push_screen(Notice("said", "\n".join(f"line {number}" for number in range(100))))
        await eventually(
            pilot, lambda: isinstance(app.screen, Notice) and app.screen.query("#close") and whole("#question", "#close")
        )
        await pilot.press("pagedown")
        await eventually(pilot, lambda: app.screen.query_one("#said").scroll_y == 10)
        await pilot.press("escape")
        await pilot.press("question_mark")
        await eventually(pilot, lambda: isinstance(app.screen, Help) and app.screen.query("#help Static"))
        help_text = "\n".join("".join(piece.text for piece in strip) for strip in app.screen._compositor.render_strips())
        assert "Start the" in help_text and "container.start" in help_text


async def test_switches_tell_their_state_without_colours_and_the_mouse_ends_what_only_shows(
    open_dashboard: Open, eventually: Eventually
) -> None:
    async with open_dashboard(lambda: FakeEngine(), size=(80, 24)) as (app, pilot):

        def line_of_terminal_cursor() -> str:
            """What a screen reader reads."""
            return "".join(piece.text for piece in app.screen._compositor.render_strips()[app.cursor_position.y])

        await eventually(pilot, lambda: "database" in line_of_terminal_cursor())
        await pilot.press("down")
        await eventually(pilot, lambda: "web" in line_of_terminal_cursor())
        await pilot.press("v")
        await eventually(pilot, lambda: isinstance(app.screen, Chooser) and app.screen.query(Ticks))
        choices = app.screen.query_one(Ticks)
        await eventually(pilot, lambda: "[x] STATE" in line_of_terminal_cursor())
        assert choices.render_line(0).text.startswith("[x] STATE")
        await pilot.press("space")
        await eventually(pilot, lambda: choices.render_line(0).text.startswith("[ ] STATE"))
        await pilot.click("#take")
        await eventually(pilot, lambda: not app.screen.is_modal and app.workspace.preferences.lists["containers"].hidden)
        await pilot.press("S")
        await eventually(pilot, lambda: isinstance(app.screen, Picker) and app.screen.query("#picker"))
        await pilot.click(offset=(1, 1))  # beside it
        await eventually(pilot, lambda: not app.screen.is_modal)
        app.theme = "ansi-dark"
        await pilot.press("S")
        await eventually(pilot, lambda: isinstance(app.screen, Picker) and app.screen.query(OptionList))
        options = app.screen.query_one(OptionList)
        await eventually(pilot, lambda: next(iter(options.render_line(0))).style != next(iter(options.render_line(1))).style)
        tick = Tick("Keep", value=True)
        assert tick._button.plain == "[x]"
        tick.value = False
        assert tick._button.plain == "[ ]"


@pytest.mark.parametrize("size", [(60, 20), (220, 60)])
async def test_a_page_without_rows_says_so_in_one_box(
    open_dashboard: Open, eventually: Eventually, size: tuple[int, int]
) -> None:
    """No box is empty without a word, and no word is cut."""
    engine: Any = FakeEngine([])

    async def nothing(**_: object) -> list[object]:
        return []

    engine.images.list = engine.volumes.list = engine.networks.list = nothing
    said = {
        "containers": "moby/hello",
        "images": "none yet · moby pull IMAGE",
        "build": "none yet · n builds a folder with a Dockerfile",
        "volumes": "none yet · moby volume create NAME",
        "networks": "none yet",
        "history": "no container is remembered yet",
        "activity": "nothing was done in this dashboard yet",
        "problems": "are looked at",
        "projects": "no compose project has containers here",
    }
    async with open_dashboard(lambda: engine, size=size) as (app, pilot):
        for mode, words in said.items():
            app.go(mode)

            def lines() -> list[str]:
                return [strip.text for strip in app.screen._compositor.render_strips()]

            await eventually(pilot, lambda mode=mode: app.current_mode == mode and app.screen.is_mounted)
            await eventually(pilot, lambda words=words, lines=lines: any(words in line for line in lines()[2:-2]))
            assert not any(one.display and one.is_on_screen for one in app.screen.query("#detail")), mode
        app.go("machine")
        await eventually(pilot, lambda: app.current_mode == "machine" and "used" in "\n".join(lines()))
        assert next(line for line in lines() if line.strip("│ ").startswith("used")).count(" of ") == 1
        app.go("system")
        await eventually(pilot, lambda: app.current_mode == "system" and "Build cache" in "\n".join(lines()))
        assert any("RECLAIMABLE" in line for line in lines()) and any("Containers" in line for line in lines()[3:])


async def test_a_list_in_which_nothing_matches_says_so(open_dashboard: Open, eventually: Eventually) -> None:
    async with open_dashboard(lambda: FakeEngine(), size=(80, 24)) as (app, pilot):
        for page in ("1", "2", "3", "A"):
            await pilot.press(page, "slash", *"nosuchword", "enter")
            if page == "A":
                continue
            await eventually(
                pilot, lambda: any("no row has these words" in one.text for one in app.screen._compositor.render_strips())
            )


async def test_keys_that_move_the_cursor_do_nothing_in_a_list_without_rows(open_dashboard: Open, eventually: Eventually) -> None:
    """Page down in an empty list ended the dashboard."""
    engine: Any = FakeEngine([])

    async def nothing(**_: object) -> list[object]:
        return []

    engine.images.list = engine.volumes.list = engine.networks.list = nothing
    async with open_dashboard(lambda: engine, size=(80, 24)) as (app, pilot):
        for page in ("images", "volumes", "networks", "activity", "problems", "projects", "overview", "history", "events"):
            app.go(page)
            await eventually(pilot, lambda page=page: app.current_mode == page and app.screen.is_mounted)
            await typed(app, pilot, "pagedown", "pageup", "end", "home", "down", "up", "enter", "space", "shift+down", "escape")
            assert app.is_running and app.current_mode == page, page


async def test_what_is_asked_of_a_lost_engine_is_refused_and_the_dashboard_goes_on(
    open_dashboard: Open, eventually: Eventually
) -> None:
    """The command line of a container was asked for while the engine was lost: it ended the dashboard."""
    engine = FakeEngine()
    async with open_dashboard(lambda: engine, size=(80, 24)) as (app, pilot):
        engine.down = True
        engine.lose()
        await eventually(pilot, lambda: not app.session.connection.up)
        await typed(app, pilot, "Y")
        await eventually(pilot, lambda: any("not connected" in note.message for note in app._notifications))
        for key in ("C", "ctrl+e", "c", "X", "P", "W", "x"):
            await typed(app, pilot, key, "enter", "escape", "escape")
        assert app.is_running and app._exception is None


async def test_a_tree_of_files_can_be_as_narrow_as_its_columns() -> None:
    """Less room than the columns beside the name take ended the dashboard."""

    class Shown(App[None]):
        def compose(self) -> ComposeResult:
            yield FileTreeView(id="tree")

    app = Shown()
    async with app.run_test(size=(40, 6)) as pilot:
        view = app.query_one(FileTreeView)
        view.tree_model.put("/", [Entry("/etc", "etc", "directory"), Entry("/passwd", "passwd", "file", 1000)])
        for width in (12, 6, 3, 1):
            await pilot.resize_terminal(width, 6)
            await pilot.pause()
            assert all(view._heading(one).cell_length == one for one in range(1, 60))
