"""What the dashboard remembers of a person's choices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.color import Color
from textual.screen import Screen
from textual.widgets import Button, Input, Static

from moby_tui.screens import preferences
from moby_tui.screens.actions.vocabulary import History, Vocabulary
from moby_tui.screens.app import Dashboard
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.confirm import Confirm, Notice
from moby_tui.screens.dialogs.form import Field
from moby_tui.screens.dialogs.help import Help
from moby_tui.screens.dialogs.key_names import key_of
from moby_tui.screens.dialogs.log_line import ShowLine
from moby_tui.screens.dialogs.picker import Chooser
from moby_tui.screens.dialogs.preview import Preview
from moby_tui.screens.dialogs.prompt import Prompt
from moby_tui.screens.dialogs.source import Source
from moby_tui.screens.dialogs.transfer import TransferView
from moby_tui.screens.files.transfer import Transfer
from moby_tui.screens.logs.store import LogLine
from moby_tui.screens.preferences import Preferences
from moby_tui.screens.theme import DARK, DARK_ANSI, LIGHT, LIGHT_ANSI
from screens.fake_client import FakeEngine, as_client


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def test_what_is_saved_is_loaded() -> None:
    assert preferences.load() == Preferences()
    chosen = Preferences(theme="nord", keymap={"app.quit": "x"})
    preferences.save(chosen)
    assert preferences.load() == chosen


def test_a_broken_file_is_told_and_kept(home: Path) -> None:
    (home / "moby").mkdir()
    (home / "moby" / "dashboard.json").write_text('{"theme": 5}')
    with pytest.raises(ValueError, match="theme"):
        preferences.load()
    assert (home / "moby" / "dashboard.json").exists()


async def test_chosen_theme_and_keys_are_used() -> None:
    dashboard = Dashboard(as_client(FakeEngine), Preferences(theme="nord", keymap={"app.quit": "x"}))
    async with dashboard.run_test() as pilot:
        assert dashboard.theme == "nord"
        await pilot.press("x")
    assert not dashboard.is_running


def brightness(color: Color) -> float:
    """The relative luminance (WCAG 2.2)."""
    parts = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in color.normalized)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def test_logs_in_sixteen_colours_can_be_read_on_our_grounds() -> None:
    for palette, theme in ((DARK_ANSI, DARK), (LIGHT_ANSI, LIGHT)):
        ground = brightness(Color.parse(str(theme.background)))
        for number in range(16):
            ink = brightness(Color(*palette.ansi_colors[number]))
            assert (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05) > 3, (theme.name, number)


def seen(dashboard: Dashboard) -> str:
    """What the dialog in front says: its texts, its buttons and what stands in its frame."""
    parts = [widget for widget in dashboard.screen.query("*") if widget.display]
    texts = [str(widget.render()) for widget in parts if isinstance(widget, (Static, Button))]
    frames = [str(widget.border_subtitle or "") for widget in parts]
    return "\n".join([*texts, *frames, *(widget.placeholder for widget in parts if isinstance(widget, Input))])


LINE = LogLine(1, 0, 1, 0, b"a line")


@pytest.mark.parametrize(
    ("identifier", "dialog"),
    [
        ("form.leave", lambda: Ask("Title", "Says.", [Field("name", "Name")], "Go")),
        ("confirm.no", lambda: Confirm("Stop it?", "It stops.", "Stop")),
        ("notice.close", lambda: Notice("No shell", "It does not run.")),
        ("preview.no", lambda: Preview("Remove 2?", "They go.", "Remove", [("a", "a"), ("b", "b")], "2")),
        ("chooser.take", lambda: Chooser("Which", lambda _: [("a", "a")])),
        ("chooser.all", lambda: Chooser("Which", lambda _: [("a", "a")])),
        ("chooser.close", lambda: Chooser("Which", lambda _: [("a", "a")])),
        ("source.turn", lambda: Source("web", {"a": 1})),
        ("source.close", lambda: Source("web", {"a": 1})),
        ("transfer.leave", lambda: TransferView("Pull", Transfer())),
        ("line.close", lambda: ShowLine(LINE, "web")),
        ("help.close", lambda: Help([], "/x")),
        ("prompt.leave", lambda: Prompt(Vocabulary([], lambda *_: []), History())),
    ],
)
async def test_a_dialog_names_the_keys_of_the_keymap(identifier: str, dialog: Callable[[], Screen[Any]]) -> None:
    dashboard = Dashboard(as_client(FakeEngine), Preferences(keymap={identifier: "f9"}))
    async with dashboard.run_test() as pilot:
        await dashboard.push_screen(dialog())
        await pilot.pause()
        assert key_of(dashboard.screen, identifier).lower() == "f9"
        assert "f9" in seen(dashboard).lower()
