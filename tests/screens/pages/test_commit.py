"""Images made of containers from the dashboard: the form, the command that it shows, the real engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Static

from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.forms.commit import commit_form
from moby_tui.screens.session.activity import Outcome
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine
from screens.typing_keys import typed

WRITTEN = {"reference": "", "message": "", "author": "", "changes": "", "pause": "yes"}


def test_an_image_and_its_command() -> None:
    form = commit_form("web 1")
    assert form.line(WRITTEN) == "moby commit 'web 1'"
    written = {
        **WRITTEN,
        "reference": "web:2",
        "message": "it's patched",
        "author": "A <a@b>",
        "changes": "'CMD [\"a\", \"b\"]' 'ENV X=1'",
    }
    commit = form.request({**written, "pause": ""})
    assert commit.changes == ('CMD ["a", "b"]', "ENV X=1") and not commit.pause
    line = "moby commit --message 'it'\"'\"'s patched' --author 'A <a@b>' --change 'CMD [\"a\", \"b\"]' --change 'ENV X=1' 'web 1' web:2"
    assert form.line(written) == line
    for field, text, wrong in (
        ("reference", "Web", "lower"),
        ("reference", "web@sha256:" + "0" * 64, "digest"),
        ("changes", "ENV X=1", "no instruction"),
        ("changes", "'ENV", "no closing quotation"),
    ):
        assert wrong in form.check({**WRITTEN, field: text}), (field, text)


async def test_the_form_says_what_is_wrong_and_nothing_is_offered_read_only(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine, size=(60, 20)) as (app, pilot):
        await typed(app, pilot, "W")
        await eventually(pilot, lambda: isinstance(app.screen, Ask))
        await typed(app, pilot, *"Bad", "enter")
        await eventually(pilot, lambda: "lower" in str(app.screen.query_one("#ask-wrong", Static).render()))
        assert app.screen.region.contains_region(app.screen.query_one("#go").region)
        await typed(app, pilot, "escape")
        await eventually(pilot, lambda: not app.screen.is_modal)
        app.session.read_only = True
        await typed(app, pilot, "W")
        await eventually(pilot, lambda: any("read-only" in note.message for note in app._notifications))
        assert not app.screen.is_modal and not len(app.session.activity)


@pytest.mark.parametrize("runs", [True, False])
async def test_a_container_of_the_engine_becomes_an_image(
    runs: bool, roots: tuple[Path, Path], engine: Any, busybox: str, open_dashboard: Open, eventually: Eventually
) -> None:
    command = ["sh", "-c", "echo patched > /mark; test $1 = no || exec sleep 1000", "sh", "yes" if runs else "no"]
    host = HostConfig(network_mode="none")
    made = await engine.containers.create(ContainerCreate(image=busybox, cmd=command, host_config=host), name="web")
    await engine.containers.start(made.id)
    async with open_dashboard(lambda: Engine.open(*roots)) as (app, pilot):
        if not runs:
            await eventually(pilot, lambda: app.screen.chosen and app.screen.chosen.state == "exited")
        await typed(app, pilot, "W")
        await eventually(pilot, lambda: isinstance(app.screen, Ask))
        assert bool(app.screen.query("#field-pause")) is runs
        await typed(app, pilot, *"web:2", "tab", *"patched", "tab", "tab", *"'ENV MODE=fast'", "enter")
        deeds = app.session.activity
        await eventually(pilot, lambda: len(deeds) == 1 and all(one.outcome is Outcome.DONE for one in deeds))
        assert [one.command for one in deeds] == ["moby commit --message patched --change 'ENV MODE=fast' web web:2"]
        await typed(app, pilot, "2")
        await eventually(pilot, lambda: any("web:2" in row.name for row in app.session.images.model.rows()))
    image = await engine.images.inspect("web:2")
    assert image.comment == "patched" and "MODE=fast" in (image.config.env or [])
    _, content = await engine.images.archive_get("web:2", "/mark")
    assert b"patched" in b"".join([piece async for piece in content])
