"""The rows of a database that is rebuilt: written into a new one, which has none yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from moby_tui.engine.store.database import Database
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.engine.store.records.volumes import VolumeRecord


class ImageRow(NamedTuple):
    """An image with its references. ``created``: when it came to this data root, in Unix seconds."""

    record: ImageRecord
    references: list[str]
    created: float


def write(
    database: Database,
    containers: Iterable[ContainerRecord],
    images: Iterable[ImageRow],
    volumes: Iterable[VolumeRecord],
    values: Mapping[str, str],
) -> None:
    """Writes all of it in one transaction. ``values`` are those of the table ``engine``.

    Of several images with the same reference the first has it.
    """
    images = [*images]
    with database.transaction() as connection:
        run = connection.executemany
        run(
            "INSERT INTO containers (id, name, created, record) VALUES (?, ?, ?, ?)",
            [(record.id, record.name, record.created, msgspec.json.encode(record)) for record in containers],
        )
        run(
            "INSERT INTO images (id, created, record) VALUES (?, ?, ?)",
            [(image.record.id, image.created, msgspec.json.encode(image.record)) for image in images],
        )
        run(
            "INSERT OR IGNORE INTO image_references (reference, image_id) VALUES (?, ?)",
            [(reference, image.record.id) for image in images for reference in image.references],
        )
        run(
            "INSERT INTO volumes (name, record) VALUES (?, ?)",
            [(volume.name, msgspec.json.encode(volume)) for volume in volumes],
        )
        run("INSERT INTO engine (key, value) VALUES (?, ?)", list(values.items()))


def close(database: Database) -> None:
    """Closes a database after all of it has been written into its one file (sqlite.org/wal.html)."""
    database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
