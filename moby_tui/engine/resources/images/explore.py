"""What each layer of an image adds, changes and deletes, and which of its bytes upper layers hide (wasted space).

All layers are walked at once, directory by directory, so that what is held in memory is one directory of each and not the image.
"""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from moby_tui.engine.kernel.trees import closing, open_below
from moby_tui.engine.resources.images.store.form import is_opaque
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.schema.exploration import ADDED, CHANGED, DELETED, ExploredLayer, FileChange, ImageExploration, WastedFile

#: How many of the most wasteful paths the answer lists.
_MOST_WASTED = 100
_DIRECTORY, _WHITEOUT = -1, -2


@dataclass(frozen=True)
class _Directory:
    """A directory: ``layers`` are those that have it, ``cleared`` those that hide the entries of lower layers."""

    path: bytes
    layers: list[int]
    cleared: frozenset[int]


@dataclass
class _Path:
    """The layers that change a path that is no directory, lowest first: each with the size it gives the file, or None for a deletion."""

    path: bytes
    events: list[tuple[int, int | None]] = field(default_factory=list)


def explore(record: ImageRecord, diffs: list[Path]) -> ImageExploration:
    """``diffs`` are the unpacked layers, the lowest first. Blocking."""
    commands = [entry.created_by for entry in record.config.history if not entry.empty_layer]
    exploration = ImageExploration(id=record.id)
    for index, diff_id in enumerate(record.config.rootfs.diff_ids):
        command = commands[index] if index < len(commands) else ""
        exploration.layers.append(ExploredLayer(index=index, diff_id=diff_id, created_by=command))
    smallest = copies = 0
    largest: list[tuple[int, bytes, int]] = []
    for path in _paths(diffs):
        sizes, hidden = _account(path, exploration)
        smallest += min(sizes, default=0)
        copies += sum(sizes)
        if hidden:
            heapq.heappush(largest, (sum(hidden), path.path, len(hidden)))
            if len(largest) > _MOST_WASTED:
                heapq.heappop(largest)
    exploration.size = sum(layer.size for layer in exploration.layers)
    exploration.wasted = sum(layer.wasted for layer in exploration.layers)
    exploration.efficiency = smallest / copies if copies else 1.0
    exploration.wasted_files = [
        WastedFile(path=_text(name), copies=count, size=size) for size, name, count in sorted(largest, reverse=True)
    ]
    return exploration


def changes(diffs: list[Path], layer: int | None) -> Iterator[FileChange]:
    """Yields the paths that one layer, or each layer, adds, changes or deletes. Blocking."""
    for path in _paths(diffs):
        before: int | None = None
        for index, size in path.events:
            kind = DELETED if size is None else ADDED if before is None else CHANGED
            if layer is None or layer == index:
                yield FileChange(layer=index, kind=kind, path=_text(path.path), size=(before or 0) if size is None else size)
            before = size


def _account(path: _Path, found: ImageExploration) -> tuple[list[int], list[int]]:
    """Adds a path to the sums of its layers. Returns the sizes of all its copies (a deletion counts as another), and of the hidden ones."""
    sizes: list[int] = []
    hidden: list[int] = []
    before: tuple[int, int] | None = None
    for index, size in path.events:
        layer = found.layers[index]
        if before is not None:
            hidden.append(before[1])
            found.layers[before[0]].wasted += before[1]
        if size is None:
            assert before
            sizes.append(before[1])
            layer.deleted += 1
            before = None
            continue
        sizes.append(size)
        layer.size += size
        if before is None:
            layer.added += 1
        else:
            layer.changed += 1
        before = (index, size)
    found.files += before is not None
    return sizes, hidden


def _paths(diffs: list[Path]) -> Iterator[_Path]:
    with ExitStack() as stack:
        roots = [stack.enter_context(closing(os.open(diff, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW))) for diff in diffs]
        linked: list[set[int]] = [set() for _ in diffs]
        pending = [_Directory(b".", list(range(len(diffs))), frozenset())]
        while pending:
            directory = pending.pop()
            entries, cleared = _read(directory, roots, linked)
            below = []
            for name in sorted(entries):
                path = name if directory.path == b"." else directory.path + b"/" + name
                events = _events(entries[name], cleared)
                if events:
                    yield _Path(path, events)
                layers = [layer for layer, what in entries[name].items() if what == _DIRECTORY]
                if layers:
                    others = {layer for layer, what in entries[name].items() if what != _DIRECTORY}
                    below.append(_Directory(path, layers, cleared | others))
            pending += reversed(below)


def _read(directory: _Directory, roots: list[int], linked: list[set[int]]) -> tuple[dict[bytes, dict[int, int]], frozenset[int]]:
    """Reads one directory in all layers: for each name the entry of each layer, and the layers that hide the entries of lower ones."""
    entries: dict[bytes, dict[int, int]] = {}
    cleared = set(directory.cleared)
    for layer in directory.layers:
        with suppress(OSError), closing(open_below(roots[layer], directory.path)) as fd:
            if is_opaque(fd):
                cleared.add(layer)
            with os.scandir(fd) as listing:
                for entry in listing:
                    what = _what(entry.stat(follow_symlinks=False), linked[layer])
                    entries.setdefault(os.fsencode(entry.name), {})[layer] = what
    return entries, frozenset(cleared)


def _what(status: os.stat_result, linked: set[int]) -> int:
    if stat.S_ISDIR(status.st_mode):
        return _DIRECTORY
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        return _WHITEOUT
    if status.st_nlink > 1:
        # the bytes of a file with several hard links count once, for the first name
        if status.st_ino in linked:
            return 0
        linked.add(status.st_ino)
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _events(entries: dict[int, int], cleared: frozenset[int]) -> list[tuple[int, int | None]]:
    events: list[tuple[int, int | None]] = []
    alive = False
    for layer in sorted({*entries, *cleared}):
        what = entries.get(layer, _WHITEOUT)
        if what >= 0:
            events.append((layer, what))
            alive = True
        elif alive:
            events.append((layer, None))
            alive = False
    return events


def _text(path: bytes) -> str:
    """A name as text. Bytes that are no UTF-8 are escaped, since names come from the image."""
    return path.decode("utf-8", "backslashreplace")
