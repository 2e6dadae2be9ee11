"""The dashboard's folders: models without widgets, a registry of pages that can be trusted."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from moby_tui import screens
from moby_tui.screens.actions.application import APPLICATION
from moby_tui.screens.actions.user_commands import UserCommand
from moby_tui.screens.app import Dashboard
from moby_tui.screens.pages.keys import check_commands, check_keymap, key_table
from moby_tui.screens.pages.registry import PAGES

ROOT = Path(screens.__file__).parent
#: Folders whose modules have no widgets, those that there are.
MODELS = (
    "actions",
    "building",
    "files",
    "forms",
    "logs",
    "onboarding",
    "problems",
    "projects",
    "replay",
    "session",
    "terminals",
    "topology",
    "upkeep",
    "usage",
)
#: Keys that a page takes from the application, whose action has another there.
TAKEN = {"shells": {"left_square_bracket"}, "logs": {"left_square_bracket", "right_square_bracket"}}
WIDGETS = ("textual.widget", "textual.screen", "textual.containers", "textual.scroll_view")


@pytest.mark.parametrize("folder", [folder for folder in MODELS if (ROOT / folder).is_dir()])
def test_models_have_no_widgets(folder: str) -> None:
    wrong = [
        f"{file.name} imports {node.module}"
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(WIDGETS)
    ]
    assert wrong == []


def test_the_registry_names_each_page_by_its_mode_and_no_key_or_id_twice() -> None:
    assert [entry.load().mode for entry in PAGES] == [entry.mode for entry in PAGES]
    keys = [key for entry in PAGES for key in entry.key.split(",") if key]
    assert len(keys) == len(set(keys))
    for entry in PAGES:
        actions = [*entry.load().actions(), *APPLICATION]
        own = [key for action in actions for key in action.keys.split(",") if key and not action.when]
        twice = {key for key in {*own, *keys} if [*own, *keys].count(key) > 1}
        assert twice - TAKEN.get(entry.mode, set()) == set(), entry.mode


def test_a_keymap_is_checked_and_the_table_of_keys_has_every_action() -> None:
    assert check_keymap({"container.stop": "ctrl+t", "page.images": "f2", "confirm.yes": "f3", "form.leave": "f4"}) == []
    unknown, clash = check_keymap({"container.halt": "x", "container.shell": "d"})
    assert "container.halt" in unknown and "container.remove and container.shell" in clash
    own = [UserCommand("a", "true", key="d"), UserCommand("b", "true", page="nowhere"), UserCommand("c", "true", key="f8")]
    taken, nowhere = check_commands(own, {})
    assert "container.remove" in taken and "page nowhere" in nowhere
    table = key_table()
    for entry in PAGES:
        assert all(action.id in table for action in entry.load().actions()), entry.mode
    assert "| `ctrl+p` | app.commands |" in table and "| `y` | confirm.yes |" in table and "form.leave" in table


def test_each_action_has_a_method_and_says_what_it_does() -> None:
    for entry in PAGES:
        page = entry.load()
        for action in page.actions():
            assert hasattr(page, f"action_{action.method}"), f"{entry.mode}: {action.id}"
            assert action.tooltip, f"{entry.mode}: {action.id}"
    for action in APPLICATION:
        assert hasattr(Dashboard, f"action_{action.method}"), action.id
