"""Renames a volume: its folder and its row change together, also if the engine is killed in between.

The engine writes a note beside the folders of the volumes first, and deletes it last. An engine that finds a note, and no other engine at
work, puts the folder where the row says.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from moby_tui.engine.resources.volumes.populate import DATA
from moby_tui.engine.store.records.record_files import RECORD


class Note(msgspec.Struct):
    """The content of a note: the volume's name before and after."""

    old: str
    new: str


_decoder = msgspec.json.Decoder(Note)


@contextmanager
def noted(path: Path, old: str, new: str) -> Iterator[None]:
    """Writes a note to ``path`` before the block and deletes it after. After an error it stays for ``settle``. Raises ``OSError``."""
    with path.open("xb") as file:
        file.write(msgspec.json.encode(Note(old, new)))
        file.flush()
        os.fsync(file.fileno())  # so that a power cut does not leave a renamed folder without its note
    yield
    path.unlink()


def _move_back(new: Path, old: Path) -> None:
    """Gives a folder its former name again.

    A process that used the volume meanwhile may have made an empty folder of that name, which is deleted. If it has written to it, both
    folders stay.
    """
    with suppress(OSError):
        (old / DATA).rmdir()
        (old / RECORD).unlink(missing_ok=True)
        old.rmdir()
    if not old.exists():
        new.rename(old)


def settle(folder: Path, notes: Iterable[Path], has_row: Callable[[str], bool], keep: Callable[[str], None]) -> None:
    """Completes or undoes the renames of killed engines: puts each folder where the row says, and has ``keep`` write the record of a name.

    ``has_row`` returns whether a volume of this name has a row. To be called while no other process changes the volumes.
    """
    for path in notes:
        try:
            note = _decoder.decode(path.read_bytes())
        except msgspec.DecodeError:
            # the note is not complete, so nothing was renamed yet
            path.unlink()
            continue
        old, new = folder / note.old, folder / note.new
        if has_row(note.old) and not has_row(note.new) and new.exists():
            _move_back(new, old)
        for name in (note.old, note.new):
            keep(name)
        path.unlink()
