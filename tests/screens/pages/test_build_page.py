"""The page of the builds: over a scripted engine, and over the real one with a line that fails."""

from __future__ import annotations

import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Checkbox, Input, Static

from build.building import build as build_elsewhere
from moby_tui.engine.engine import Engine
from moby_tui.errors import MobyError
from moby_tui.schema.image import Progress
from moby_tui.screens.dialogs.command_form import CommandForm
from moby_tui.screens.pages.build import BuildPage
from moby_tui.screens.widgets.lines.lines_view import LinesView
from moby_tui.screens.widgets.log_stream import LogStream
from screens.conftest import Eventually, Open, Tmux
from screens.fake_client import FakeEngine
from screens.models.test_build_model import SOURCE, begun, ended, output, plan


def rows(app: Any, name: str) -> list[str]:
    """What stands in a part of the page, from its first line on."""
    view = app.screen.query_one(f"#{name}", LinesView)
    return [" ".join(view._draw(number).plain.split()) for number in range(view.count)]


def log(app: Any) -> list[str]:
    streams = list(app.screen.query(LogStream))
    store = streams[0].store if streams else None
    return [store.line(number).text.decode() for number in range(store.first, store.end)] if store else []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "app"
    place.mkdir()
    (place / "Dockerfile").write_bytes(SOURCE)
    return place


async def open_form(app: Any, pilot: Pilot[None], eventually: Eventually, folder: Path) -> None:
    app.go("build", str(folder))
    await eventually(pilot, lambda: isinstance(app.screen, CommandForm))


async def test_a_build_from_the_form_to_its_end(open_dashboard: Open, eventually: Eventually, folder: Path) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine, size=(140, 40)) as (app, pilot):
        await pilot.press("B")
        await eventually(pilot, lambda: app.current_mode == "build")
        assert app.screen.query_one("#builds", LinesView).count == 0 and not app.screen.targets()
        await open_form(app, pilot, eventually, folder)
        assert app.screen.query_one("#field-tags", Input).value == "app"
        app.screen.query_one("#field-folder", Input).value = f"{folder}x"
        await eventually(pilot, lambda: "is neither a directory" in str(app.screen.query_one("#run-wrong", Static).visual))
        await pilot.press("enter")
        assert isinstance(app.screen, CommandForm)
        app.screen.query_one("#field-folder", Input).value = str(folder)
        app.screen.query_one("#field-no_cache", Checkbox).value = True
        await eventually(pilot, lambda: not app.screen.query_one("#run-wrong", Static).display)
        await pilot.press("enter")
        await eventually(pilot, lambda: isinstance(app.screen, BuildPage) and engine.builder.asked)
        asked = engine.builder.asked[0]
        assert (asked.tags, asked.no_cache, asked.live) == (["app"], True, True)

        engine.builder.say(plan(), begun(1, "[one 1/2] FROM busybox", 1000, 0, (1, 1)), ended(1, "cached", 1001))
        engine.builder.say(begun(2, "[one 2/2] RUN make", 1001, 0, (2, 2)), output(2, "\x1b[31mcompiling\x1b[0m\nmore\n"))
        await eventually(pilot, lambda: len(rows(app, "steps")) == 4 and rows(app, "steps")[1].startswith("◐"))
        assert rows(app, "steps")[0] == "≡ CACHED [one 1/2] FROM busybox" and rows(app, "steps")[3] == "○ [stage 2] step at 6"
        assert [row.split(" from ")[0].split()[:4] for row in rows(app, "stages")] == [
            ["◐", "one", "1/2", rows(app, "stages")[0].split()[3]],
            ["│", "∅", "other", "not"],
            ["○", "stage", "2", "0/2"],
        ]
        await eventually(pilot, lambda: log(app) == ["compiling", "more"])
        assert rows(app, "file")[:2] == ["1 ≡ FROM busybox AS one", "2 ◐ RUN make"]
        assert "1/4 steps, 1 cached" in rows(app, "builds")[0]

        # words in the output of a step
        await pilot.press("l", "slash", *"more", "enter")
        stream = app.screen.query_one("#build-log LogStream", LogStream)
        await eventually(pilot, lambda: stream.hit_at_cursor()[:2] == (1, 1))
        await pilot.press("ampersand")
        await eventually(pilot, lambda: len(stream.shown) == 1)
        await pilot.press("escape")
        await eventually(pilot, lambda: len(stream.shown) == 2 and stream.hits is None)
        await pilot.press("escape")

        # away and back: nothing is lost
        await pilot.press("1")
        engine.builder.say(ended(2, "done", 1004), begun(3, "[stage-2 2/2] RUN false", 1004, 2, (6, 7)), output(3, "no\n"))
        engine.builder.say(ended(3, "failed", 1005, 'process "false" did not complete successfully: exit code: 1'))
        engine.builder.say(MobyError("The command 'false' returned a non-zero code: 1"))
        await eventually(pilot, lambda: app.session.activity and list(app.session.activity)[-1].took)
        await pilot.press("B")
        await eventually(pilot, lambda: rows(app, "builds") and rows(app, "builds")[0].startswith("✗"))
        await eventually(pilot, lambda: log(app) == ["no"])
        assert rows(app, "file")[5:8] == [
            "6 ✗ RUN false \\", "7 ✗ && true", '╰─ process "false" did not complete successfully: exit code: 1',
        ]  # fmt: skip
        assert "non-zero code: 1" in str(app.screen.query_one("#build-error", Static).visual)
        # the cursor in the file takes the steps along
        await pilot.press("f", "home", "down")
        await eventually(pilot, lambda: log(app) == ["compiling", "more"])
        await pilot.press("escape", "r")
        await eventually(pilot, lambda: len(engine.builder.asked) == 2 and len(rows(app, "builds")) == 2)
        engine.builder.say(plan(), Progress(aux={"ID": "sha256:" + "a" * 64}), None)
        await eventually(pilot, lambda: rows(app, "builds")[0].startswith("✓"))
        page: Any = app.screen
        assert page.targets()[0].image == "sha256:" + "a" * 64


