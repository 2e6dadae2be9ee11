"""Changes of a volume that are made whole or not at all.

What is new is made in a folder at the top of the volume, which only root can enter. Its entries are then renamed to their places, which needs
no space. A note beside the volumes' folders tells where that folder is, locked by the process that is at work. If that is killed, the next
engine deletes the folder, or completes the renames once they had begun.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.path import mount_id, open_in_root
from moby_tui.engine.kernel.trees import closing, open_below, remove_at
from moby_tui.engine.resources.volumes.tree_copy import copy_attributes
from moby_tui.errors import InvalidArgument

#: The beginning of the names of notes; also that of the folder in the volume, with a dot before.
NOTE = ".copying-"
_FOLDER = ".moby-copying-"
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class Note(msgspec.Struct):
    """The content of a note: the volume, the name of the folder at its top, and once that is complete where its entries go.

    ``place`` is the path of a folder in the volume, in the kernel's bytes. ``attributes``: that folder gets the owner, mode and times of the
    folder of the entries. ``keeps``: what is in the volume stays, and an entry of the same name is left out.
    """

    volume: str
    folder: str = ""
    place: bytes = b""
    attributes: bool = False
    keeps: bool = False


class Entry(NamedTuple):
    """An entry of the new folder: the path of its own folder, its name, that folder opened in the new folder and in the volume, and whether
    the entry is a folder in either; None if it is not in the volume."""

    directory: bytes
    name: str
    here: int
    into: int
    is_folder: bool
    replaced: bool | None


_decoder = msgspec.json.Decoder(Note)


@contextmanager
def staged(folder: Path, target: int, placing: Note, *, replaces: bool = False) -> Iterator[int]:
    """Yields a new folder, opened. What the block makes in it is in its place in the volume, open as ``target``, after the block.

    ``folder`` is that of the volumes. ``placing`` says which volume and place. ``replaces``: a folder may take the place of something else,
    and the reverse. Nothing is changed if the block raises. Blocking. Raises ``InvalidArgument``, ``OSError``.
    """
    note = Note(placing.volume, f"{_FOLDER}{os.urandom(8).hex()}")
    with _noted(folder, note) as lock:
        os.mkdir(note.folder, 0o700, dir_fd=target)
        try:
            with closing(os.open(note.folder, _OPEN_DIRECTORY, dir_fd=target)) as made:
                yield made
                note.place, note.attributes, note.keeps = placing.place, placing.attributes, placing.keeps
                with _opened_place(target, note) as there:
                    if not note.keeps:
                        _check(made, there, replaces=replaces)
                    _write(lock, note)
                    fault.point("volumes.copy complete")
                    _put(made, there, note)
        finally:
            remove_at(target, note.folder)


def _check(made: int, there: int, *, replaces: bool) -> None:
    """Raises ``InvalidArgument`` if a folder would take the place of something else, or the reverse, unless ``replaces``; and for what is on
    another file system, which nothing can be renamed into."""
    own = mount_id(made)
    for entry in _both(made, there):
        if entry.replaced is None:
            continue
        shown = os.fsencode(entry.name).decode(errors="replace")
        if entry.is_folder != entry.replaced and not replaces:
            what = "directory" if entry.is_folder else "file"
            raise InvalidArgument(f"cannot put a {what} in the place of {shown}: take that away first")
        with closing(os.open(entry.name, os.O_PATH | os.O_NOFOLLOW, dir_fd=entry.into)) as there_is:
            if mount_id(there_is) != own:
                raise InvalidArgument(f"{shown} in the volume is another file system, which is mounted there: name another place")


def _put(made: int, there: int, note: Note) -> None:
    """Renames what is in ``made`` to its places. Folders that are there already get what is in those of the new folder."""
    # read first, since each rename changes the times of the folder
    common = {b".": os.fstat(made)} if note.attributes else {}
    for entry in _both(made, there):
        if entry.is_folder and entry.replaced:
            if not note.keeps:
                common[entry.directory + b"/" + os.fsencode(entry.name)] = os.stat(entry.name, dir_fd=entry.here)
            continue
        if entry.replaced is not None:
            if note.keeps:
                continue
            if entry.is_folder != entry.replaced:
                _remove(entry.into, entry.name, is_folder=entry.replaced)
        os.rename(entry.name, entry.name, src_dir_fd=entry.here, dst_dir_fd=entry.into)
        fault.point("volumes.copy entry placed")
    for directory, status in reversed(common.items()):
        with closing(open_below(made, directory)) as here, closing(open_below(there, directory)) as into:
            copy_attributes(here, into, status)


def has_content(folder: int) -> bool:
    """True if there is anything in an open folder of a volume but the folders of copies at work."""
    return any(not name.startswith(_FOLDER) for name in os.listdir(folder))


def _remove(folder: int, name: str, *, is_folder: bool) -> None:
    if is_folder:
        remove_at(folder, name)
    else:
        os.unlink(name, dir_fd=folder)


def _both(made: int, there: int) -> Iterator[Entry]:
    """The entries of the new folder, and of its folders that are in the volume too."""
    directories = [b"."]
    for directory in directories:  # the loop appends to the list that it walks
        with closing(open_below(made, directory)) as here, closing(open_below(there, directory)) as into:
            for name in os.listdir(here):
                entry = Entry(directory, name, here, into, bool(_is_folder(name, here)), _is_folder(name, into))
                yield entry
                if entry.is_folder and entry.replaced:
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
                # the place is gone, or became something else: what was new goes too
                with suppress(OSError), _opened_place(target, note) as there:
                    _put(made, there, note)
        remove_at(target, note.folder)
