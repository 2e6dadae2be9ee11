"""What the layers of an image hold. Ours: the Docker Engine API has nothing like it."""

from __future__ import annotations

from msgspec import field

from moby_tui.schema.base import Wire

ADDED, CHANGED, DELETED = "added", "changed", "deleted"


class ExploredLayer(Wire, kw_only=True):
    """The lowest has ``index`` 0. Files are all that is no directory; ``wasted`` are bytes of its files that a later layer hides."""

    index: int
    diff_id: str = field(name="DiffID")
    created_by: str = ""
    size: int = 0
    added: int = 0
    changed: int = 0
    deleted: int = 0
    wasted: int = 0


class WastedFile(Wire, kw_only=True):
    """A path with hidden copies: how many, and their bytes."""

    path: str
    copies: int
    size: int


class ImageExploration(Wire, kw_only=True):
    """``size``: bytes of the files in all layers; ``wasted``: of those that a later layer replaces or deletes.

    ``efficiency`` is dive's: for each path the smallest copy, over all copies, a deletion being one more copy of what it deletes.
    """

    id: str
    size: int = 0
    files: int = 0
    wasted: int = 0
    efficiency: float = 1.0
    layers: list[ExploredLayer] = field(default_factory=list)
    #: the largest
    wasted_files: list[WastedFile] = field(default_factory=list)


class FileChange(Wire, kw_only=True):
    """What a layer does to a path: ``added``, ``changed`` or ``deleted``; ``size`` is what it has then, or had."""

    layer: int
    kind: str
    path: str
    size: int = 0
