"""The form of ``moby run``: its fields, the line that it makes, and what is done to the engine."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from textual.widgets import Input, Static

from moby_tui.cli.commands.containers.reading import read_run
from moby_tui.engine.engine import Engine
from moby_tui.errors import Conflict, MobyError
from moby_tui.screens.app import Dashboard
from moby_tui.screens.command_line import CommandLine
from moby_tui.screens.dialogs.command_form import CommandForm
from moby_tui.screens.dialogs.confirm import Confirm
from moby_tui.screens.forms import running, writing
from moby_tui.screens.forms.draft import FIELDS, differences, draft, live_changes, live_line, settings
from moby_tui.screens.forms.options import Settings
from moby_tui.screens.forms.request import RunRequest
from screens.conftest import Eventually, Open, there
from screens.fake_client import FakeEngine, as_client


def fields(**given: str) -> dict[str, str]:
    return {one.id: given.get(one.id, "") for one in FIELDS}


def test_the_fields_make_the_line_and_come_of_it() -> None:
    written = fields(
        image="nginx",
        name="web",
        ports="80:80 81:81",
        env="A=1 'B=two words'",
        more="--init --cap-drop ALL -it",
        command="sh -c 'a b'",
    )
    made = settings(written)
    assert writing.tell(written, read_run) == (
        "moby run -d --name web --publish 80:80 --publish 81:81 --env A=1 --env 'B=two words' --init --cap-drop ALL -it nginx "
        "sh -c 'a b'",
        "",
    )
    again = draft(made)
    assert settings(again).words() == made.words()
    assert again["more"] == "--init --cap-drop ALL -it" and again["env"] == "A=1 'B=two words'"


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        (fields(), "an image is needed"),
        (fields(image="x", ports="99999"), "port '99999' in '99999' is out of range: 1 to 65535"),
        (fields(image="x", env="'A=1"), "Environment: no closing quotation; quote as in a shell"),
        (fields(image="x", memory="much"), "invalid size: 'much'; write it like 512m or 1g"),
        (fields(image="--rm"), "--rm is no image: options stand in the line of further options"),
        (fields(image="x", more="--cap-add"), "Missing argument 'IMAGE'"),
        (
            fields(image="x", more="stray", command="ls"),
            "an option lacks its value, or a word among the options belongs to none: stray",
        ),
        (fields(image="x", more="--rm", restart="always"), "options --restart and --rm contradict each other"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(written: Any, wrong: str) -> None:
    assert wrong in writing.tell(written, read_run)[1]


def test_differences_are_shown_and_only_limits_are_changed_live() -> None:
    old = Settings("x", [("-d", None), ("--memory", "64m"), ("--env", "A=1"), ("--env", "B=2")])
    more = Settings("x", [("-d", None), ("--env", "A=1"), ("--env", "B=2"), ("--memory", "128m"), ("--cpus", "1")])
    assert differences(old, more) == ["- --memory 64m", "+ --memory 128m", "+ --cpus 1"]
    assert live_changes(old, more) == {"--memory", "--cpus"}
    assert not live_changes(old, old)
    assert not live_changes(old, Settings("x", [("-d", None), ("--env", "A=1"), ("--env", "B=2")]))  # a limit goes
    assert not live_changes(old, Settings("x", [*old.options, ("--env", "C=3")]))
    assert not live_changes(old, Settings("y", more.options))
    named = Settings("x", [("--name", "b c"), *more.options])
    assert live_changes(Settings("x", [("--name", "a"), *old.options]), named) == {"--name", "--memory", "--cpus"}
    assert live_line("a", named, {"--name", "--memory"}) == "moby rename a 'b c' && moby update --memory 128m 'b c'"
    assert live_line("a", named, {"--memory"}) == "moby update --memory 128m a"
    assert differences(old, Settings("x\x1b[31m", old.options, ["a"])) == ["- image x", "+ image x", "+ command a"]


async def test_a_container_is_run_by_the_form(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await pilot.press("n")
        await eventually(pilot, lambda: isinstance(app.screen, CommandForm))
        form = app.screen
        await pilot.press(*"busybox", "tab", *"mine", "tab", *"99999:1")
        await eventually(pilot, lambda: "out of range" in str(form.query_one("#run-wrong", Static).content))
        await pilot.press("enter")
        assert app.screen is form, "what is wrong keeps the form open"
        form.query_one("#field-ports", Input).value = "81:80"
        await eventually(
            pilot, lambda: "moby run -d --name mine --publish 81:80 busybox" in str(form.query_one("#run-line", Static).content)
        )
        await pilot.press("enter")
        await eventually(pilot, lambda: [call[0] for call in engine.calls] == ["create", "start"])
        assert engine.calls[0][1] == "mine"
        assert list(engine.calls[0][2]["config"].host_config.port_bindings) == ["80/tcp"]
        await eventually(pilot, lambda: any(one.name == "mine" and one.running for one in app.session.model.rows()))
        assert next(iter(app.session.activity)).command == "moby run -d --name mine --publish 81:80 busybox"


async def test_limits_are_edited_live_after_the_difference_was_shown(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await pilot.press("Y")
        await eventually(pilot, lambda: app.clipboard == "moby run -d --name database --env MODE=fast --memory 64m postgres:18")
        await pilot.press("ctrl+e")
        await eventually(pilot, lambda: isinstance(app.screen, CommandForm))
        assert app.screen.answers["env"] == "MODE=fast"
        app.screen.query_one("#field-memory", Input).value = "128m"
        await pilot.press("enter")
        await eventually(pilot, lambda: isinstance(app.screen, Confirm))
        assert "- --memory 64m\n+ --memory 128m" in str(app.screen.query_one("#consequence", Static).content)
        await pilot.press("y")
        await eventually(pilot, lambda: engine.calls == [("update", "database", {"memory": 128 << 20})])
        await eventually(pilot, lambda: next(iter(app.session.activity)).command == "moby update --memory 128m database")
        await pilot.press("ctrl+e")
        await eventually(pilot, lambda: isinstance(app.screen, CommandForm))
        app.screen.query_one("#field-name", Input).value = "postgres"
        await pilot.press("enter")
        await eventually(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Only its name changed" in str(app.screen.query_one("#consequence", Static).content)
        await pilot.press("y")
        await eventually(pilot, lambda: engine.calls[1:] == [("rename", "database", {"name": "postgres"})])
        await pilot.press("C")
        await eventually(pilot, lambda: isinstance(app.screen, CommandForm))
        assert app.screen.answers["name"] == "", "a copy has a name of its own"


async def test_a_replaced_container_is_kept_until_the_new_one_runs(engine: Engine, busybox: str) -> None:
    """On the real engine: a change that works, one that the engine refuses, and one that cannot start."""

    async def names() -> dict[str, bool]:
        return {one.names[0]: one.state == "running" for one in await engine.containers.list(all=True)}

    def request(*words: str) -> RunRequest:
        return read_run(["-d", "--name", "web", "--network", "none", "--stop-timeout", "0", *words])

    first = await running.run(engine, request("-v", "/data", busybox, "sleep", "1000"))
    old = await engine.containers.inspect(first)
    volume = old.mounts[0].name
    with pytest.raises(MobyError):
        await running.replace(engine, old, request("--pull", "never", "nosuch"))
    assert await names() == {"/web": True}
    with pytest.raises(MobyError):
        await running.replace(engine, old, request(busybox, "/nosuch"))
    assert await names() == {"/web": True} and (await engine.containers.inspect("web")).id == first
    second = await running.replace(engine, old, request("-v", f"{volume}:/data", "-e", "A=1", busybox, "sleep", "1000"))
    assert await names() == {"/web": True}
    new = await engine.containers.inspect("web")
    assert new.id == second != first and "A=1" in there(new.config.env) and new.mounts[0].name == volume

    await engine.containers.update(second, running.limits(request("--memory", "64m", "--restart", "always", busybox)))
    changed = (await engine.containers.inspect(second)).host_config
    assert (changed.memory, changed.memory_swap, changed.restart_policy.name) == (64 << 20, 128 << 20, "always")

    leaving = msgspec.structs.replace(new, host_config=msgspec.structs.replace(new.host_config, auto_remove=True))
    with pytest.raises(Conflict, match="made with --rm"):
        await running.replace(engine, leaving, request(busybox))
    await engine.containers.remove(second, force=True)
    await engine.volumes.remove(volume)


async def test_the_dashboard_opens_on_a_container(eventually: Eventually) -> None:
    engine = FakeEngine()
    worker = next(one.id for one in engine.rows.values() if one.names == ["/worker"])
    app: Any = Dashboard(as_client(lambda: engine), command_line=CommandLine(read_run), first=("containers", worker))
    async with app.run_test() as pilot:
        await eventually(pilot, lambda: app.screen.chosen and app.screen.chosen.name == "worker")
