"""No two modules need each other when the program runs: imports form no circle, those inside of functions among them.

What stands under ``if TYPE_CHECKING`` is for the type checker and never runs. That a module imports the packages that it lies in is no
import of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "moby_tui"


def _modules(package: Path) -> dict[str, Path]:
    """The files by the names that they are imported by."""
    found = {}
    for source in package.rglob("*.py"):
        parts = source.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = source
    return found


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """All that is below a node and can run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            for otherwise in child.orelse:
                yield otherwise
                yield from _running(otherwise)
            continue
        yield child
        yield from _running(child)


def _imported(source: Path) -> Iterator[str]:
    """The names of what a file imports; of ``from a import b`` both ``a`` and ``a.b``, the longer first."""
    for node in _running(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{source}: an import that is relative"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def imports(package: Path) -> dict[str, set[str]]:
    """For each module of a package those of the package that it imports."""
    modules = _modules(package)
    return {
        module: {name if name in modules else name.rpartition(".")[0] for name in _imported(source)} & modules.keys() - {module}
        for module, source in modules.items()
    }


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Of every knot of modules that reach each other, one shortest circle, from its first module back to it."""
    left = {module: set(needed) for module, needed in graph.items()}
    # what needs nothing that is left is in no circle
    while free := [module for module, needed in left.items() if not needed & left.keys()]:
        for module in free:
            del left[module]
    found: list[list[str]] = []
    for module in sorted(left):
        if not any(module in circle for circle in found) and (way := _way_back(left, module)):
            found.append(way)
    return found


def _way_back(graph: dict[str, set[str]], module: str) -> list[str]:
    """A shortest way from a module to itself; empty where there is none."""
    ways, seen = [[module]], set()
    while ways:
        way = ways.pop(0)
        for needed in sorted(graph.get(way[-1], ())):
            if needed == module:
                return [*way, module]
            if needed in graph and needed not in seen:
                seen.add(needed)
                ways.append([*way, needed])
    return []


def test_no_imports_go_in_a_circle() -> None:
    assert [" -> ".join(circle) for circle in circles(imports(PACKAGE))] == []


def test_a_circle_is_found_in_functions_too_and_not_where_only_types_are_checked(tmp_path: Path) -> None:
    sources = {
        "__init__": "",
        "one": "def call():\n    from p.inner import two\n",
        "inner/__init__": "from p.inner.two import x\n",
        "inner/two": "import p.three\nx = 1\n",
        "three": "from p.one import call\n",
        "four": "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from p import five\n",
        "five": "from p import four, one\n",
    }
    for name, text in sources.items():
        file = tmp_path / "p" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert circles(imports(tmp_path / "p")) == [["p.inner.two", "p.three", "p.one", "p.inner.two"]]
