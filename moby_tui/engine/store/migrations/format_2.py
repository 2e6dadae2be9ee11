"""Format 2 has the table ``condemned``: the digests of layers and blobs that the next sweep deletes unless an image has them."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def migrate(connection: sqlite3.Connection, _data_root: Path) -> None:
    connection.execute("CREATE TABLE condemned (digest TEXT PRIMARY KEY)")
