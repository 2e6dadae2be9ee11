"""What can still be read of a database that is lost, damaged or older than its data root."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from moby_tui.engine.store.database import FAILURES
from moby_tui.errors import MobyError

_TABLES = {
    "containers": "id, record, name, created",
    "images": "id, record, created",
    "image_references": "reference, image_id",
    "networks": "id, record, name",
    "volumes": "name, record",
    "engine": "key, value",
}


class Salvage(msgspec.Struct):
    """The rows of each table by their first column, as far as they could be read; ``whole`` if that is all of them."""

    whole: bool = False
    version: int = 0
    tables: dict[str, dict[str, tuple[object, ...]]] = {}

    def rows(self, table: str) -> dict[str, tuple[object, ...]]:
        return self.tables.get(table, {})

    def record(self, table: str, key: str) -> bytes | None:
        row = self.rows(table).get(key)
        return row[0] if row and isinstance(row[0], bytes) else None


def salvage(path: Path, folder: Path) -> Salvage:
    """Reads a copy, which is made in ``folder``: SQLite changes what it opens. Nothing where nothing is there, or all of it is damaged.

    Raises ``MobyError`` if the disk does not take the copy.
    """
    if not path.is_file() or not path.stat().st_size:
        return Salvage()
    with tempfile.TemporaryDirectory(dir=folder, prefix="scratch-") as scratch:
        copy = Path(scratch) / "moby.db"
        try:
            for suffix in ("", "-wal"):
                if os.path.isfile(f"{path}{suffix}"):
                    shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
        except OSError as error:
            raise MobyError(f"cannot copy database {path}: {(error.strerror or str(error)).lower()}") from error
        with suppress(*FAILURES), closing(sqlite3.connect(copy)) as connection:
            connection.text_factory = lambda data: data.decode(errors="replace")
            return _read(connection)
    return Salvage()


def _read(connection: sqlite3.Connection) -> Salvage:
    salvage = Salvage(whole=True)
    with suppress(*FAILURES):
        salvage.version = connection.execute("PRAGMA user_version").fetchone()[0]
    for table, columns in _TABLES.items():
        salvage.tables[table], complete = _rows(connection, table, columns)
        salvage.whole = salvage.whole and complete
    try:
        salvage.whole = salvage.whole and connection.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok"
    except FAILURES:
        salvage.whole = False
    return salvage


def _rows(connection: sqlite3.Connection, table: str, columns: str) -> tuple[dict[str, tuple[object, ...]], bool]:
    """From both ends up to what cannot be read; whether that is all."""
    rows: dict[str, tuple[object, ...]] = {}
    for order in ("ASC", "DESC"):
        try:
            for key, *values in connection.execute(f"SELECT {columns} FROM {table} ORDER BY rowid {order}"):
                rows[str(key)] = tuple(values)
        except FAILURES:
            continue
        return rows, True
    return rows, False
