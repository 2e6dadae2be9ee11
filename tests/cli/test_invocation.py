"""What is decided before anything is imported, and what is imported at all."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.cli.table.root import split, starts_containers_here


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("run alpine", ("run", False)),
        ("-D run alpine", ("run", False)),
        ("--data-root /x --exec-root=/y run -H z", ("run", False)),
        ("container run x", ("run", False)),
        ("-H unix:///x ps", ("ps", True)),
        ("-Hunix:///x ps", ("ps", True)),
        ("--host=unix:///x -D daemon", ("daemon", True)),
        ("--version", ("", False)),
        ("", ("", False)),
        ("-H", ("", True)),
    ],
)
def test_command_is_found(line: str, expected: tuple[str, bool]) -> None:
    assert split(line.split()) == expected


@pytest.mark.parametrize(
    ("line", "environment", "here"),
    [
        ("run alpine", {}, True),
        ("image build .", {}, True),
        ("run alpine", {"MOBY_HOST": "unix:///x"}, False),
        ("-H unix:///x run alpine", {}, False),
        ("-H unix:///x daemon", {}, True),
        ("ps", {}, False),
        ("exec run sh", {}, False),
    ],
)
def test_launcher_is_made_where_containers_start(line: str, environment: dict[str, str], here: bool) -> None:
    assert starts_containers_here(line.split(), environment) is here


@given(st.lists(st.text(max_size=6), max_size=5))
def test_any_line_is_split(argv: list[str]) -> None:
    split(argv)


def imported(*arguments: str) -> set[str]:
    """The modules that one command line imports."""
    code = (
        "import os, sys; os._exit = sys.exit; sys.argv = ['moby', *sys.argv[1:]]\n"
        "from moby_tui.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('MODULES', *sys.modules)"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MOBY_")}
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, env=environment)
    modules = set(done.stdout.rpartition("MODULES ")[2].split())
    assert "moby_tui" in modules
    return modules


HEAVY = {"textual", "rich", "aiohttp", "pyroute2", "pydantic", "asyncio", "msgspec", "sqlite3", "ssl"}


@pytest.mark.parametrize(
    "arguments", [("version",), ("--version",), ("volume", "ls", "--help"), ("completion", "bash"), ("ps", "--help")]
)
def test_nothing_heavy_is_imported_for_nothing(arguments: tuple[str, ...]) -> None:
    modules = imported(*arguments)
    assert not modules & HEAVY
    assert not {name for name in modules if name.startswith("moby_tui.engine")}


def test_only_the_command_called_is_imported() -> None:
    """None for its help, which the table has."""
    assert not {name for name in imported("ps", "--help") if name.startswith("moby_tui.cli.commands.")}
    commands = {name for name in imported("version") if name.startswith("moby_tui.cli.commands.")}
    assert commands == {"moby_tui.cli.commands.system", "moby_tui.cli.commands.system.version"}


def test_debug_shows_where_a_refusal_of_the_system_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no failure to write to standard output, and is not told as one."""
    from moby_tui.cli import app, session

    def refused() -> int:
        raise PermissionError(13, "Permission denied", "/somewhere")

    monkeypatch.setattr(app, "_command", lambda argv: refused)
    before = session.current()
    session.use(session.Session(debug=True))
    try:
        with pytest.raises(PermissionError):
            app.run(["ps"])
    finally:
        session.use(before)
