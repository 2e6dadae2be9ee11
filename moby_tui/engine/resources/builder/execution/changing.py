"""The changes of files that a graph of operations has (FileOp), on a root file system.

As BuildKit makes them: solver/llbsolver/file/backend.go. The tree is hostile: paths are resolved by the kernel inside it.
"""

from __future__ import annotations

import os
import posixpath
import stat
from contextlib import suppress

from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.resources.builder.execution import copying, selection
from moby_tui.errors import InvalidArgument
from moby_tui.schema.operations import MakeDirectory, MakeFile, MakeLink, Remove

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
#: The ids to give; None: root's for what is new, those that it has for what is there.
Owner = tuple[int, int] | None


def cleaned(path: str) -> bytes:
    """From the root, with the slash at its end if it has one."""
    clean = "/" + posixpath.normpath(f"/{path}").lstrip("/")
    return os.fsencode(clean + "/" if path.endswith("/") and clean != "/" else clean)


def make_directory(root: int, change: MakeDirectory, owner: Owner) -> None:
    """Without ``parents`` one that is there is left as it is, and one above it must be there. Blocking. Raises ``InvalidArgument``."""
    path = cleaned(change.path).rstrip(b"/")
    missing = [path]
    while change.parents and (above := missing[-1].rpartition(b"/")[0]):
        missing.append(above)
    with copying.explained("mkdir", path):
        for each in reversed(missing if path else []):
            above, _, name = each.rpartition(b"/")
            if _is_there(root, each):
                continue
            with trees.closing(open_in_root(root, above or b".", _FOLDER)) as parent:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=parent)
                with trees.closing(os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)) as made:
                    _describe(made, change.mode, owner or (0, 0), change.time)


def make_file(root: int, change: MakeFile, owner: Owner) -> None:
    """The content of a file that is there is replaced, its mode stays. Blocking. Raises ``InvalidArgument``."""
    path = cleaned(change.path)
    with copying.explained("mkfile", path):
        new = not _is_there(root, path)
        with trees.closing(open_in_root(root, path, _FILE, 0o600)) as file:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise InvalidArgument(f"mkfile failed: {os.fsdecode(path)[:200]} is there and is no file")
            os.ftruncate(file, 0)
            view = memoryview(change.data)
            while view:
                view = view[os.write(file, view) :]
            _describe(file, change.mode if new else None, owner or ((0, 0) if new else None), change.time)


def make_link(root: int, change: MakeLink, owner: Owner) -> None:
    """Blocking. Raises ``InvalidArgument``."""
    path = cleaned(change.path).rstrip(b"/")
    above, _, name = path.rpartition(b"/")
    with copying.explained("symlink", path), trees.closing(open_in_root(root, above or b".", _FOLDER)) as parent:
        os.symlink(change.target, name, dir_fd=parent)
        os.chown(name, *(owner or (0, 0)), dir_fd=parent, follow_symlinks=False)
        if change.time is not None:
            os.utime(name, ns=(change.time, change.time), dir_fd=parent, follow_symlinks=False)


def remove(root: int, change: Remove) -> None:
    """A directory goes with all that is in it. Blocking. Raises ``InvalidArgument``, also for a missing one, unless it ``may_lack``."""
    path = cleaned(change.path).strip(b"/")
    if not path:
        raise InvalidArgument("rm failed: the root of a tree cannot be removed")
    paths = selection.matches(root, os.fsdecode(path)) if change.wildcard else [path]
    for each in paths:
        above, _, name = each.rpartition(b"/")
        with (
            copying.explained("rm", each),
            suppress(*([FileNotFoundError] if change.may_lack else [])),
            trees.closing(open_in_root(root, above or b".", _FOLDER)) as parent,
        ):
            if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                trees.remove_at(parent, name)
            else:
                os.unlink(name, dir_fd=parent)


def _is_there(root: int, path: bytes) -> bool:
    try:
        os.close(open_in_root(root, path, os.O_PATH))
    except FileNotFoundError:
        return False
    return True


def _describe(fd: int, mode: int | None, owner: Owner, time: int | None) -> None:
    if owner is not None:
        os.fchown(fd, *owner)
    if mode is not None:
        os.fchmod(fd, mode)
    if time is not None:
        os.utime(fd, ns=(time, time))
