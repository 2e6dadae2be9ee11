"""A volume gets another name: its folder and its row change together, whoever is killed in between.

While it is done a note lies beside the folders. Whoever finds one that nobody is at work with looks at the rows: they say which name counts.
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
    old: str
    new: str


_decoder = msgspec.json.Decoder(Note)


@contextmanager
def noted(path: Path, old: str, new: str) -> Iterator[None]:
    """The note lies at the path meanwhile; after an error it stays for ``settle``. Raises ``OSError``."""
    with path.open("xb") as file:
        file.write(msgspec.json.encode(Note(old, new)))
        file.flush()
        os.fsync(file.fileno())  # a power cut must not keep the renamed folder without what the note says
    yield
    path.unlink()


def _move_back(new: Path, old: Path) -> None:
    """Over an empty folder, which who looked for the volume meanwhile has made; what was written to that since is left, and so is ``new``."""
    with suppress(OSError):
        (old / DATA).rmdir()
        (old / RECORD).unlink(missing_ok=True)
        old.rmdir()
    if not old.exists():
        new.rename(old)


def settle(folder: Path, notes: Iterable[Path], has_row: Callable[[str], bool], keep: Callable[[str], None]) -> None:
    """Puts folders that were renamed without their row back, and has the records kept. To be called by who has the volumes for himself."""
    for path in notes:
        try:
            note = _decoder.decode(path.read_bytes())
        except msgspec.DecodeError:
            # cut short, so nothing was renamed yet
            path.unlink()
            continue
        old, new = folder / note.old, folder / note.new
        if has_row(note.old) and not has_row(note.new) and new.exists():
            _move_back(new, old)
        for name in (note.old, note.new):
            keep(name)
        path.unlink()
