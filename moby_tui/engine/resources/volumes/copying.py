"""Copies a path of a volume into another volume (``moby volume cp A:/x B:/y``), with all of it or nothing in its place at the end.

The copy is made in a folder of its own at the top of the target, which only root can enter. Its entries are then renamed to their places,
which needs no space. A note beside the volumes' folders tells where that folder is, locked by the process that copies. If that is killed, the
next engine deletes the folder, or completes the renames once they had begun.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from moby_tui.engine.archive import files
from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.path import open_in_root, path_in
from moby_tui.engine.kernel.trees import closing, open_below, remove_at
from moby_tui.engine.resources.volumes.populate import copy, copy_attributes, copy_opened
from moby_tui.errors import InvalidArgument, MobyError, NotFound, StorageFull

#: The beginning of the names of notes; also that of the folder in the target, with a dot before.
NOTE = ".copying-"
_FOLDER = ".moby-copying-"
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class Note(msgspec.Struct):
    """The content of a note: the target, the name of the folder at its top, and once the copy is complete where that goes.

    ``place`` is the path of a folder in the target, in the kernel's bytes. ``attributes``: that folder gets the owner, mode and times of
    the copy's own.
    """

    volume: str
    folder: str
    place: bytes = b""
    attributes: bool = False


class Place(msgspec.Struct):
    """Where a copy goes: a folder of the target by its path, and the name there; empty if the copy's entries go into the folder."""

    folder: str
    name: str


_decoder = msgspec.json.Decoder(Note)


def copy_between(folder: Path, source: int, path: str, target: int, volume: str, to: str, *, follow: bool) -> None:
    """Copies ``path`` of the volume open as ``source`` to ``to`` in ``volume``, open as ``target``, by the rules of ``docker cp``.

    ``folder`` is that of the volumes. Owners, modes, times, attributes, links and holes of files are kept. Blocking. Raises ``NotFound``,
    ``InvalidArgument``, ``StorageFull`` and ``MobyError``.
    """
    with files.opened(source, path, "volume", follow=follow) as found:
        is_folder = stat.S_ISDIR(os.fstat(found).st_mode)
        place = _place(target, to, _name(source, found, path), is_folder=is_folder, contents=path.endswith("/."))
        note = Note(volume, f"{_FOLDER}{os.urandom(8).hex()}")
        with _noted(folder, note) as lock, _errors(path, to, volume):
            os.mkdir(note.folder, 0o700, dir_fd=target)
            try:
                fault.point("volumes.copy begun")
                with closing(os.open(note.folder, _OPEN_DIRECTORY, dir_fd=target)) as made:
                    _fill(found, made, place, is_folder=is_folder)
                    note.place, note.attributes = os.fsencode(place.folder), not place.name
                    with _opened_place(target, note) as there:
                        _check(made, there)
                        _write(lock, note)
                        fault.point("volumes.copy complete")
                        _put(made, there, attributes=note.attributes)
            finally:
                remove_at(target, note.folder)


def _name(source: int, found: int, path: str) -> str:
    """The name of the copy in a folder that exists: the source's, empty for the volume's own folder."""
    last = path.rstrip("/").rpartition("/")[2]
    return last if last not in (".", "..") else path_in(source, found).rpartition("/")[2]


def _place(target: int, to: str, name: str, *, is_folder: bool, contents: bool) -> Place:
    """Raises ``NotFound`` and ``InvalidArgument`` for a destination that cannot be."""
    absolute = "/" + to.lstrip("/")
    try:
        with files.opened(target, absolute, "volume", follow=True) as found:
            real = path_in(target, found)
            exists_as_folder = stat.S_ISDIR(os.fstat(found).st_mode)
    except NotFound:
        parent, _, base = absolute.rstrip("/").rpartition("/")
        if absolute.endswith("/") and not is_folder:
            raise NotFound(f"no such directory in the volume: {to}") from None
        with files.opened(target, parent or "/", "volume", follow=True) as found:
            if not stat.S_ISDIR(os.fstat(found).st_mode):
                raise InvalidArgument(f"{parent} in the volume is not a directory") from None
            return Place(path_in(target, found), base)
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


