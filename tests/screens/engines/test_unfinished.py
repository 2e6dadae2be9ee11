"""A dashboard that a signal ends: removals that wait are given up, said at once, and told by the next dashboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moby_tui.screens import preferences
from moby_tui.screens.app import Dashboard
from moby_tui.screens.dialogs.confirm import Confirm
from moby_tui.screens.session.activity import Outcome
from moby_tui.screens.session.unfinished import OLDEST, Unfinished, left_over
from moby_tui.screens.start import _tell_undone
from screens.fake_client import FakeEngine, as_client
from screens.typing_keys import typed


def test_what_waits_is_told_once_its_dashboard_has_ended(tmp_path: Path) -> None:
    ours, other = Unfinished(tmp_path / "removals"), Unfinished(tmp_path / "removals")
    ours.note({}, 1.0)
    assert not (tmp_path / "removals").exists()
    ours.note({"1" * 64: "web"}, 1.0)
    other.note({"2" * 64: "database"}, 2.0)
    assert list(left_over(tmp_path / "removals", 3.0)) == [], "both run"
    ours.note({"1" * 64: "web", "3" * 64: "cache"}, 4.0)
    ours.close()
    ((path, waiting),) = left_over(tmp_path / "removals", 5.0)
    assert waiting.containers == {"1" * 64: "web", "3" * 64: "cache"} and waiting.written == 4.0
    other.note({}, 6.0)
    assert list((tmp_path / "removals").iterdir()) == [path]
    (tmp_path / "removals" / "damaged").write_text("{")
    (tmp_path / "removals" / "link").symlink_to("/dev/zero")
    assert list(left_over(tmp_path / "removals", 5.0 + OLDEST)) == [] and not path.exists()
    (tmp_path / "file").write_text("")
    Unfinished(tmp_path / "file").note({"1": "x"}, 1.0)  # no folder: nothing is remembered, nothing fails


async def test_a_removal_that_waits_is_given_up_and_told(
    eventually: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preferences, "removals_folder", lambda: tmp_path / "removals")
    monkeypatch.setattr(preferences, "preferences_path", lambda: tmp_path / "dashboard.json")
    engine = FakeEngine()
    app = Dashboard(as_client(lambda: engine), keeps=True)
    async with app.run_test() as pilot:
        await eventually(pilot, lambda: app.screen.query("#containers") and app.page.targets())
        await typed(app, pilot, "d")
        await eventually(pilot, lambda: isinstance(app.screen, Confirm))
        await typed(app, pilot, "y")
        await eventually(pilot, lambda: app.session.removals)
        app.exit(return_code=143)  # as the driver does at a signal
        await eventually(pilot, lambda: app._exit)
    assert app.session.waiting_names == ["database"]
    _tell_undone(app.session.waiting_names)
    assert "not removed, since a signal came before their minute was over: database" in capsys.readouterr().err
    assert [name for name, *_ in engine.calls] == ["kill"]

    told: list[str] = []
    following = Dashboard(as_client(lambda: engine), keeps=True)
    monkeypatch.setattr(following, "notify", lambda message, **_: told.append(message))
    async with following.run_test() as pilot:
        await eventually(pilot, lambda: told)
        (deed,) = following.session.activity
        assert (deed.command, deed.outcome) == ("moby rm --force database", Outcome.TAKEN_BACK)
    assert told == ["database: kept, since the dashboard ended before their minute was over; d removes them"]
    assert list((tmp_path / "removals").iterdir()) == []
