"""What COPY and ADD copy: the paths in a hostile tree that their arguments name, and the digest of what is there.

The kernel resolves paths inside the tree's root (openat2, RESOLVE_IN_ROOT); a file is read by its name in an opened directory and never
through a link.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from moby_tui import patterns
from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.errors import InvalidArgument
from moby_tui.patterns import Ignore

CHUNK = 1 << 20
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
#: As many as the kernel follows (path_resolution(7)).
MOST_LINKS = 40


class Excludes(Protocol):
    def excludes(self, path: str) -> bool:
        """True for a path, relative to the directory that is copied, that is left out."""
        ...


#: Ignore patterns that exclude nothing.
NOTHING = Ignore("")


class Chosen:
    """What is copied of a directory: what ``include`` names (all if empty) and ``exclude`` does not, with the directories above it."""

    def __init__(self, root: int, path: bytes, include: list[str], exclude: list[str]) -> None:
        """Blocking. Raises ``InvalidArgument`` for a bad pattern."""
        self._exclude, self._kept = Ignore("\n".join(exclude)), set[str]()
        self._all = not include
        if self._all:
            return
        wanted = Ignore("\n".join(include))
        with suppress(NotADirectoryError), trees.closing(open_in_root(root, path or b".", DIRECTORY)) as top:
            for _, relative, _, _ in walk(top, self._exclude):
                name = os.fsdecode(relative)
                while wanted.excludes(os.fsdecode(relative)) and name and name not in self._kept:
                    self._kept.add(name)
                    name = name.rpartition("/")[0]

    def excludes(self, path: str) -> bool:
        return self._exclude.excludes(path) if self._all else path not in self._kept


def select(root: int, sources: list[str], *, context: bool, deep: bool = False) -> list[bytes]:
    """The paths in the source tree that these arguments name. A wildcard may name none, with ``deep`` two stars are any folders.

    Raises ``InvalidArgument`` for a missing file, and for a dangling link."""
    paths: list[bytes] = []
    for source in sources:
        parts: list[str] = []
        for part in source.split("/"):
            if part == ".." and not parts and context:
                raise _missing(f"COPY failed: forbidden path outside the build context: {source[:200]} ()", _cleaned(source))
            if part == "..":
                del parts[-1:]
            elif part not in ("", "."):
                parts.append(part)
        wild = any(map(patterns.has_wildcard, parts))
        matches = _matches(root, parts, deep=deep) if wild else [os.fsencode("/".join(parts))]
        for path in matches:
            if not _exists(root, path):
                where = " in build context or excluded by .dockerignore" if context else " in the source image"
                name = os.fsdecode(path)[:200] if wild else source[:200]
                text = f"COPY failed: file not found{where}: stat {name}: file does not exist"
                raise _missing(text, _cleaned(name), context=context)
        paths += matches
    return paths


def _cleaned(path: str) -> str:
    return posixpath.normpath(f"/{path.lstrip('/')}")


def _missing(text: str, path: str, *, context: bool = True) -> InvalidArgument:
    """With BuildKit's words, which names the file as it is called from the root of its source."""
    error = InvalidArgument(text)
    of_context = f'failed to calculate checksum of ref moby: "{path}": not found'
    error.buildkit = of_context if context else f"lstat {path}: no such file or directory"
    return error


def _exists(root: int, path: bytes) -> bool:
    try:
        os.close(open_in_root(root, path or b".", os.O_PATH))
    except OSError:
        return False
    return True


def _matches(root: int, parts: list[str], *, deep: bool) -> list[bytes]:
    """As a shell would: name by name, sorted."""
    paths = [b""]
    for part in parts:
        if deep and part == "**":
            paths = [below for folder in paths for below in _folders(root, folder)]
            continue
        pattern = patterns.component(part) if patterns.has_wildcard(part) else None
        further: list[bytes] = []
        for folder in paths:
            prefix = folder + b"/" if folder else b""
            if pattern is None:
                further += [prefix + os.fsencode(part)] if _exists(root, prefix + os.fsencode(part)) else []
                continue
            with suppress(NotADirectoryError), trees.closing(open_in_root(root, folder or b".", DIRECTORY)) as fd:
                further += [prefix + os.fsencode(name) for name in sorted(os.listdir(fd)) if pattern.fullmatch(name)]
        paths = further
    return paths


def matches(root: int, pattern: str) -> list[bytes]:
    """The paths in a tree that a pattern names, sorted. Blocking."""
    return [path for path in _matches(root, [part for part in pattern.split("/") if part], deep=False) if _is_there(root, path)]


def existing(root: int, path: str, *, follow: bool) -> list[bytes]:
    """The one path, if something is there. Blocking. Raises ``InvalidArgument`` if not."""
    name = os.fsencode(path)
    if not (_exists(root, name) if follow else _is_there(root, name)):
        raise _missing(f"copy failed: /{path[:200]} is not there", _cleaned(path), context=False)
    return [name]


