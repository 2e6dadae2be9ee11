"""docs/dashboard.md says what is true: the tests that it names exist, and its tables are those of the declarations."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pyte

from moby_tui.screens.pages.keys import key_table
from moby_tui.screens.pages.registry import PAGES

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "dashboard.md"


def between(name: str) -> str:
    return PAGE.read_text().partition(f"<!-- {name} -->\n")[2].partition(f"<!-- end of {name} -->")[0]


def test_each_yes_of_ours_names_a_test_that_exists() -> None:
    table = [line for line in PAGE.read_text().partition("## Beside others")[2].splitlines() if "| yes: `" in line]
    assert len(table) > 20
    for line in table:
        module, _, name = line.split("|")[2].strip().removeprefix("yes: `").removesuffix("`").partition("::")
        tree = ast.parse((HERE / f"{module}.py").read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}, line


def test_the_tables_of_pages_and_keys_are_those_of_the_declarations() -> None:
    """``packaging/make-dashboard-keys`` writes them."""
    known = set(key_table().splitlines())
    assert [line for line in between("keys").splitlines() if line not in known] == [], "run packaging/make-dashboard-keys"
    for page in PAGES:
        assert f"| `{page.key}` | {page.title} | {page.about} |" in between("pages"), "run packaging/make-dashboard-keys"


def test_pictures_exist() -> None:
    pictures = re.findall(r"!\[[^]]*\]\(<([^>]*)>\)", PAGE.read_text())
    assert pictures and all((PAGE.parent / path).is_file() for path in pictures)


def test_the_tour_plays() -> None:
    """``packaging/make-tour`` records it, in asciinema's format (version 2)."""
    header, *events = map(json.loads, (PAGE.parent / "tour.cast").read_text().splitlines())
    assert header["version"] == 2
    screen = pyte.Screen(header["width"], header["height"])
    player = pyte.Stream(screen)
    seen, last = set(), 0.0
    for moment, kind, data in events:
        assert kind == "o" and last <= moment < last + 1.1
        last = moment
        player.feed(data)
        seen |= {
            word for word in ("STATE", "Topology", "checkpoint", "exit code 3") if any(word in line for line in screen.display)
        }
    assert seen == {"STATE", "Topology", "checkpoint", "exit code 3"}
