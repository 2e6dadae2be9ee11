"""Whether the database of a data root is the one that belongs to it: what lies on disk is held against the rows."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

import msgspec

from moby_tui.engine.store.containers import ContainerStore
from moby_tui.engine.store.database import ADVICE, Database
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records import record_files
from moby_tui.errors import MobyError

#: A container's folder; what else lies there (lost+found) is none of ours.
_ID = r"[0-9a-f]{64}"


class DatabaseLost(MobyError):
    """The data root holds what its database does not know. Nothing was changed."""


class Strays(msgspec.Struct):
    """What no row owns. ``containers`` are ids, ``unborn`` those that a killed creator left; ``images`` are ids, ``volumes`` names."""

    containers: list[str]
    images: list[str]
    volumes: list[str]
    unborn: list[str]

    def __str__(self) -> str:
        kinds = (("container", self.containers), ("image", self.images), ("volume", self.volumes))
        names = [f"{kind} {ids[0][:12] if kind != 'volume' else ids[0]}" for kind, ids in kinds if ids]
        more = sum(len(ids) for _, ids in kinds) - len(names)
        return ", ".join(names) + (f" and {more} more" if more else "")

    @property
    def any(self) -> bool:
        return bool(self.containers or self.images or self.volumes)


def check_present(paths: Paths) -> None:
    """To be called before a database is made. Raises ``DatabaseLost`` if there is none, and the data root is not new.

    Also where the folder of the containers is gone while the database is there: a disk that is not mounted.
    """
    if not is_empty(paths.database):
        if not (paths.data_root / "containers").is_dir():
            raise DatabaseLost(
                f"data root {paths.data_root} has a database but no folder containers; mount or put back what belongs there, "
                "or run 'moby system recover' to go on without it"
            )
        return
    # whoever begins a data root just now makes its database before anything else
    if (contents := _contents(paths)) and is_empty(paths.database):
        what = "is missing" if not os.path.lexists(paths.database) else "is empty"
        raise DatabaseLost(f"database {paths.database} {what}, but {paths.data_root} holds {contents}; {ADVICE}")


def is_empty(database: Path) -> bool:
    """Whether the file is missing or empty. What is no file is neither: ``Database`` refuses it."""
    try:
        status = os.stat(database)
    except OSError as error:
        return error.errno == errno.ENOENT
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


def _contents(paths: Paths) -> str:
    """What would be lost with the database."""
    containers = paths.data_root / "containers"
    for name, there in (
        ("containers", any(not record_files.is_unborn(containers / name) for name in container_ids(paths))),
        ("volumes", bool(volume_names(paths))),
        ("images", bool(_names(paths.blobs / "sha256") or _names(paths.layers))),
    ):
        if there:
            return name
    return ""


def find_strays(paths: Paths, database: Database) -> Strays:
    """What no row owns. Removal takes the files before the row, and the proof of an image or a container is written after the row."""
    strays = Strays([], [], [], [])
    containers = paths.data_root / "containers"
    for name in ContainerStore(database).unknown(container_ids(paths)):
        (strays.unborn if record_files.is_unborn(containers / name) else strays.containers).append(name)
    images = recorded_images(paths)
    strays.images += [
        ident for ident in images - _image_rows(database) if record_files.image_path(paths.data_root, ident).exists()
    ]
    if volumes := set(volume_names(paths)) - _volume_rows(database):
        recorded = {name for name in volumes if (paths.volumes / name / record_files.RECORD).exists()}
        # one that was being made when the rows were read
        strays.volumes += recorded - _volume_rows(database)
    return strays


def check_complete(paths: Paths, database: Database) -> list[str]:
    """Raises ``DatabaseLost`` if the data root holds what an older or a new database cannot know. Returns the unborn containers."""
    strays = find_strays(paths, database)
    if strays.any:
        raise DatabaseLost(f"database {paths.database} is new or older than the data root: it does not know {strays}; {ADVICE}")
    return strays.unborn


def container_ids(paths: Paths) -> list[str]:
    """Of the folders that are there."""
    return [name for name in _names(paths.data_root / "containers") if re.fullmatch(_ID, name)]


def recorded_images(paths: Paths) -> set[str]:
    """The ids of the images that have a record of their own."""
    names = {name.removesuffix(".json") for name in _names(paths.data_root / "images")}
    return {f"sha256:{name}" for name in names if re.fullmatch(_ID, name)}


def volume_names(paths: Paths) -> list[str]:
    """Of the folders that are there."""
    return [name for name in _names(paths.volumes) if not name.startswith(".")]


def _image_rows(database: Database) -> set[str]:
    return {str(row["id"]) for row in database.query("SELECT id FROM images")}


def _volume_rows(database: Database) -> set[str]:
    return {str(row["name"]) for row in database.query("SELECT name FROM volumes")}


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
