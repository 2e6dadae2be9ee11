"""docs/architecture.md is true: its drawing of rooms, its table, its time line, and what it says of each folder."""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "moby_tui"
PAGE = PROJECT / "docs" / "architecture.md"
#: What the table's last column leaves out.
GROUND_FLOOR = {
    "expressions.py",
    "detach_keys.py",
    "stop_signal.py",
    "running.py",
    "docker_folder.py",
    "logins.py",
    "patterns.py",
    "reference.py",
    "schema/",
    "engine_options.py",
    "version.py",
    "errors.py",
    "deferral.py",
}
#: The package itself and its program hold the doors together, and are no rooms.
NO_ROOMS = {
    "moby_tui",
    "moby_tui.__main__",
    "moby_tui.api",
    "moby_tui.engine",
    "moby_tui.engine.resources",
    "moby_tui.engine.runtime",
}
MOST_MODULES = 20
#: Each container pays for these folders and modules: see "What every container pays for".
LIGHT_FOLDERS = ("kernel", "protocol", "plugins", "runtime/plan", "runtime/birth", "runtime/launcher", "runtime/monitor")
LIGHT_MODULES = ("store/state.py", "events/journal.py")
LIGHT_LIBRARY = {
    *(
        "__future__",
        "_thread",
        "collections",
        "contextlib",
        "ctypes",
        "errno",
        "fcntl",
        "functools",
        "gc",
        "hashlib",
        "ipaddress",
    ),
    *("json", "math", "os", "platform", "random", "resource", "select", "signal", "socket", "stat", "struct", "sys", "time"),
    # imported on first use, by few containers
    *("ssl", "threading", "traceback", "zlib"),
}
#: Modules of these folders that only an engine imports.
OF_THE_ENGINE = {
    "kernel/inotify.py",
    *(f"kernel/network/{name}.py" for name in ("listening", "netns", "nftables", "rtnetlink", "ruleset")),
}


def _section(heading: str) -> str:
    """The text of the page below a heading, up to the next one."""
    return PAGE.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


@cache
def _table() -> dict[str, list[str]]:
    """Each room, as a path below the package (a folder's ends with a slash), with the rooms that the table says it imports."""
    rows = re.findall(r"^\| `([\w/.]+)` \|[^|]*\|[^|]*\|([^|]*)\|$", _section("Rooms"), re.MULTILINE)
    return {room: [name.strip() for name in imports.split(",") if name.strip()] for room, imports in rows}


def _called(name: str) -> str:
    """The one room of the table that a short name means: the end of its path."""
    meant = [room for room in _table() if f"/{room.rstrip('/')}".endswith(f"/{name.rstrip('/')}")]
    exact = [room for room in meant if room.rstrip("/") == name.rstrip("/")]
    assert len(exact or meant) == 1, f"{name!r} means {meant or 'no room'}"
    return (exact or meant)[0]


def _floors() -> dict[str, int]:
    """The line of the drawing on which each room stands."""
    drawing = _section("Rooms").split("```")[1]
    found: dict[str, int] = {}
    for number, line in enumerate(drawing.splitlines()):
        for name in re.findall(r"[a-z_/]+(?:/|\.py)(?=\s|$)", line):
            room = _called(name)
            assert room not in found, f"{room} is drawn twice"
            found[room] = number
    return found


@cache
def _imports_of_rooms() -> dict[str, dict[str, str]]:
    """For each room the rooms that it imports, each with one import that shows it."""
    graph = grimp.build_graph("moby_tui", cache_dir=None)
    modules = {f"moby_tui.{room.rstrip('/').removesuffix('.py').replace('/', '.')}": room for room in _table()}

    def room_of(module: str) -> str:
        while module not in modules:
            module, dot, _ = module.rpartition(".")
            if not dot:
                return ""
        return modules[module]

    assert {module for module in graph.modules if not room_of(module)} <= NO_ROOMS
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for module in graph.modules - NO_ROOMS:
        for imported in graph.find_modules_directly_imported_by(module) - NO_ROOMS:
            if room_of(module) != room_of(imported):
                found[room_of(module)][room_of(imported)] = f"{module} imports {imported}"
    return found


def test_the_drawing_shows_every_room_and_every_import_goes_down() -> None:
    floors = _floors()
    assert set(floors) == set(_table())
    upward = [
        example
        for room, imports in _imports_of_rooms().items()
        for imported, example in imports.items()
        if floors[imported] <= floors[room]
    ]
    assert upward == []


def test_the_table_says_what_each_room_imports() -> None:
    wrong = {}
    for room, told in _table().items():
        real = {} if room in GROUND_FLOOR else {k: v for k, v in _imports_of_rooms()[room].items() if k not in GROUND_FLOOR}
        said = {_called(name) for name in told}
        if said != set(real):
            wrong[room] = {"missing": [real[name] for name in set(real) - said], "untrue": sorted(said - set(real))}
    assert wrong == {}