async def test_a_build_is_cancelled_and_its_form_filled_again(open_dashboard: Open, eventually: Eventually, folder: Path) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine, size=(80, 24)) as (app, pilot):
        await open_form(app, pilot, eventually, folder)
        await pilot.press("enter")
        await eventually(pilot, lambda: engine.builder.asked)
        engine.builder.say(plan(), begun(1, "[one 1/2] FROM busybox", 1000, 0, (1, 1)))
        await eventually(pilot, lambda: rows(app, "steps") and rows(app, "steps")[0].startswith("◐"))
        assert not app.screen.query_one("#build-file").display
        await pilot.press("f")
        assert app.screen.query_one("#build-file").display and not app.screen.query_one("#build-left").display
        await pilot.press("escape", "x")
        await eventually(pilot, lambda: engine.builder.cancelled == 1 and rows(app, "builds")[0].startswith("–"))
        assert rows(app, "steps")[0].startswith("–")
        assert list(app.session.activity)[-1].detail == "cancelled"
        await pilot.press("Y", "e")
        await eventually(pilot, lambda: isinstance(app.screen, CommandForm))
        assert app.screen.query_one("#field-folder", Input).value == str(folder)
        await pilot.press("escape")
        # a read-only dashboard builds nothing
        app.session.read_only = True
        app.go("build", str(folder))
        await pilot.press("n", "r", "e")
        await pilot.pause()
        assert isinstance(app.screen, BuildPage) and len(engine.builder.asked) == 1


async def test_a_build_with_a_line_that_fails_on_the_real_engine(
    open_dashboard: Open, eventually: Eventually, engine: Engine, busybox: str, folder: Path
) -> None:
    (folder / "Dockerfile").write_text(
        "FROM busybox AS one\nRUN echo made > /made\nFROM busybox\nCOPY --from=one /made /\nRUN echo before \\\n && exit 7\n"
    )

    @asynccontextmanager
    async def client() -> AsyncIterator[Engine]:
        yield engine

    async with open_dashboard(client, size=(140, 40)) as (app, pilot):
        await open_form(app, pilot, eventually, folder)
        await pilot.press("enter")
        await eventually(pilot, lambda: isinstance(app.screen, BuildPage) and rows(app, "builds")[0].startswith("✗"))
        await eventually(pilot, lambda: log(app) == ["before"])
        shown = [
            ["1", "✓", "FROM"], ["2", "✓", "RUN"], ["3", "✓", "FROM"], ["4", "✓", "COPY"], ["5", "✗", "RUN"], ["6", "✗", "&&"],
            ["╰─", "process", '"/bin/sh'],
        ]  # fmt: skip
        await eventually(pilot, lambda: [row.split()[:3] for row in rows(app, "file")] == shown)
        assert [row.split(" from ")[0].split()[:2] for row in rows(app, "stages")] == [["✓", "one"], ["✗", "stage"]]
        (folder / "Dockerfile").write_text("FROM busybox AS one\nRUN echo made > /made\n")
        await pilot.press("escape", "r")
        await eventually(pilot, lambda: len(rows(app, "builds")) == 2 and rows(app, "builds")[0].startswith("✓"))
        steps = ("CACHED [one 2/2] RUN echo made > /made", "CACHED [2/2] RUN echo made > /made")
        await eventually(pilot, lambda: any(step in row for row in rows(app, "steps") for step in steps))
        assert (await engine.images.inspect("app")).repo_tags == ["app:latest"]
        # what others build is told by events
        await build_elsewhere(engine, "FROM busybox\n", tags=["theirs"])
        await eventually(pilot, lambda: len(rows(app, "builds")) == 3 and rows(app, "builds")[0].startswith("✓"))
        assert "theirs asked for elsewhere" in rows(app, "builds")[0]


async def test_from_an_empty_engine_to_a_failed_build_in_a_terminal(
    roots: tuple[Path, Path], busybox: str, engine: Engine, tmux: Tmux, folder: Path
) -> None:
    """The whole program, as a person sees it on a small screen: the first container by one key, then a build; one that runs ends with it."""
    (folder / "Dockerfile").write_text("FROM busybox\nRUN echo good morning\nRUN echo bad news && exit 7\n")
    moby = shlex.join([sys.executable, "-m", "moby_tui", "--data-root", str(roots[0]), "--exec-root", str(roots[1]), "tui"])
    tmux("new-session", "-d", "-x", "80", "-y", "24", "-c", str(folder), "sh")
    tmux("send-keys", f"PS1='ready# '; {moby}; echo status $?", "Enter")
    await tmux.sees("Build the Dockerfile here")
    tmux("send-keys", "h")
    await tmux.sees("What to try next")
    tmux("send-keys", "B")
    await tmux.sees("none yet")
    tmux("send-keys", "n")
    assert "moby build --tag app" in await tmux.sees("Build (enter)")
    tmux("send-keys", "Enter")
    screen = await tmux.sees("bad news")
    await tmux.sees("non-zero code: 7")
    screen = await tmux.sees("✗ RUN echo bad news && exit 7")
    assert "✓ RUN echo good morning" in screen
    (folder / "Dockerfile").write_text("FROM busybox\nRUN echo first\nRUN sleep 1000\n")
    tmux("send-keys", "r")
    await tmux.sees("sleep 1000")
    await tmux.sees("◐")
    tmux("send-keys", "q")
    await tmux.sees("status 0")
