"""Format 3 has a record beside the files of each container, image and volume, and one of each network, with the JSON of its row."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from moby_tui.engine.store.records import record_files

#: Every engine makes these itself.
_PREDEFINED = ("bridge", "host", "none")


def migrate(connection: sqlite3.Connection, data_root: Path) -> None:
    """Raises ``StorageFull``, ``StorageReadOnly`` if a container's record cannot be written."""
    for row in connection.execute("SELECT id, name, record FROM containers"):
        record_files.keep_container(data_root, row["id"], row["name"], row["record"])
    for row in connection.execute("SELECT id, record FROM images"):
        sql = "SELECT reference FROM image_references WHERE image_id = ? ORDER BY reference"
        references = [str(reference["reference"]) for reference in connection.execute(sql, (row["id"],))]
        record_files.keep_image(data_root, row["id"], references, row["record"])
    for row in connection.execute("SELECT name, record FROM volumes"):
        record_files.keep_volume(data_root / "volumes" / row["name"], row["record"])
    for row in connection.execute("SELECT id, name, record FROM networks"):
        if row["name"] not in _PREDEFINED:
            record_files.keep_network(data_root, row["id"], row["record"])