def _defined(source: Path) -> set[str]:
    """The functions and methods of a file: ``name``, and ``Class.name`` too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return names


def test_the_time_line_names_functions_that_are_there() -> None:
    steps = [line for line in _section("What happens in `moby run`").splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(steps) > 10
    for number, step in enumerate(steps, 1):
        _, place, _, where, _, _ = step.split("|")
        assert int(place) == number
        for part in where.split(";"):
            path, *functions = re.findall(r"`([^`]+)`", part)
            assert functions and set(functions) <= _defined(PACKAGE / path), part


@pytest.mark.parametrize(
    "page", [PAGE, *sorted((PROJECT / "docs" / "rooms").glob("*.md")), PROJECT / "CONTRIBUTING.md"], ids=lambda page: page.name
)
def test_the_files_that_the_pages_name_are_there(page: Path) -> None:
    """A path may be shortened at its front: ``plan/gate.py``."""
    there = [
        f"/{path.relative_to(PROJECT)}"
        for folder in ("moby_tui", "tests", "docs", "bench")
        for path in (PROJECT / folder).rglob("*")
    ]
    named = re.findall(r"`((?:[\w.]+/)*\w+\.py|(?:\w+/)+)`", page.read_text())
    assert [name for name in named if not any(path.endswith(f"/{name.rstrip('/')}") for path in there)] == []


def _packages() -> Iterator[Path]:
    return (file.parent for file in sorted(PACKAGE.rglob("__init__.py")))


def test_each_package_says_what_it_offers() -> None:
    def says(package: Path) -> str:
        return ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""

    assert [str(package.relative_to(PROJECT)) for package in _packages() if "." not in says(package)] == []


def _folders() -> set[Path]:
    """Each folder with modules: of the package, and of the tests and the measurements."""
    return {file.parent for top in ("moby_tui", "tests", "bench") for file in (PROJECT / top).rglob("*.py")}


def test_no_folder_has_more_than_twenty_modules() -> None:
    counts = {folder: sum(file.name != "__init__.py" for file in folder.glob("*.py")) for folder in _folders()}
    assert {str(folder.relative_to(PROJECT)): count for folder, count in counts.items() if count > MOST_MODULES} == {}


def test_the_folders_of_the_tests_are_packages() -> None:
    """So two of them may have modules of the same name. A package ``packaging`` would hide the library of that name."""
    tests = {folder for folder in _folders() if (PROJECT / "tests") in folder.parents}
    assert {folder.name for folder in tests if not (folder / "__init__.py").exists()} == {"packaging"}


def _light_files() -> list[str]:
    engine = PACKAGE / "engine"
    folders = [str(file.relative_to(engine)) for folder in LIGHT_FOLDERS for file in (engine / folder).rglob("*.py")]
    return [*folders, *LIGHT_MODULES]


def _imports_at_run_time(body: list[ast.stmt]) -> Iterator[str]:
    """The modules that a file may import when it runs, at once or on first use: not what it names for type checkers alone."""
    for node in body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield from _imports_at_run_time(node.orelse)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            # ``from folder import module``
            yield from (f"{node.module}.{alias.name}" for alias in node.names if str(node.module).startswith("moby_tui"))
        else:
            yield from _imports_at_run_time([part for part in ast.iter_child_nodes(node) if isinstance(part, ast.stmt)])
            for handler in getattr(node, "handlers", []):
                yield from _imports_at_run_time(handler.body)


def test_the_light_folders_import_the_light_part_of_the_standard_library_and_each_other() -> None:
    """So none of their modules is heavy, whichever of them a process imports."""
    light = _light_files()
    modules = {f"moby_tui.engine.{name.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}" for name in light}
    # the one that monitors share with the command line
    light.append("../detach_keys.py")
    modules.add("moby_tui.detach_keys")
    heavy: list[str] = []
    for name in light:
        if name in OF_THE_ENGINE:
            continue
        for imported in _imports_at_run_time(ast.parse((PACKAGE / "engine" / name).read_text()).body):
            if imported.startswith("moby_tui."):
                # the module itself, or a name in one
                if imported not in modules and imported.rpartition(".")[0] not in modules:
                    folder = (PACKAGE.parent / imported.replace(".", "/")).is_dir()
                    heavy += [] if folder else [f"{name} imports {imported}"]
            elif imported.partition(".")[0] not in LIGHT_LIBRARY:
                heavy.append(f"{name} imports {imported}")
    assert heavy == []
    assert sys.stdlib_module_names >= LIGHT_LIBRARY
