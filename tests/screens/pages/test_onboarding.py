"""What an engine without containers offers: the model, the page over a scripted engine, and docker's compose plug-in."""

from __future__ import annotations

import sys
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

from moby_tui.cli import session
from moby_tui.cli.commands.composing import PluggedIn
from moby_tui.engine.engine import Engine
from moby_tui.screens.app import Dashboard
from moby_tui.screens.command_line import CommandLine
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.command_form import CommandForm
from moby_tui.screens.dialogs.confirm import Notice
from moby_tui.screens.onboarding.offers import Found, look, offers
from moby_tui.screens.widgets.container_table import ContainerTable
from moby_tui.screens.widgets.lines.offers_view import OffersView
from screens.conftest import Eventually
from screens.fake_client import FakeEngine, as_client, summary

#: A plug-in that asks the engine for its name and says what it was asked for.
PLUG_IN = f"""#!{sys.executable}
import http.client, json, socket, sys
host = sys.argv[sys.argv.index("--host") + 1].removeprefix("unix://")
connection = http.client.HTTPConnection("engine")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(host)
connection.request("GET", "/info")
print("asked for", *sys.argv[3:], "on", json.load(connection.getresponse())["Name"])
print("\\x1b[31mno such service\\x1b[2J")
sys.exit(17)
"""


def test_what_is_offered_and_why_not(tmp_path: Path) -> None:
    assert look(str(tmp_path)) == Found(str(tmp_path))
    (tmp_path / "Dockerfile").touch()
    (tmp_path / "docker-compose.yml").touch()
    found = look(str(tmp_path))
    assert found == Found(str(tmp_path), True, f"{tmp_path}/docker-compose.yml")
    (tmp_path / "compose.yaml").touch()
    assert look(str(tmp_path)).compose == f"{tmp_path}/compose.yaml"
    made = offers(found, engine="moby 0.1", read_only=False, compose_missing="no plug-in")
    assert [(one.id, one.missing) for one in made] == [
        ("hello", ""), ("pull", ""), ("run", ""), ("build", ""), ("compose", "no plug-in"),
    ]  # fmt: skip
    made = offers(Found("/x"), engine="Docker Engine 28", read_only=False, compose_missing="")
    assert [one.id for one in made] == ["hello", "pull", "run"] and "this engine is Docker Engine 28" in made[0].missing
    assert all(
        one.missing == "the dashboard is read-only" for one in offers(found, engine="moby 1", read_only=True, compose_missing="")
    )
    evil = offers(Found("/\x1b[2J\u202e", True, "/\x1b]0;x\x07c"), engine="moby 1", read_only=False, compose_missing="")
    assert all(one.about.isprintable() for one in evil)


class OneCompose:
    def __init__(self) -> None:
        self.files: list[str] = []

    def missing(self) -> str:
        return ""

    async def up(self, client: Any, *files: str, before: object = (), after: object = ()) -> tuple[int, str]:
        self.files += files
        return 17, "\x1b[31mno such image\n"


async def test_an_engine_without_containers_offers_what_can_be_done(
    eventually: Eventually, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "compose.yaml").touch()
    monkeypatch.chdir(tmp_path)
    engine, compose = FakeEngine([]), OneCompose()
    app: Any = Dashboard(as_client(lambda: engine), command_line=CommandLine(compose=compose))
    async with app.run_test(size=(120, 32)) as pilot:
        await eventually(pilot, lambda: app.screen.query(OffersView) and app.screen.query_one(OffersView).offers)
        view = app.screen.query_one(OffersView)
        assert [one.id for one in view.offers] == ["hello", "pull", "run", "build", "compose"]
        await eventually(pilot, lambda: view.has_focus)
        assert not app.screen.query_one(ContainerTable).display
        await pilot.press("u")
        await eventually(pilot, lambda: isinstance(app.screen, Notice))
        assert compose.files == [f"{tmp_path}/compose.yaml"]
        assert list(app.session.activity)[-1].detail == "docker compose up has ended with exit code 17"
        await pilot.press("escape", "b")
        await eventually(pilot, lambda: isinstance(app.screen, CommandForm))
        await pilot.press("escape", "1", "p")
        await eventually(pilot, lambda: isinstance(app.screen, Ask))
        await pilot.press("escape", "1")
        # a container comes, and goes again
        row = summary(1, "web")
        engine.rows[row.id] = row
        engine.emit("container", "create", row.id, name="web")
        await eventually(pilot, lambda: app.screen.query_one(ContainerTable).has_focus)
        del engine.rows[row.id]
        engine.emit("container", "destroy", row.id, name="web")
        await eventually(pilot, lambda: view.has_focus and view.offers)
        await eventually(pilot, lambda: not any(one.group == "offers" for one in app.workers))
        # enter takes what is under the cursor; what is missing is told
        view.tell(offers(Found("/x"), engine="other 1", read_only=False, compose_missing=""))
        assert view.check_action("take", ("hello",)) is None and view.check_action("take", ("build",)) is False
        await pilot.press("enter")
        await eventually(pilot, lambda: any("ships with moby" in one.message for one in app._notifications))


async def test_the_plug_in_speaks_to_the_engine_of_the_dashboard(engine: Engine, tmp_path: Path) -> None:
    place = tmp_path / "docker/cli-plugins/docker-compose"
    place.parent.mkdir(parents=True)
    place.write_text(PLUG_IN)
    place.chmod(0o755)
    session.use(session.Session(login_folder=str(tmp_path / "docker")))
    assert PluggedIn().missing() == ""
    code, said = await PluggedIn().up(engine, "/x/compose.yaml")
    asked = f"asked for compose -f /x/compose.yaml up -d on {(await engine.system.info()).name}"
    assert (code, said.splitlines()[0]) == (17, asked)


def test_without_a_plug_in_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from moby_tui.cli import plug_ins

    monkeypatch.setattr(plug_ins, "_FOLDERS", ())

    def told() -> str:
        session.use(session.Session(login_folder=str(tmp_path)))
        return PluggedIn().missing()

    assert "put docker-compose into" in copy_context().run(told)
