"""Copies a path of a volume into another volume (``moby volume cp A:/x B:/y``), with all of it or nothing in its place at the end."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from moby_tui.engine.archive import files
from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.path import path_in
from moby_tui.engine.kernel.trees import closing
from moby_tui.engine.resources.volumes import staging
from moby_tui.engine.resources.volumes.tree_copy import copy, copy_opened
from moby_tui.errors import InvalidArgument, MobyError, NotFound, StorageFull

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class Place(msgspec.Struct):
    """Where a copy goes: a folder of the target by its path, and the name there; empty if the copy's entries go into the folder."""

    folder: str
    name: str


def copy_between(folder: Path, source: int, path: str, target: int, volume: str, to: str, *, follow: bool) -> None:
    """Copies ``path`` of the volume open as ``source`` to ``to`` in ``volume``, open as ``target``, by the rules of ``docker cp``.

    ``folder`` is that of the volumes. Owners, modes, times, attributes, links and holes of files are kept. Blocking. Raises ``NotFound``,
    ``InvalidArgument``, ``StorageFull`` and ``MobyError``.
    """
    with files.opened(source, path, "volume", follow=follow) as source_fd:
        is_folder = stat.S_ISDIR(os.fstat(source_fd).st_mode)
        place = _place(target, to, _name(source, source_fd, path), is_folder=is_folder, contents=path.endswith("/."))
        note = staging.Note(volume, place=os.fsencode(place.folder), attributes=not place.name)
        with _errors(path, to, volume), staging.staged(folder, target, note) as made:
            fault.point("volumes.copy begun")
            _fill(source_fd, made, place, is_folder=is_folder)


def _name(source: int, found: int, path: str) -> str:
    """The name of the copy in a folder that exists: the source's, empty for the volume's own folder."""
    last = path.rstrip("/").rpartition("/")[2]
    return last if last not in (".", "..") else path_in(source, found).rpartition("/")[2]


def _place(target: int, to: str, name: str, *, is_folder: bool, contents: bool) -> Place:
    """Raises ``NotFound`` and ``InvalidArgument`` for a destination that cannot be."""
    absolute = "/" + to.lstrip("/")
    try:
        with files.opened(target, absolute, "volume", follow=True) as target_fd:
            real = path_in(target, target_fd)
            exists_as_folder = stat.S_ISDIR(os.fstat(target_fd).st_mode)
    except NotFound:
        parent, _, base = absolute.rstrip("/").rpartition("/")
        if absolute.endswith("/") and not is_folder:
            raise NotFound(f"no such directory in the volume: {to}") from None
        with files.opened(target, parent or "/", "volume", follow=True) as target_fd:
            if not stat.S_ISDIR(os.fstat(target_fd).st_mode):
                raise InvalidArgument(f"{parent} in the volume is not a directory") from None
            return Place(path_in(target, target_fd), base)
    if exists_as_folder:
        return Place(real, "" if is_folder and (contents or not name) else name)
    if is_folder or absolute.endswith("/"):
        raise InvalidArgument(f"{to} in the volume is not a directory; name another place")
    folder, _, base = real.rpartition("/")
    return Place(folder or "/", base)


def _fill(found: int, made: int, place: Place, *, is_folder: bool) -> None:
    """Makes the copy in the folder ``made``: what is in it is what goes into the place's folder."""
    own = os.fstat(made)
    skip = (own.st_dev, own.st_ino)  # a volume can be copied into itself
    if not is_folder:
        # by its descriptor, since the name can mean another file meanwhile
        copy_opened(found, made, place.name)
        return
    with closing(os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_DIRECTORY)) as source:
        if not place.name:
            copy(source, made, skip)
            return
        os.mkdir(place.name, 0o700, dir_fd=made)
        with closing(os.open(place.name, _OPEN_DIRECTORY, dir_fd=made)) as target:
            copy(source, target, skip)


@contextmanager
def _errors(path: str, to: str, volume: str) -> Iterator[None]:
    """Turns an ``OSError`` of the block into a ``MobyError``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"no space left in volume {volume} to copy {path} to {to}; nothing was changed") from error
        reason = (error.strerror or str(error)).lower()
        raise MobyError(f"cannot copy {path} to {to} in volume {volume}: {reason}") from error
