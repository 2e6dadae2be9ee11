"""The changes of a container in the files of its image: compares the upper folder of its overlay with the layers below.

The upper folder has more than what differs: also files that were only opened for writing, or were linked or renamed and renamed back, and
directories that were deleted and made again (kernel, Documentation/filesystems/overlayfs.rst). As with dockerd (``archive.ChangesDirs``),
a file is changed if its type, mode, owner or capabilities differ, or its size or time if it is no directory.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from moby_tui.engine.kernel import trees
from moby_tui.engine.resources.images.snapshots import snapshot
from moby_tui.engine.resources.images.store.form import is_opaque, is_whiteout
from moby_tui.schema.container import PathChange

_MODIFIED, _ADDED, _DELETED = 0, 1, 2
_CAPABILITY = "security.capability"


def changes(upper: Path, layers: list[Path]) -> list[PathChange]:
    """The changed paths, sorted, with the directories above them. ``layers`` are the image's, the top-most first. Blocks: call it on a
    thread."""
    below = snapshot.mount(layers, None, None) if layers else None
    try:
        with trees.closing(os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as top:
            changed = _Comparison(top, below).changes()
    finally:
        if below is not None:
            os.close(below)
    for path in list(changed):
        for leading in _leading(path):
            changed.setdefault(leading, _MODIFIED)
    changes = (PathChange(path="/" + os.fsdecode(path), kind=kind) for path, kind in changed.items())
    return sorted(changes, key=lambda change: change.path)


def _leading(path: bytes) -> Iterator[bytes]:
    """The directories above a path, without the root."""
    at = path.find(b"/")
    while at > 0:
        yield path[:at]
        at = path.find(b"/", at + 1)


class _Comparison:
    """Compares the upper folder (``top``) with the mounted layers below it (``below``), both descriptors.

    The container may change the upper folder meanwhile.
    """

    def __init__(self, top: int, below: int | None) -> None:
        self._top = top
        self._below = below
        self._changes: dict[bytes, int] = {}

    def changes(self) -> dict[bytes, int]:
        """From each changed path to ``_MODIFIED``, ``_ADDED`` or ``_DELETED``."""
        # directories of the upper folder, each with: does it hide the directories of this name in lower layers?
        pending = [(b"", False)]
        while pending:
            folder, hides = pending.pop()
            # the container may have removed the directory, and its path may be longer than the kernel takes
            with suppress(OSError), trees.closing(trees.open_below(self._top, folder or b".")) as fd:
                hides = hides or is_opaque(fd)
                with self._lower(folder) as lower:
                    pending += [(path, hides) for path in self._compare(fd, folder, lower, hides=hides)]
        return self._changes

    def _compare(self, fd: int, folder: bytes, lower: int | None, *, hides: bool) -> list[bytes]:
        """Notes the changes in a directory, and returns its subdirectories."""
        directories = []
        names = [os.fsencode(name) for name in os.listdir(fd)]
        for name in names:
            path = folder + b"/" + name if folder else name
            before = _lstat(lower, name) if lower is not None else None
            status = _lstat(fd, name)
            if status is None or is_whiteout(status):
                if before is not None:
                    self._changes[path] = _DELETED
                continue
            if before is None:
                self._changes[path] = _ADDED
            elif lower is not None and _differ(before, status, lower, fd, name):
                self._changes[path] = _MODIFIED
            if stat.S_ISDIR(status.st_mode):
                directories.append(path)
        if hides and lower is not None:
            for name in {os.fsencode(name) for name in os.listdir(lower)} - {*names}:
                self._changes[folder + b"/" + name if folder else name] = _DELETED
        return directories

    @contextmanager
    def _lower(self, folder: bytes) -> Iterator[int | None]:
        """Opens the directory of this name in the layers below; None if there is none."""
        try:
            fd = None if self._below is None else trees.open_below(self._below, folder or b".")
        except OSError:
            fd = None
        try:
            yield fd
        finally:
            if fd is not None:
                os.close(fd)


def _lstat(folder: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _differ(before: os.stat_result, after: os.stat_result, lower: int, upper: int, name: bytes) -> bool:
    if (before.st_mode, before.st_uid, before.st_gid) != (after.st_mode, after.st_uid, after.st_gid):
        return True
    if stat.S_ISDIR(after.st_mode):
        return False
    if (before.st_rdev, before.st_size) != (after.st_rdev, after.st_size) or not _is_same_time(before, after):
        return True
    return stat.S_ISREG(after.st_mode) and _capability(lower, name) != _capability(upper, name)


def _is_same_time(before: os.stat_result, after: os.stat_result) -> bool:
    """True if two times are equal. A time without a fraction equals any within its second, since archives may store whole seconds only."""
    one, other = divmod(before.st_mtime_ns, 1_000_000_000), divmod(after.st_mtime_ns, 1_000_000_000)
    return one[0] == other[0] and (one[1] == other[1] or 0 in (one[1], other[1]))


def _capability(folder: int, name: bytes) -> bytes:
    try:
        return os.getxattr(b"/proc/self/fd/%d/%s" % (folder, name), _CAPABILITY, follow_symlinks=False)
    except OSError:
        return b""