def _is_there(root: int, path: bytes) -> bool:
    """True for an object, and for a link that leads nowhere."""
    try:
        with located(root, path, follow=False) as (folder, name):
            os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def _folders(root: int, top: bytes) -> list[bytes]:
    """A folder and all below it, each before those in it; links are not followed."""
    folders, pending = [], [top]
    while pending:
        folder = pending.pop()
        with suppress(NotADirectoryError), trees.closing(open_in_root(root, folder or b".", DIRECTORY)) as fd:
            folders.append(folder)
            names = sorted(os.fsencode(entry.name) for entry in os.scandir(fd) if entry.is_dir(follow_symlinks=False))
            pending += [folder + b"/" + name if folder else name for name in reversed(names)]
    return folders


def parents(root: int, sources: list[str], *, context: bool) -> dict[bytes, bytes]:
    """For each path that these arguments name the folders above it that a copy keeps; those before ``/./`` it does not keep."""
    parents_of: dict[bytes, bytes] = {}
    for source in sources:
        before, pivot, _ = source.partition("/./")
        cut = len([part for part in before.split("/") if part not in ("", ".")]) if pivot else 0
        for path in select(root, [source], context=context, deep=True):
            parents_of[path] = b"/".join(path.split(b"/")[cut:-1])
    return parents_of


def digest(root: int, paths: list[bytes], exclude: Excludes = NOTHING, *, owners: bool = False) -> str:
    """The digest of what would be copied: names, kinds, modes and content; no times, and ``owners`` if they count. Blocking."""
    total = hashlib.sha256()
    for path in paths:
        with trees.closing(open_in_root(root, path or b".", os.O_PATH)) as top:
            if not stat.S_ISDIR(os.fstat(top).st_mode):
                with folder_of(root, path) as (folder, name):
                    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    _digest_object(total, folder, name, name, status, owners=owners)
                continue
            with trees.closing(open_in_root(root, path or b".", DIRECTORY)) as fd:
                for folder, relative, name, status in walk(fd, exclude):
                    _digest_object(total, folder, name, relative, status, owners=owners)
    return total.hexdigest()


def _digest_object(
    total: hashlib._Hash, folder: int, name: bytes, relative: bytes, status: os.stat_result, *, owners: bool
) -> None:
    link = os.readlink(name, dir_fd=folder) if stat.S_ISLNK(status.st_mode) else b""
    kind = stat.S_IFMT(status.st_mode)
    # and the number of a device
    size = {stat.S_IFREG: status.st_size, stat.S_IFCHR: status.st_rdev, stat.S_IFBLK: status.st_rdev}.get(kind, 0)
    total.update(b"%d %o %d %d %s%s" % (len(relative), status.st_mode, size, len(link), relative, link))
    if owners:
        total.update(b"%d:%d " % (status.st_uid, status.st_gid))
    if stat.S_ISREG(status.st_mode):
        with trees.closing(os.open(name, READ, dir_fd=folder)) as fd:
            while data := os.read(fd, min(CHUNK, status.st_size + 1)):
                total.update(data)


def walk(top: int, exclude: Excludes) -> Iterator[tuple[int, bytes, bytes, os.stat_result]]:
    """Every object below a directory, a directory before what it holds: ``(folder's descriptor, path, name, status)``, sorted by name."""
    pending = [b"."]
    while pending:
        folder = pending.pop()
        below: list[bytes] = []
        with trees.closing(trees.open_below(top, folder)) as fd:
            for name in sorted(os.fsencode(entry) for entry in os.listdir(fd)):
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                path = name if folder == b"." else folder + b"/" + name
                if exclude.excludes(os.fsdecode(path)):
                    continue
                if stat.S_ISDIR(status.st_mode):
                    below.append(path)
                yield fd, path, name, status
        pending += reversed(below)


@contextmanager
def located(root: int, path: bytes, *, follow: bool) -> Iterator[tuple[int, bytes]]:
    """The directory and the last name of an object; the links on the way to it are resolved, and itself if ``follow``."""
    if not path:
        yield root, b"."
    elif follow:
        with folder_of(root, path) as parent:
            yield parent
    else:
        above, _, name = path.rpartition(b"/")
        with trees.closing(open_in_root(root, above or b".", DIRECTORY)) as folder:
            yield folder, name


@contextmanager
def folder_of(root: int, path: bytes) -> Iterator[tuple[int, bytes]]:
    """Resolves a path, links too: the directory and the last name of the object."""
    for _ in range(MOST_LINKS):
        folder, _, name = path.rpartition(b"/")
        with trees.closing(open_in_root(root, folder or b".", DIRECTORY)) as fd:
            try:
                link = os.readlink(name, dir_fd=fd)
            except OSError:
                yield fd, name
                return
        path = link if link.startswith(b"/") else folder + b"/" + link
        if path.rpartition(b"/")[2] in (b"", b".", b".."):
            break
    raise too_many_links(path)


def too_many_links(path: bytes) -> InvalidArgument:
    return InvalidArgument(f"too many links at {os.fsdecode(path)[:200]}")
