"""The rooms of docs/architecture.md: who may import whom, and what a container's own processes may import at all."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "moby_tui"
DOORS = ("aiohttp.web", "textual", "typer")
#: Paid for by every container: see "What every container pays for".
OF_EVERY_CONTAINER = (
    "moby_tui.engine.events.journal",
    "moby_tui.engine.runtime.launcher.launcher",
    "moby_tui.engine.runtime.launcher.rehearsal",
    "moby_tui.engine.runtime.birth.user_namespace",
    "moby_tui.engine.store.state",
    # of some containers
    "moby_tui.engine.runtime.monitor.external_run",
    "moby_tui.engine.runtime.monitor.health",
    "moby_tui.engine.runtime.monitor.hook_stages",
    "moby_tui.engine.runtime.monitor.secrets",
)
HEAVY = {
    *("aiohttp", "backports", "h11", "isal", "msgspec", "pydantic", "pyroute2", "pyte", "rich", "textual", "typer"),
    *("asyncio", "concurrent", "email", "http", "inspect", "logging", "multiprocessing", "sqlite3", "ssl", "subprocess"),
    *("tarfile", "tempfile", "typing", "typing_extensions", "unittest", "urllib"),
}


def test_imports_run_downward_only() -> None:
    done = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _imports(source: Path) -> Iterator[str]:
    """Every module that a file imports anywhere, in functions too; ``from a import b`` counts as ``a`` and ``a.b``."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("door", DOORS)
def test_the_engine_knows_no_door(door: str) -> None:
    users = [
        str(source.relative_to(PROJECT))
        for source in (PACKAGE / "engine").rglob("*.py")
        if any(name == door or name.startswith(f"{door}.") for name in _imports(source))
    ]
    assert users == []


def test_the_engine_waits_for_its_threads() -> None:
    """A cancelled ``asyncio.to_thread`` leaves its thread running, whose descriptors are closed and whose folders are deleted meanwhile."""
    waiting = {PACKAGE / "engine" / name for name in ("tasks.py", "archive/incoming.py")}
    users = [source for source in (PACKAGE / "engine").rglob("*.py") if "asyncio.to_thread(" in source.read_text()]
    assert set(users) == waiting


def _modules_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after a statement, less those it holds anyway."""
    report = "; import json, sys; print(json.dumps(sorted(set(sys.modules) - before)))"
    program = f"import sys; before = set(sys.modules); {statement}{report}"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", OF_EVERY_CONTAINER)
def test_what_every_container_pays_for_is_light(module: str) -> None:
    loaded = _modules_after(f"import {module}")
    assert module in loaded
    assert {name for name in loaded if name.partition(".")[0] in HEAVY} == set()


@pytest.mark.parametrize("module", OF_EVERY_CONTAINER)
def test_what_every_container_pays_for_is_of_the_standard_library(module: str) -> None:
    tops = {name.partition(".")[0] for name in _modules_after(f"import {module}")}
    assert tops - sys.stdlib_module_names - {"moby_tui"} == set()
