"""Everything is a command: the prompt and its words, the person's own commands, places, jump mode, help."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from moby_tui.screens.actions.places import Place, Places
from moby_tui.screens.actions.user_commands import UserCommand, questions, words
from moby_tui.screens.actions.vocabulary import Command, History, Vocabulary
from moby_tui.screens.app import Dashboard
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.confirm import Confirm, Notice
from moby_tui.screens.dialogs.jump import Jump, labels
from moby_tui.screens.dialogs.prompt import Prompt
from moby_tui.screens.preferences import Preferences
from moby_tui.screens.widgets.filter_bar import FilterBar
from moby_tui.screens.widgets.object_table import ObjectTable
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine, as_client


def test_words_are_found_shortened_and_completed() -> None:
    ran: list[tuple[str, list[str]]] = []

    def noting(words: str) -> Callable[[list[str]], None]:
        return lambda given: ran.append((words, given))

    commands = [
        Command(words, "", noting(words), kind)
        for words, kind in (("logs", "container"), ("volume rm", "volume"), ("volumes", ""), ("quit", ""))
    ]
    understood = Vocabulary(commands, lambda kind: {"container": ["web", "we b"], "volume": ["data"]}[kind])
    for line in ("logs web", "volume rm data x", "qu", "logs 'we b'"):
        command, given = understood.find(line)
        command.run(given)
    assert ran == [("logs", ["web"]), ("volume rm", ["data", "x"]), ("quit", []), ("logs", ["we b"])]
    assert understood.complete("vol") == ["volume rm", "volumes"]
    assert understood.complete("logs w") == ["logs web"] and understood.complete("volume rm ") == ["volume rm data"]
    for line, told in (("vol", "may be"), ("xyz", "no command xyz"), ("", "no command"), ("logs 'x", "quotation")):
        with pytest.raises(ValueError, match=told):
            understood.find(line)


def test_lines_are_looked_back_at_and_places_too() -> None:
    history = History(["a", "b"])
    assert [history.older("dra"), history.older("b"), history.older("a")] == ["b", "a", "a"]
    assert [history.newer("a"), history.newer("b")] == ["b", "dra"]
    history.add("a")
    assert history.lines == ["b", "a"]
    places = Places()
    places.leave(Place("containers", "1"))
    places.leave(Place("images"))
    assert places.move(Place("volumes"), -1) == Place("images") and places.move(Place("images"), -1) == Place("containers", "1")
    assert places.move(Place("containers", "1"), 1) == Place("images") and places.move(Place("x"), -1) == Place("containers", "1")


def test_a_command_of_ones_own_is_words_before_anything_is_put_in() -> None:
    command = UserCommand("trace", "strace -p '{prompt:Which process}' {choice:-f|-ff} --name={name}")
    assert [(one.text, one.choices) for one in questions(command)] == [("Which process", ()), ("-f|-ff", ("-f", "-ff"))]
    answers = {"Which process": "1; reboot", "-f|-ff": "-f"}
    assert words(command, {"name": "$(x) y"}, answers) == ["strace", "-p", "1; reboot", "-f", "--name=$(x) y"]
    with pytest.raises(ValueError, match=r"wants \{name\}; there is no row"):
        words(command, {}, answers)
    assert labels(3) == ["a", "s", "d"] and len(set(labels(100))) == 100


async def type_line(pilot: Pilot[None], eventually: Eventually, app: Dashboard, line: str) -> None:
    await pilot.press("colon")
    await eventually(pilot, lambda: isinstance(app.screen, Prompt))
    app.screen.query_one(Input).value = line
    await pilot.press("enter")
    await eventually(pilot, lambda: not isinstance(app.screen, Prompt))


async def test_lines_go_to_pages_act_on_named_rows_and_are_remembered(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine, size=(120, 36)) as (app, pilot):
        await eventually(pilot, lambda: app.screen.query_one(ObjectTable).row_count == 7)
        await type_line(pilot, eventually, app, "images dangling=true")
        await eventually(pilot, lambda: app.current_mode == "images" and app.screen.query_one(ObjectTable).row_count == 1)
        assert app.screen.query_one(FilterBar).filled
        # an action of another page, on rows that are named
        await type_line(pilot, eventually, app, "stop web worker")
        await eventually(pilot, lambda: isinstance(app.screen, Confirm) and app.current_mode == "containers")
        await pilot.press("y")
        await eventually(pilot, lambda: {call[:2] for call in engine.calls} == {("stop", "web"), ("stop", "worker")})
        await type_line(pilot, eventually, app, "stop nobody")
        await eventually(pilot, lambda: any("no container nobody" in note.message for note in app._notifications))
        # a filter that hides the row ends; one of the rows means their page
        app.go("containers", "exited")
        await eventually(pilot, lambda: app.screen.query_one(ObjectTable).row_count < 7)
        await type_line(pilot, eventually, app, "containers cache")
        await eventually(pilot, lambda: app.screen.query_one(ObjectTable).row_count == 7 and app.screen.chosen.name == "cache")
        assert not app.screen.query_one(FilterBar).filled
        await type_line(pilot, eventually, app, "image")
        await eventually(pilot, lambda: app.current_mode == "images")
        await type_line(pilot, eventually, app, "containers")
        await eventually(pilot, lambda: app.current_mode == "containers")
        await type_line(pilot, eventually, app, "mark exited")
        assert len(app.screen.query_one(ObjectTable).marked) >= 2
        await pilot.press("colon")
        await eventually(pilot, lambda: isinstance(app.screen, Prompt))
        await pilot.press("up", "up")
        assert app.screen.query_one("Input").value == "containers"
        app.screen.query_one("Input").value = "logs dat"
        await pilot.pause()
        await pilot.press("tab")
        assert app.screen.query_one("Input").value == "logs database "
        await pilot.press("escape")


async def test_what_is_typed_before_the_line_stands_is_in_it(open_dashboard: Open, eventually: Eventually) -> None:
    async with open_dashboard(lambda: FakeEngine()) as (app, pilot):
        await eventually(pilot, lambda: app.screen.query_one(ObjectTable).row_count == 7)
        for key in ("colon", *"images", "enter"):
            app.simulate_key(key)
        await eventually(pilot, lambda: app.current_mode == "images")


async def test_back_and_forth_through_where_one_was(open_dashboard: Open, eventually: Eventually) -> None:
    async with open_dashboard(lambda: FakeEngine()) as (app, pilot):
        await eventually(pilot, lambda: app.screen.query_one(ObjectTable).row_count == 7)
        await pilot.press("down", "down", "2")
        await eventually(pilot, lambda: app.current_mode == "images")
        await pilot.press("left_square_bracket")
        await eventually(pilot, lambda: app.current_mode == "containers" and app.screen.chosen.name == "worker")
        await pilot.press("right_square_bracket")
        await eventually(pilot, lambda: app.current_mode == "images")


async def test_jump_puts_letters_on_rows_and_parts(open_dashboard: Open, eventually: Eventually) -> None:
    async with open_dashboard(lambda: FakeEngine()) as (app, pilot):
        await eventually(pilot, lambda: app.screen.query_one(ObjectTable).row_count == 7)
        await pilot.press("ctrl+o")
        await eventually(pilot, lambda: isinstance(app.screen, Jump))
        await pilot.press("d")
        await eventually(pilot, lambda: not isinstance(app.screen, Jump) and app.screen.chosen.name == "worker")


async def test_help_has_what_the_page_declares_and_the_theme_is_shown_while_one_chooses(
    open_dashboard: Open, eventually: Eventually
) -> None:
    async with open_dashboard(lambda: FakeEngine()) as (app, pilot):
        await eventually(pilot, lambda: app.screen.query_one(ObjectTable).row_count == 7)
        await pilot.press("question_mark")
        await eventually(pilot, lambda: type(app.screen).__name__ == "Help")
        assert any("container.stop" in row[3] for _, rows in app.screen._sections for row in rows)
        await pilot.press("escape")
        before = app.theme
        await app.run_action("change_theme")
        await eventually(pilot, lambda: type(app.screen).__name__ == "Picker")
        await pilot.press("down")
        await eventually(pilot, lambda: app.theme != before)
        await pilot.press("escape")
        await eventually(pilot, lambda: app.theme == before)


async def test_a_command_of_ones_own_asks_runs_and_shows_its_output(eventually: Eventually) -> None:
    own = UserCommand("echo", "echo {name} {prompt:What}", title="Echo", key="f9")
    app = Dashboard(as_client(FakeEngine), Preferences(commands=[own], keymap={"nobody.knows": "x"}))
    async with app.run_test(size=(120, 36)) as pilot:
        await eventually(pilot, lambda: app.screen.query(ObjectTable) and app.screen.query_one(ObjectTable).row_count == 7)
        assert any("nobody.knows" in note.message for note in app._notifications)
        await pilot.press("f9")
        await eventually(pilot, lambda: isinstance(app.screen, Ask))
        await pilot.press(*"$HOME", "enter")
        await eventually(pilot, lambda: isinstance(app.screen, Notice))
        assert "database $HOME" in str(app.screen.query_one("#consequence").render())
        assert [deed.command for deed in app.session.activity] == ["echo database '$HOME'"]
