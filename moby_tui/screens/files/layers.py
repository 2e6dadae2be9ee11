"""An image's layers: the instruction that made each, and what it added, changed, deleted and wasted."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from moby_tui.schema.exploration import ADDED as LAYER_ADDED
from moby_tui.schema.exploration import DELETED as LAYER_DELETED
from moby_tui.schema.exploration import ExploredLayer, FileChange, ImageExploration
from moby_tui.schema.image import ImageHistory
from moby_tui.screens import text
from moby_tui.screens.files.entry import ADDED, CHANGED, DELETED, Entry, shown
from moby_tui.screens.files.tree import FileTree

#: Changes of an image that are kept; what is beyond is left out of the trees.
MOST_CHANGES = 400_000
#: What Docker's builders put around an instruction.
_SHELL = re.compile(r"^(?:RUN )?(?:\|\d+ .*? )?/bin/(?:ba)?sh(?: -\w+)* -c (?:#\(nop\)\s*)?")


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of an image's history, oldest first. ``layer`` is None if it made none; the counts are None if nobody has told them."""

    instruction: str
    size: int
    created: int
    layer: int | None = None
    added: int | None = None
    changed: int | None = None
    deleted: int | None = None
    wasted: int | None = None


def instruction(created_by: str) -> str:
    """What made a layer, as a Dockerfile has it: without the shell around it, on one line."""
    plain = text.clean(" ".join(created_by.split())).removesuffix(" # buildkit")
    nop = "#(nop)" in plain
    stripped = _SHELL.sub("", plain, count=1)
    if stripped != plain and not nop:
        return f"RUN {stripped}"
    return stripped or "(not told)"


def steps(history: Sequence[ImageHistory], found: ImageExploration | None) -> list[Step]:
    """The history, oldest first, with what is known of each layer. ``history`` is newest first, as the API has it."""
    layers = list(found.layers) if found else []
    oldest_first = list(reversed(history))
    made = _makers(oldest_first, layers)
    commands = []
    for place, entry in enumerate(oldest_first):
        layer = made.get(place)
        if layer is None:
            commands.append(Step(instruction(entry.created_by), entry.size, entry.created))
        else:
            commands.append(_with(Step(instruction(entry.created_by), layer.size, entry.created, layer.index), layer))
    # layers of which the history does not tell
    placed = {layer.index for layer in made.values()}
    rest = [layer for layer in layers if layer.index not in placed]
    return commands + [_with(Step(instruction(layer.created_by), layer.size, 0, layer.index), layer) for layer in rest]


def _makers(history: Sequence[ImageHistory], layers: Sequence[ExploredLayer]) -> dict[int, ExploredLayer]:
    """The layer that each entry of the history made, in order: an entry made the next layer if that was made by the same instruction."""
    made: dict[int, ExploredLayer] = {}
    coming = iter(layers)
    layer = next(coming, None)
    for place, entry in enumerate(history):
        if layer is not None and layer.created_by == entry.created_by:
            made[place] = layer
            layer = next(coming, None)
    return made


def _with(step: Step, layer: ExploredLayer) -> Step:
    return Step(step.instruction, layer.size, step.created, layer.index, layer.added, layer.changed, layer.deleted, layer.wasted)


class Changes:
    """What each layer of an image does to which path; ``take`` them as they come, then ask for trees."""

    def __init__(self) -> None:
        self._of: dict[int, list[FileChange]] = {}
        self._count = 0

    @property
    def cut(self) -> bool:
        """True if there were more than are kept."""
        return self._count >= MOST_CHANGES

    def take(self, change: FileChange) -> bool:
        """Keeps a change; false once there are enough."""
        self._of.setdefault(change.layer, []).append(change)
        self._count += 1
        return not self.cut

    def tree(self, layer: int, *, whole: bool = False) -> FileTree:
        """The paths that a layer changes; with ``whole`` all that can be seen once it is there, of which its own are marked."""
        files = self._whole(layer) if whole else {change.path: _entry(change) for change in self._of.get(layer, ())}
        return _tree(files.values())

    def _whole(self, layer: int) -> dict[str, Entry]:
        files: dict[str, Entry] = {}
        for below in range(layer):
            for change in self._of.get(below, ()):
                if change.kind == LAYER_DELETED:
                    files.pop(change.path, None)
                else:
                    files[change.path] = _entry(change, marked=False)
        files.update((change.path, _entry(change)) for change in self._of.get(layer, ()))
        return files


def _entry(change: FileChange, *, marked: bool = True) -> Entry:
    mark = DELETED if change.kind == LAYER_DELETED else ADDED if change.kind == LAYER_ADDED else CHANGED
    path = "/" + change.path
    return Entry(path, shown(posixpath.basename(path)), "file", change.size, mark=mark if marked else "")


def _tree(files: Iterable[Entry]) -> FileTree:
    """Files with the folders that they are in; a folder has the size of all that is in it, and a mark if all in it has the same."""
    below: dict[str, list[Entry]] = {"/": []}
    sizes: dict[str, int] = {}
    marks: dict[str, set[str]] = {}
    for entry in files:
        folder = posixpath.dirname(entry.path)
        below.setdefault(folder, []).append(entry)
        while True:
            sizes[folder] = sizes.get(folder, 0) + entry.size
            marks.setdefault(folder, set()).add(entry.mark)
            if folder == "/":
                break
            above = posixpath.dirname(folder)
            below.setdefault(above, [])
            folder = above
    for folder in sorted(sizes, key=len):
        if folder != "/":
            kinds = marks[folder]
            mark = kinds.copy().pop() if len(kinds) == 1 else CHANGED if kinds - {""} else ""
            made = Entry(folder, shown(posixpath.basename(folder)), "directory", sizes[folder], mark=mark)
            below[posixpath.dirname(folder)].append(made)
    tree = FileTree()
    for folder, entries in below.items():
        tree.put(folder, entries)
    return tree


def summary(found: ImageExploration) -> str:
    """How well the image is made, in one line: dive's efficiency, and what nobody can see."""
    wasted = f"{text.size(found.wasted, step=1000)} wasted" if found.wasted else "nothing wasted"
    size = text.size(found.size, step=1000)
    layers = "1 layer" if len(found.layers) == 1 else f"{len(found.layers)} layers"
    return f"efficiency {found.efficiency * 100:.1f} % · {wasted} of {size} · {layers} · {found.files} files"
