"""The records that lie beside what they describe: what a row of the database holds of one container, image or volume.

The engine works with the rows alone. From these files a lost database is rebuilt (``engine/recovery/rebuild.py``), and they prove
that a row was committed once: they get their names after that, so a record without a row means that the database is not
the one that wrote it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from moby_tui.engine.store.disk import refusals_told

#: The name of a container's and a volume's record in its folder.
RECORD = "record.json"
#: The same of a container whose row is not known to be committed.
UNCOMMITTED = "record.new"


class Kept(msgspec.Struct, kw_only=True):
    """One file. ``record`` is the JSON of the row; ``name`` of a container; ``references`` of an image."""

    version: Literal[1] = 1
    name: str = ""
    references: list[str] = []
    record: msgspec.Raw


def container_folder(data_root: Path, container_id: str) -> Path:
    return data_root / "containers" / container_id


def image_path(data_root: Path, image_id: str) -> Path:
    return data_root / "images" / f"{image_id.removeprefix('sha256:')}.json"


def write_uncommitted(folder: Path, name: str, record: bytes) -> None:
    """Writes the record of a container that is being created; its row is about to be committed. Raises ``OSError``."""
    (folder / UNCOMMITTED).write_bytes(_encode(record, name=name))


def note_committed(folder: Path) -> None:
    """The container's row is committed: from now on its folder is never taken for what a killed creator left.

    Where the disk does not take it, or the creator was killed before, the container's start does it.
    """
    with suppress(OSError):
        os.rename(folder / UNCOMMITTED, folder / RECORD)


def keep_container(data_root: Path, container_id: str, name: str, record: bytes) -> None:
    """Replaces a container's record, atomically; nothing where its folder is gone. Raises ``StorageFull``, ``StorageReadOnly``."""
    folder = container_folder(data_root, container_id)
    with suppress(FileNotFoundError), refusals_told(data_root):
        _replace(folder / RECORD, _encode(record, name=name))
        (folder / UNCOMMITTED).unlink(missing_ok=True)


def keep_image(data_root: Path, image_id: str, references: list[str], record: bytes) -> None:
    """Replaces an image's record, atomically. Where the disk takes none the next change of the image writes it."""
    path = image_path(data_root, image_id)
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _replace(path, _encode(record, references=references))


def drop_image(data_root: Path, image_id: str) -> None:
    """To be done before the row goes: a record without a row means that the row was lost."""
    image_path(data_root, image_id).unlink(missing_ok=True)


def keep_volume(folder: Path, record: bytes) -> None:
    """Writes a volume's record. Where the disk takes none its folder alone tells of it."""
    with suppress(OSError):
        _replace(folder / RECORD, _encode(record))


def drop_volume(folder: Path) -> None:
    """To be done before the folder goes, or gets another name."""
    (folder / RECORD).unlink(missing_ok=True)


def network_path(data_root: Path, network_id: str) -> Path:
    return data_root / "networks" / f"{network_id}.json"


def keep_network(data_root: Path, network_id: str, record: bytes) -> None:
    """Replaces the record of a user's network, atomically. Where the disk takes none, its row alone tells of it."""
    path = network_path(data_root, network_id)
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _replace(path, _encode(record))


def drop_network(data_root: Path, network_id: str) -> None:
    """To be done before the row goes."""
    network_path(data_root, network_id).unlink(missing_ok=True)


def read_networks(data_root: Path) -> dict[str, bytes]:
    """The rows' JSON of all networks that have a record, by their ids."""
    contents: dict[str, bytes] = {}
    for path in sorted((data_root / "networks").glob("*.json")):
        if (kept := read(path)) is not None:
            contents[path.stem] = bytes(kept.record)
    return contents


def read(path: Path) -> Kept | None:
    """The record; None if there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def is_unborn(folder: Path) -> bool:
    """Whether a container's folder without a row is what a creator left that was killed before it committed the row.

    Such a folder has no committed record, was never started, and nothing was ever written to its layer.
    """
    try:
        if not {UNCOMMITTED, "upper", "work"}.issuperset(os.listdir(folder)):
            return False
        with suppress(FileNotFoundError):
            return not os.listdir(folder / "upper")
        return True
    except FileNotFoundError:
        # removed meanwhile
        return True
    except NotADirectoryError:
        return False


def _encode(record: bytes, *, name: str = "", references: list[str] | None = None) -> bytes:
    return msgspec.json.encode(Kept(name=name, references=references or [], record=msgspec.Raw(record)))


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
