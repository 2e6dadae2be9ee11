"""The layer of mount points: the files and folders that each container needs for its mounts and that its image lacks.

It lies between the image's layers and the container's own, as Docker's "init" layer does, so that nothing of it counts as changed by
the container: ``diff`` does not show it and ``commit`` does not take it. Containers whose images lack the same files share one layer.

A link in the image is no place to be mounted on, wherever it leads (``/etc/resolv.conf -> ../run/systemd/resolve/stub-resolv.conf``):
the layer has a plain file or folder in its place.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import msgspec

from moby_tui.engine.resources.images.store.form import OPAQUE
from moby_tui.engine.store.digest import sha256
from moby_tui.engine.store.paths import Paths

_FOLDERS = ("proc", "sys", "dev", "etc")
#: The file by which programs recognize a container.
_MARK = ".dockerenv"
_FILES = (_MARK, "etc/hostname", "etc/hosts", "etc/resolv.conf")
_LINKS = {"etc/mtab": "/proc/mounts"}
_ETC = "etc"


class _Missing(msgspec.Struct, frozen=True):
    """What an image lacks. ``etc``: owner, group, mode and time of the image's ``/etc``, which the layer must repeat."""

    folders: list[str]
    files: list[str]
    links: list[str]
    etc: tuple[int, int, int, int] | None


def below(paths: Paths, layers: list[Path]) -> list[Path]:
    """What lies below a container's own layer, top-most first: the mount points, where there are any to be made, and the image.

    Blocking; one look at each layer for the first container of an image. Raises ``OSError``.
    """
    missing = _missing(tuple(layers))
    if not (missing.folders or missing.files or missing.links):
        return layers
    folder = paths.mount_points / sha256(msgspec.json.encode(missing)).hexdigest()
    if not folder.exists():
        from moby_tui.engine.resources.images.store import staging

        with staging.scratch(paths.staging) as scratch:
            _make(scratch / "root", missing)
            _publish(scratch / "root", folder)
    return [folder, *layers]


@lru_cache(maxsize=64)
def _missing(layers: tuple[Path, ...]) -> _Missing:
    etc = _find(layers, _ETC)
    # an /etc that is a link, or has attributes that the layer cannot repeat, is left to the start, which resolves paths in the root
    plain = etc is None or (stat.S_ISDIR(etc[1].st_mode) and not _has_attributes(etc[0]))

    def lacks(path: str, *kinds: Callable[[int], bool]) -> bool:
        if "/" in path and not plain:
            return False
        entry = _find(layers, path)
        return entry is None or (bool(kinds) and not any(is_kind(entry[1].st_mode) for is_kind in kinds))

    folders = [name for name in _FOLDERS if lacks(name, *([] if name == _ETC else [stat.S_ISDIR]))]
    files = [path for path in _FILES if lacks(path, stat.S_ISREG, stat.S_ISDIR)]
    links = [path for path in _LINKS if lacks(path)]
    own = None
    if etc is not None and any("/" in path for path in (*files, *links)):
        status = etc[1]
        own = (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode), status.st_mtime_ns)
    return _Missing(folders, files, links, own)


def _find(layers: tuple[Path, ...], path: str) -> tuple[Path, os.stat_result] | None:
    """The file at a path of at most two names in the merged layers, by overlayfs' rules; None if there is none."""
    parent = os.path.dirname(path)
    for layer in layers:
        place = layer / path
        try:
            status = place.lstat()
        except OSError:
            if parent and _hides(layer / parent):
                return None
            continue
        return None if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0 else (place, status)
    return None


def _hides(folder: Path) -> bool:
    """True if this path of a layer hides what lower layers have below it: it is no directory, or an opaque one."""
    try:
        return not stat.S_ISDIR(folder.lstat().st_mode) or os.getxattr(folder, OPAQUE) == b"y"
    except OSError:
        return False


def _has_attributes(folder: Path) -> bool:
    return any(not name.startswith("trusted.overlay.") for name in os.listxattr(folder, follow_symlinks=False))


def _make(root: Path, missing: _Missing) -> None:
    for folder in (root, *(root / name for name in missing.folders)):
        folder.mkdir()
        folder.chmod(0o755)
    if missing.etc is not None:
        (root / _ETC).mkdir()
    for path in missing.files:
        (root / path).touch()
        (root / path).chmod(0o755 if path == _MARK else 0o644)
    for path in missing.links:
        (root / path).symlink_to(_LINKS[path])
    if missing.etc is not None:
        uid, gid, mode, modified = missing.etc
        os.chown(root / _ETC, uid, gid)
        (root / _ETC).chmod(mode)
        os.utime(root / _ETC, ns=(modified, modified))


def _publish(made: Path, folder: Path) -> None:
    """Makes the layer appear. If another process has made the same one meanwhile, that one is used."""
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        made.rename(folder)
    except OSError:
        if not folder.exists():
            raise
