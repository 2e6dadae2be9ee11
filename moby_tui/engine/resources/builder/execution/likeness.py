"""Makes one tree like another: what a difference of two trees (DiffOp) is made of.

Two objects are the same if kind, mode, owner, attributes, and but for directories size and time are (containerd/continuity, fs/path.go).
Both trees are hostile: no link is followed.
"""

from __future__ import annotations

import os
import stat

from moby_tui.engine.kernel import trees
from moby_tui.engine.resources.builder.execution import copying
from moby_tui.engine.store.disk import refusals_told

_AS_IT_IS = copying.Attributes(keeps_owner=True)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CHUNK = 1 << 20


def make_like(target: int, source: int) -> None:
    """Changes of the tree ``target`` only what is different in ``source``. Blocking. Raises ``StorageFull``, ``InvalidArgument``."""
    with refusals_told(), copying.explained("diff", b"/"):
        pending = [b"."]
        while pending:
            folder = pending.pop()
            with trees.closing(trees.open_below(target, folder)) as to, trees.closing(trees.open_below(source, folder)) as of:
                for name in sorted(map(os.fsencode, set(os.listdir(to)) | set(os.listdir(of)))):
                    if _make_one_like(to, of, name):
                        pending.append(folder + b"/" + name)


def _make_one_like(to: int, of: int, name: bytes) -> bool:
    """True for a directory, whose content is to be looked at."""
    mine, other = _status(to, name), _status(of, name)
    if mine is not None and (other is None or stat.S_IFMT(mine.st_mode) != stat.S_IFMT(other.st_mode)):
        _remove(to, name, mine)
        mine = None
    if other is None:
        return False
    if not stat.S_ISDIR(other.st_mode):
        if mine is None or not _are_same(to, mine, of, other, name):
            copying.copy_object(of, name, other, to, name, _AS_IT_IS)
        return False
    if mine is None:
        os.mkdir(name, 0o700, dir_fd=to)
    with trees.closing(os.open(name, _FOLDER, dir_fd=to)) as made, trees.closing(os.open(name, _FOLDER, dir_fd=of)) as origin:
        if mine is None or _look(mine) != _look(other) or _attributes(made) != _attributes(origin):
            copying.describe(made, origin, other, _AS_IT_IS)
    return True


def _are_same(to: int, mine: os.stat_result, of: int, other: os.stat_result, name: bytes) -> bool:
    if (*_look(mine), mine.st_size, mine.st_mtime_ns) != (*_look(other), other.st_size, other.st_mtime_ns):
        return False
    if stat.S_ISLNK(mine.st_mode):
        return os.readlink(name, dir_fd=to) == os.readlink(name, dir_fd=of)
    if not stat.S_ISREG(mine.st_mode):
        return True
    with trees.closing(os.open(name, _FILE, dir_fd=to)) as first, trees.closing(os.open(name, _FILE, dir_fd=of)) as second:
        # a time of whole seconds may have been cut off, and says little
        return _attributes(first) == _attributes(second) and (bool(mine.st_mtime_ns % 10**9) or _have_one_content(first, second))


def _look(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mode, status.st_uid, status.st_gid, status.st_rdev


def _attributes(fd: int) -> dict[str, bytes]:
    names = (name for name in os.listxattr(fd) if name == "security.capability" or name.startswith("user."))
    return {name: os.getxattr(fd, name) for name in names if not name.startswith("user.overlay.")}


def _have_one_content(first: int, second: int) -> bool:
    while True:
        data = os.read(first, _CHUNK)
        if data != os.read(second, _CHUNK):
            return False
        if not data:
            return True


def _status(folder: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _remove(folder: int, name: bytes, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        trees.remove_at(folder, name)
    else:
        os.unlink(name, dir_fd=folder)