def _check(made: int, there: int) -> None:
    """Raises ``InvalidArgument`` if a folder would take the place of something else, or the reverse."""
    for _, name, _, _, kinds in _both(made, there):
        if kinds in ((True, False), (False, True)):
            what, shown = "directory" if kinds[0] else "file", os.fsencode(name).decode(errors="replace")
            raise InvalidArgument(f"cannot put a {what} in the place of {shown}: take that away first")


def _put(made: int, there: int, *, attributes: bool) -> None:
    """Renames what is in ``made`` to its places. Folders that are there already get what is in those of the copy."""
    common = [b"."]
    for directory, name, here, into, kinds in _both(made, there):
        if kinds == (True, True):
            common.append(directory + b"/" + os.fsencode(name))
        else:
            os.rename(name, name, src_dir_fd=here, dst_dir_fd=into)
            fault.point("volumes.copy entry placed")
    for directory in reversed(common if attributes else common[1:]):
        with closing(open_below(made, directory)) as here, closing(open_below(there, directory)) as into:
            copy_attributes(here, into, os.fstat(here))


def _both(made: int, there: int) -> Iterator[tuple[bytes, str, int, int, tuple[bool, bool | None]]]:
    """The entries of the copy, and of its folders that are in the target too.

    For each its folder's path, its name, that folder in the copy and in the target, and whether it is a folder in either; None if it is not
    in the target.
    """
    directories = [b"."]
    for directory in directories:  # the loop appends to the list that it walks
        with closing(open_below(made, directory)) as here, closing(open_below(there, directory)) as into:
            for name in os.listdir(here):
                kinds = (bool(_is_folder(name, here)), _is_folder(name, into))
                yield directory, name, here, into, kinds
                if kinds == (True, True):
                    directories.append(directory + b"/" + os.fsencode(name))


def _is_folder(name: str, folder: int) -> bool | None:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return None


@contextmanager
def _opened_place(target: int, note: Note) -> Iterator[int]:
    with closing(open_in_root(target, note.place, os.O_RDONLY | os.O_DIRECTORY)) as there:
        yield there


@contextmanager
def _noted(folder: Path, note: Note) -> Iterator[int]:
    """Writes a note before the block, and deletes it after. Yields the note's file, which stays locked."""
    path, file = _locked(folder)
    with closing(file) as lock:
        try:
            _write(lock, note)
            fault.point("volumes.copy noted")
            yield lock
        finally:
            path.unlink(missing_ok=True)


def _locked(folder: Path) -> tuple[Path, int]:
    """Makes an empty note, and locks it. Another engine may take it for one that was left until it is locked, and delete it."""
    while True:
        path = folder / f"{NOTE}{os.urandom(8).hex()}"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists():
            return path, file
        os.close(file)


def _write(file: int, note: Note) -> None:
    """Writes the note with one write: a longer one of the same beginning, so that a killed process leaves the former or the latter."""
    os.pwrite(file, msgspec.json.encode(note) + b"\n", 0)


def left(folder: Path) -> list[Path]:
    """The notes of copies, at work or cut short."""
    return list(folder.glob(f"{NOTE}*"))


@contextmanager
def unlocked(path: Path) -> Iterator[Note | None]:
    """Yields the note of a copy that was cut short, and deletes it after the block; None if a process is at work or the note is empty."""
    with closing(os.open(path, os.O_RDWR | os.O_CLOEXEC)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        note = None
        with suppress(msgspec.DecodeError):
            note = _decoder.decode(os.pread(lock, 65536, 0))
        yield note
        path.unlink(missing_ok=True)


def settle(target: int, note: Note) -> None:
    """Completes the renames of a copy that was cut short, or deletes what was copied. ``target`` is the volume that is open."""
    with suppress(FileNotFoundError):
        with closing(os.open(note.folder, _OPEN_DIRECTORY, dir_fd=target)) as made:
            if note.place:
                # the place is gone, or became something else: the copy goes too
                with suppress(OSError), _opened_place(target, note) as there:
                    _put(made, there, attributes=note.attributes)
        remove_at(target, note.folder)


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
