"""What is kept of a volume: its row, its record and its folder, which change together. Runs in an engine."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from moby_tui.engine.kernel import fault, trees
from moby_tui.engine.resources.volumes import ownership, wire
from moby_tui.engine.resources.volumes.populate import DATA
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.locks import FileLock
from moby_tui.engine.store.records import record_files
from moby_tui.engine.store.records.volumes import VolumeRecord
from moby_tui.engine.store.volumes import VolumeRows
from moby_tui.errors import Conflict, MobyError
from moby_tui.schema.volume import Volume

#: The beginning of the names of folders that are being removed or renamed. No volume's name begins with a dot.
_REMOVED = ".removed-"
RENAMING = ".renaming-"

#: ``(type, action, id, attributes)``, as ``Journal.publish`` takes them.
Publish = Callable[[str, str, str, dict[str, str]], object]


class VolumeStore:
    """The volumes of one data root, each in a folder of its name below ``folder``; the rows are the engine's database's."""

    def __init__(self, folder: Path, database: Database, publish: Publish) -> None:
        self.folder = folder
        self._rows = VolumeRows(database)
        self._publish = publish

    def guard(self) -> FileLock:
        """The shared lock that a process holds from ``resolve`` until the container has its row: no process removes a volume meanwhile."""
        return FileLock(self.folder / ".lock", shared=True)

    def removal(self) -> FileLock:
        """The exclusive lock of a process that removes or renames a volume: waits for every process that holds ``guard``."""
        return FileLock(self.folder / ".lock")

    def all(self) -> list[VolumeRecord]:
        """All volumes that have a row, by name."""
        return self._rows.all()

    def find(self, name: str) -> VolumeRecord | None:
        """The volume of a name; None if it has no row."""
        return self._rows.find(name)

    def create(
        self, name: str, labels: dict[str, str] | None, options: dict[str, str] | None = None, *, made: Path | None = None
    ) -> Volume:
        """Makes what a volume lacks of its row and its folder. ``made`` is a folder that becomes the volume's.

        Raises ``Conflict`` if ``made`` is given and the volume exists.
        """
        data = self.folder / name / DATA
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        volume = Volume(name=name, mountpoint=str(data), created_at=created, labels=labels, options=options)

        def furnish(is_new: bool) -> None:
            if made is not None:
                if not is_new:
                    raise _taken(name)
                made.rename(data.parent)
            self.make_folders(name)
            if is_new and made is None:
                self._furnish(data.parent, options or {})

        row = self._rows.insert(wire.volume_to_keep(volume), furnish)
        if row is None:
            known = self._rows.find(name)
            return wire.volume_to_show(known) if known is not None else volume
        record_files.keep_volume(self.folder / name, row)
        self._publish("volume", "create", name, {"driver": "local"})
        return volume

    def _furnish(self, folder: Path, options: dict[str, str]) -> None:
        """Limits a new volume, and gives it its owner and mode. A folder that the killed creation of another volume left gets them too."""
        self.limit(folder, options)
        with trees.closing(open_folder(str(folder / DATA), os.O_RDONLY)) as data:
            if not os.listdir(data):
                ownership.PLAIN.apply(data)
        if (owner := ownership.of(options)) is not None:
            from moby_tui.engine.resources.volumes import driver_options  # few volumes have one

            driver_options.own(owner, folder)
            fault.point("volumes.owner set")

    def limit(self, folder: Path, options: dict[str, str]) -> None:
        """Limits a new folder to the option ``size``, if there is one. An error deletes the folder. Raises ``MobyError``."""
        if "size" not in options:
            return
        from moby_tui.engine.resources.volumes import driver_options

        try:
            driver_options.limit(options, folder)
        except BaseException:
            trees.remove(folder)
            raise

    def adopt(self, volume: Volume, labels: dict[str, str] | None, options: dict[str, str] | None) -> Volume:
        """Writes the row of a volume that a plug-in has. Its status is not kept: the plug-in is asked each time."""
        volume.labels, volume.options = labels, options
        row = self._rows.insert(wire.volume_to_keep(volume))
        if row is None:
            known = self._rows.find(volume.name)
            return wire.volume_to_show(known) if known is not None else volume
        with contextlib.suppress(OSError):
            (self.folder / volume.name).mkdir(mode=0o701, exist_ok=True)
        record_files.keep_volume(self.folder / volume.name, row)
        self._publish("volume", "create", volume.name, {"driver": volume.driver})
        return volume

    def make_folders(self, name: str) -> None:
        """Makes the volume's folder, and the one of its content, unless they are there."""
        data = self.folder / name / DATA
        data.parent.mkdir(mode=0o701, exist_ok=True)
        data.mkdir(mode=0o755, exist_ok=True)

    def check_free(self, name: str) -> None:
        """Raises ``Conflict`` if a volume has this name, or a folder that is no volume's lies in its place."""
        if self._rows.find(name) is not None:
            raise _taken(name)
        if (self.folder / name).exists():
            raise Conflict(f"in the place of volume {name} lies a folder that no volume has; take another name")

    def rename(self, name: str, new: str) -> None:
        """Renames folder, row and record of a volume in which no file system is mounted. Raises ``Conflict`` if the new name is taken.

        The record is deleted first and written again last: a record without a row would mean that the database is not that of the data
        root. After an error ``settle_renames`` undoes what was done.
        """
        from moby_tui.engine.resources.volumes import renaming

        self.check_free(new)
        self.make_folders(name)
        with renaming.noted(self.folder / f"{RENAMING}{os.urandom(8).hex()}", name, new):
            record_files.drop_volume(self.folder / name)
            fault.point("volumes.rename noted")

            def move() -> None:
                (self.folder / name).rename(self.folder / new)
                fault.point("volumes.folder renamed")

            record = self._rows.rename(name, new, str(self.folder / new / DATA), move)
            if record is None:
                raise _taken(new)
            fault.point("volumes.rename committed")
            record_files.keep_volume(self.folder / new, record)

    def settle_renames(self) -> None:
        """Completes or undoes the renames that were cut short. To be called with the lock ``removal``."""
        from moby_tui.engine.resources.volumes import renaming

        def keep(name: str) -> None:
            if volume := self._rows.find(name):
                record_files.keep_volume(self.folder / name, msgspec.json.encode(volume))

        renaming.settle(self.folder, self.folder.glob(f"{RENAMING}*"), lambda name: self._rows.find(name) is not None, keep)

    def remove(self, name: str, driver: str = "local") -> bool:
        """Removes a volume's row, and renames its folder, which ``sweep`` deletes. Returns True if there was a row.

        The folder is renamed before the row is deleted: after a crash the name never leads to a folder that is half deleted. No file
        system may be mounted in it.
        """

        def put_aside() -> None:
            if (self.folder / name).exists():
                (self.folder / name).rename(self.folder / f"{_REMOVED}{os.urandom(8).hex()}")

        removed = self._rows.delete(name, put_aside)
        if removed or driver != "local":
            self._publish("volume", "destroy", name, {"driver": driver})
        return removed

    def sweep(self) -> None:
        """Deletes the folders of removed volumes, also those that killed engines have left."""
        for folder in self.folder.glob(f"{_REMOVED}*"):
            with contextlib.suppress(OSError):  # the next sweep tries again
                trees.remove(folder)
        from moby_tui.engine.resources.volumes import cloning

        cloning.sweep(self.folder)


def open_folder(path: str, how: int = os.O_PATH) -> int:
    """Opens a folder, without ``how`` with O_PATH. Raises ``MobyError`` for anything else: a plug-in's answer can name any path."""
    try:
        return os.open(path, how | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise MobyError(f"cannot open the volume's folder {path}: {error.strerror}") from error


def _taken(name: str) -> Conflict:
    return Conflict(f"a volume {name} is there already; take another name, or remove it")
