"""What the dashboard remembers of a person's choices."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color

from moby_tui.screens import preferences
from moby_tui.screens.app import Dashboard
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
