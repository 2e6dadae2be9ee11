"""docs/security.md says which function answers which attack."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
FOLDERS = [PROJECT / "moby_tui" / folder for folder in ("engine/runtime", "engine", ".")]
NAMED = re.findall(r"`([a-z_/]+\.py): ([a-z_, ]+)`", (PROJECT / "docs/security.md").read_text())


@pytest.mark.parametrize(("file", "names"), NAMED)
def test_what_it_names_is_there(file: str, names: str) -> None:
    source = next(folder / file for folder in FOLDERS if (folder / file).exists())
    defined = {
        node.name for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert set(names.split(", ")) <= defined
