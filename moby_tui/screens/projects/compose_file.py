"""Reads the services of a compose file (compose-spec, 05-services.md). The file is anybody's: its size, merges and depth are bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

#: Bytes of one file, and pairs that its merges (``<<:``) may make.
MOST_BYTES, MOST_PAIRS = 256 << 10, 10_000
#: Where reading a file may wait for ever: an image's labels may name any path.
_KERNEL = (("proc",), ("sys",), ("dev",))
_VARIABLE = r"\$(?:\$|(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?P<default>:?[-+])?)"
#: Mappings and lists within each other.
DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """A service as the file has it. ``image`` is empty if it is built, or depends on a variable. ``replicas`` None: not said."""

    name: str
    image: str = ""
    replicas: int | None = None
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """All files together. ``complete`` is false if they include others: then what is missing here may stand there."""

    services: dict[str, Wanted]
    complete: bool = True
    changed_at: float = 0.0
    #: Variables of which the files say no value for when they are not set.
    variables: frozenset[str] = frozenset()


def read(paths: Sequence[str]) -> Wish:
    """Later files override earlier ones. Blocks. Raises ``OSError``, and ``ValueError`` on a file that is not what it should be."""
    services: dict[str, dict[str, Any]] = {}
    complete, changed_at, variables = True, 0.0, set()
    for path in paths:
        document = _load(Path(path))
        variables |= set(_variables(document))
        complete = complete and "include" not in document
        changed_at = max(changed_at, Path(path).stat().st_mtime)
        for name, service in _mapping(document.get("services")).items():
            fields = _mapping(service)
            complete = complete and "extends" not in fields
            services.setdefault(str(name), {}).update(fields)
    return Wish({name: _wanted(name, fields) for name, fields in services.items()}, complete, changed_at, frozenset(variables))


def unset(wish: Wish, folder: str, environment: Mapping[str, str]) -> list[str]:
    """The variables of the files that nothing sets: neither the environment nor ``.env`` in the project's folder. Blocks."""
    missing = wish.variables - environment.keys()
    if not missing:
        return []
    try:
        with Path(folder, ".env").open(encoding="utf-8", errors="replace") as file:
            content = file.read(MOST_BYTES)
    except OSError:
        content = ""
    lines = (line.strip().removeprefix("export ").partition("=") for line in content.splitlines())
    return sorted(missing - {key.strip() for key, equals, _ in lines if equals})


def _variables(value: object) -> Iterator[str]:
    """``$NAME``, ``${NAME}`` and ``${NAME:?…}`` in texts; those with a default are not needed, ``$$`` is a dollar."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _variables(key)
            yield from _variables(one)
    elif isinstance(value, list):
        for one in value:
            yield from _variables(one)
    elif isinstance(value, str):
        for match in re.finditer(_VARIABLE, value):
            if (name := match["plain"] or match["braced"]) and not match["default"]:
                yield name


def _load(path: Path) -> dict[Any, Any]:
    path = path.resolve()
    if not path.is_file() or path.parts[1:2] in _KERNEL:
        raise FileNotFoundError(2, "is not there, or no file", str(path))
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"{path}: larger than {MOST_BYTES >> 10} KiB")
    import yaml

    try:
        return _mapping(yaml.load(data, Loader=_loader()))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from error


def _loader() -> type[yaml.SafeLoader]:
    import yaml

    class Bounded(yaml.SafeLoader):  # type: ignore[misc]
        """Merges of merges grow exponentially, and depth costs stack: both are bounded."""

        pairs = 0
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.depth += 1
            if self.depth > DEEPEST:
                raise yaml.YAMLError("nested too deeply")
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

        def flatten_mapping(self, node: Any) -> None:
            super().flatten_mapping(node)
            self.pairs += len(node.value)
            if self.pairs > MOST_PAIRS:
                raise yaml.YAMLError("its merges make too much of it")

    return Bounded


def _mapping(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _wanted(name: str, fields: dict[str, Any]) -> Wanted:
    image = fields.get("image")
    scale = _mapping(fields.get("deploy")).get("replicas", fields.get("scale"))
    return Wanted(
        name=name,
        image=image if isinstance(image, str) and "$" not in image else "",
        replicas=scale if isinstance(scale, int) and not isinstance(scale, bool) else None,
        is_optional=bool(fields.get("profiles")),
    )
