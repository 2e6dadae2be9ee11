"""The dashboard's folders: models without widgets, a registry of pages that can be trusted."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from moby_tui import screens
from moby_tui.screens.app import Dashboard
from moby_tui.screens.pages.registry import PAGES

ROOT = Path(screens.__file__).parent
#: Folders whose modules have no widgets, those that there are.
MODELS = (
    "actions",
    "building",
    "files",
    "forms",
    "logs",
    "problems",
    "projects",
    "replay",
    "session",
    "terminals",
    "topology",
    "usage",
)
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
        actions = [*entry.load().actions(), *Dashboard.ACTIONS]
        own = [key for action in actions for key in action.keys.split(",") if key and not action.when]
        assert [key for key in {*own, *keys} if [*own, *keys].count(key) > 1] == [], entry.mode


def test_each_action_has_a_method_and_says_what_it_does() -> None:
    for entry in PAGES:
        page = entry.load()
        for action in page.actions():
            assert hasattr(page, f"action_{action.method}"), f"{entry.mode}: {action.id}"
            assert action.tooltip, f"{entry.mode}: {action.id}"
