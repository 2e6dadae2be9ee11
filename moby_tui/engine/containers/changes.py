"""What a container changed in its image's files: a walk of its overlay's upper folder (docs.kernel.org, overlayfs)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from moby_tui.schema.container import PathChange

_MODIFIED, _ADDED, _DELETED = 0, 1, 2


def changes(upper: Path, layers: list[Path]) -> list[PathChange]:
    """All changed paths, sorted, with the folders that lead to them."""
    found: list[PathChange] = []
    _walk(upper, "", layers, found)
    return sorted(found, key=lambda change: change.path)


def _walk(folder: Path, prefix: str, layers: list[Path], found: list[PathChange]) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{prefix}/{entry.name}"
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                found.append(PathChange(path=path, kind=_DELETED))
                continue
            found.append(PathChange(path=path, kind=_MODIFIED if _exists_below(path, layers) else _ADDED))
            if entry.is_dir(follow_symlinks=False):
                _walk(Path(entry.path), path, layers, found)


def _exists_below(path: str, layers: list[Path]) -> bool:
    for layer in layers:
        try:
            status = os.lstat(f"{layer}{path}")
        except OSError:
            continue
        return not (stat.S_ISCHR(status.st_mode) and status.st_rdev == 0)
    return False
