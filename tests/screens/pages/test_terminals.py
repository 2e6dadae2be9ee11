"""Terminals: tabs with shells, attachments, new containers and debug shells; over a scripted engine and over the real one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.events import Key
from textual.widgets import Checkbox, Input, Static, TabbedContent

from moby_tui.engine.engine import Engine
from moby_tui.errors import Unavailable
from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.screens.app import Dashboard
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.widgets.terminal import Terminal
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine


def hint(app: Dashboard) -> str:
    return str(app.screen.query_one("#shell-hint", Static).render())


async def test_a_shell_of_choice_is_remembered_and_the_prefix_is_never_typed(
    open_dashboard: Open, eventually: Eventually
) -> None:
    engine = FakeEngine()
    engine.shells = {"ash"}
    async with open_dashboard(lambda: engine) as (app, pilot):
        await pilot.press("E")
        await eventually(pilot, lambda: isinstance(app.screen, Ask))
        app.screen.query_one("#field-command", Input).value = "ash -l 'a b"
        app.screen.query_one("#field-user", Input).value = "www"
        await pilot.press("enter")
        assert "is not closed" in str(app.screen.query_one("#ask-wrong", Static).render())
        app.screen.query_one("#field-command", Input).value = "ash -l 'a b'"
        await pilot.press("enter")
        await eventually(pilot, lambda: app.screen.query(Terminal) and "/ #" in app.screen.query_one(Terminal).screen_text)
        assert (engine.execs[0].cmd, engine.execs[0].user) == (["ash", "-l", "a b"], "www")
        remembered = app.workspace.preferences.terminals
        assert (remembered.shell, remembered.user) == ("ash -l 'a b'", "www")
        # all at once: the key after the prefix must not reach the shell though nobody has drawn anything yet
        await pilot.press("a", "ctrl+right_square_bracket", "d")
        await eventually(pilot, lambda: app.current_mode == "containers")
        assert engine.pipe.sent == b"a"
        await pilot.press("e")
        await eventually(pilot, lambda: app.current_mode == "shells" and len(app.screen.query(Terminal)) == 2)
        await eventually(pilot, lambda: len(engine.execs) == 2)
        assert engine.execs[1].cmd == ["ash", "-l", "a b"]
        await pilot.press("ctrl+right_square_bracket", "1", "z")
        await eventually(pilot, lambda: app.screen.query_one(TabbedContent).active == "shell-1")


async def test_keys_that_are_typed_while_a_terminal_closes_go_to_the_page_that_follows(
    open_dashboard: Open, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await pilot.press("e")
        await eventually(pilot, lambda: app.screen.query(Terminal) and "/ #" in app.screen.query_one(Terminal).screen_text)
        terminal, closing, may_close = app.screen.query_one(Terminal), asyncio.Event(), asyncio.Event()
        remove = TabbedContent.remove_pane

        async def wait_and_remove(tabs: TabbedContent, pane: str) -> None:
            closing.set()
            await may_close.wait()
            await remove(tabs, pane)

        monkeypatch.setattr(TabbedContent, "remove_pane", wait_and_remove)
        engine.pipe.output.put_nowait(b"")
        await eventually(pilot, closing.is_set)
        app.simulate_key("2")
        terminal.post_message(Key("3", "3"))  # was on its way when the program ended
        await eventually(pilot, lambda: [key.key for key in app._held or []] == ["3", "2"])
        may_close.set()
        await eventually(pilot, lambda: app.current_mode == "images" and "volumes" in app._pages)
        assert not engine.pipe.sent


async def test_looking_back_searching_and_copying(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await pilot.press("e")
        await eventually(pilot, lambda: app.screen.query(Terminal) and "/ #" in app.screen.query_one(Terminal).screen_text)
        terminal = app.screen.query_one(Terminal)
        engine.pipe.output.put_nowait(b"".join(b"\r\nline %d" % number for number in range(200)))
        await eventually(pilot, lambda: "line 199" in terminal.screen_text)
        sent = engine.pipe.sent
        await pilot.press("ctrl+right_square_bracket", "slash", *"line 42")
        await eventually(pilot, lambda: "1 of 1 hits" in hint(app))
        assert terminal.scroll_offset.y <= 43 < terminal.scroll_offset.y + terminal.size.height
        await pilot.press("enter", "V", "down", "y")
        await eventually(pilot, lambda: app.clipboard == "line 42\nline 43")
        assert engine.pipe.sent == sent and terminal.looks_back is None
        assert terminal.scroll_offset.y == terminal.max_scroll_y
        await pilot.press("ctrl+right_square_bracket", "left_square_bracket", "up", "escape", "x")
        await eventually(pilot, lambda: engine.pipe.sent == sent + b"x")
        # OSC 52 does nothing until the person lets it
        engine.pipe.output.put_nowait(b"\x1b]52;c;aGk=\x07.")
        await pilot.press("ctrl+right_square_bracket", "c")
        await eventually(pilot, lambda: app.workspace.preferences.terminals.copies)
        assert app.clipboard == "line 42\nline 43"
        engine.pipe.output.put_nowait(b"\x1b]52;c;aGk=\x07")
        await eventually(pilot, lambda: app.clipboard == "hi")


async def test_the_mouse_selects_or_is_the_programs(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await pilot.press("e")
        await eventually(pilot, lambda: app.screen.query(Terminal) and "/ #" in app.screen.query_one(Terminal).screen_text)
        terminal = app.screen.query_one(Terminal)
        engine.pipe.output.put_nowait(b"\r\nsome words")
        await eventually(pilot, lambda: "some words" in terminal.screen_text)
        await pilot.mouse_down(Terminal, offset=(5, 1))
        await pilot.hover(Terminal, offset=(9, 1))
        await pilot.mouse_up(Terminal, offset=(9, 1))
        await eventually(pilot, lambda: app.clipboard == "words")
        engine.pipe.output.put_nowait(b"\x1b[?1000h\x1b[?1006h!")
        await eventually(pilot, lambda: "words!" in terminal.screen_text)
        await pilot.mouse_down(Terminal, offset=(5, 1))
        await pilot.mouse_up(Terminal, offset=(5, 1))
        await eventually(pilot, lambda: engine.pipe.sent == b"\x1b[<0;6;2M\x1b[<0;6;2m")


async def test_a_lost_engine_is_told_in_the_terminal_which_opens_again(
    open_dashboard: Open, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await pilot.press("e")
        await eventually(pilot, lambda: app.screen.query(Terminal) and "/ #" in app.screen.query_one(Terminal).screen_text)
        terminal = app.screen.query_one(Terminal)

        async def lost(exec_id: str) -> object:
            raise Unavailable("cannot connect to the engine")

        monkeypatch.setattr(engine.containers, "exec_inspect", lost)
        engine.pipe.output.put_nowait(b"")
        await eventually(pilot, lambda: terminal.ended)
        assert "the engine was lost, what ran here may run on: cannot connect" in terminal.screen_text
        await eventually(pilot, lambda: "enter open it again" in hint(app))
        await pilot.press("q", "x", "enter")
        await eventually(pilot, lambda: len(engine.execs) == 4 and not terminal.ended)
        await eventually(pilot, lambda: terminal.screen_text.count("/ #") == 2)


async def test_attach_run_and_debug_on_the_kernel(
    roots: tuple[Path, Path], busybox: str, engine: Engine, open_dashboard: Open, eventually: Eventually
) -> None:
    from moby_tui.engine.engine import Engine

    config = ContainerCreate(
        image=busybox,
        cmd=["sh", "-c", "echo secret > /inside; while read x; do echo got $x; done"],
        tty=True,
        open_stdin=True,
        stop_timeout=1,
        host_config=HostConfig(network_mode="none"),
    )
    target = (await engine.containers.create(config, name="target")).id
    await engine.containers.start(target)
    async with open_dashboard(lambda: Engine.open(*roots), size=(130, 40)) as (app, pilot):
        await eventually(pilot, lambda: app.screen.chosen and app.screen.chosen.state == "running")
        await pilot.press("a", "h", "i", "enter")
        await eventually(pilot, lambda: app.screen.query(Terminal) and "got hi" in app.screen.query_one(Terminal).screen_text)

        await pilot.press("ctrl+right_square_bracket", "d")
        await eventually(pilot, lambda: app.current_mode == "containers" and app.screen.targets())
        await pilot.press("D")
        await eventually(pilot, lambda: isinstance(app.screen, Ask) and app.screen.focused)
        assert app.screen.query_one("#field-image", Input).value == "busybox:latest"
        await pilot.press("enter")
        await eventually(pilot, lambda: len(app.screen.query(Terminal)) == 2)
        terminal = app.screen.terminal
        await eventually(pilot, lambda: "/proc/1/root #" in terminal.screen_text)
        terminal.send(b"cat inside; touch /x\r")
        await eventually(pilot, lambda: "secret" in terminal.screen_text and "Read-only" in terminal.screen_text)
        assert "/inside" not in terminal.screen_text.partition("cat inside")[2]
        terminal.send(b"exit\r")
        await eventually(pilot, lambda: len(app.screen.query(Terminal)) == 1 and isinstance(app.focused, Terminal))

        await pilot.press("ctrl+right_square_bracket", "r")
        await eventually(pilot, lambda: isinstance(app.screen, Ask) and app.screen.focused)
        app.screen.query_one("#field-command", Input).value = "sh -c 'stty size; read x; exit 3'"
        app.screen.query_one("#field-keep", Checkbox).value = True
        app.screen.query_one("#field-name", Input).value = "new"
        await pilot.press("enter")
        await eventually(pilot, lambda: len(app.screen.query(Terminal)) == 2)
        terminal = app.screen.terminal
        await eventually(pilot, lambda: f"{terminal.size.height} {terminal.size.width - 1}" in terminal.screen_text)
        await pilot.press("enter")
        await eventually(pilot, lambda: "the container has ended with exit code 3" in terminal.screen_text)
        found = await engine.containers.inspect("new")
        assert found.state.exit_code == 3 and found.config.tty
        assert [one.names for one in await engine.containers.list(all=True) if "moby.debugs" in one.labels] == []
