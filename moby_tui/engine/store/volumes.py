"""The volumes, as rows of the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec

from moby_tui.engine.store.database import Database, decoded
from moby_tui.engine.store.records.volumes import VolumeRecord

_decoder = msgspec.json.Decoder(VolumeRecord)


class VolumeRows:
    """The rows of ``volumes``. What a caller does to the files inside a transaction happens together with the row, or not at all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[VolumeRecord]:
        """All volumes, by name."""
        return [_volume(row) for row in self._database.query("SELECT record FROM volumes ORDER BY name")]

    def find(self, name: str) -> VolumeRecord | None:
        rows = self._database.query("SELECT record FROM volumes WHERE name = ?", name)
        return _volume(rows[0]) if rows else None

    def insert(self, volume: VolumeRecord, furnish: Callable[[bool], None] = lambda _: None) -> bytes | None:
        """Adds a volume; returns the JSON of its row, or None if the name has a row, which stays as it is.

        ``furnish(is_new)`` makes the folder, inside the transaction.
        """
        record = msgspec.json.encode(volume)
        with self._database.transaction() as connection:
            insert = "INSERT OR IGNORE INTO volumes (name, record) VALUES (?, ?)"
            is_new = connection.execute(insert, (volume.name, record)).rowcount > 0
            furnish(is_new)
        return record if is_new else None

    def rename(self, name: str, new: str, mountpoint: str, move: Callable[[], None]) -> bytes | None:
        """Gives a volume another name and place; returns the JSON of its row, or None if the name is taken.

        ``move`` moves the folder, inside the transaction.
        """
        with self._database.transaction() as connection:
            [row] = connection.execute("SELECT record FROM volumes WHERE name = ?", (name,))
            record = msgspec.json.encode(msgspec.structs.replace(_volume(row), name=new, mountpoint=mountpoint))
            update = "UPDATE OR IGNORE volumes SET name = ?, record = ? WHERE name = ?"
            if connection.execute(update, (new, record, name)).rowcount == 0:
                return None
            move()
        return record

    def delete(self, name: str, put_aside: Callable[[], None]) -> bool:
        """Removes a row after ``put_aside``, inside the transaction; returns whether there was one."""
        with self._database.transaction() as connection:
            put_aside()
            return connection.execute("DELETE FROM volumes WHERE name = ?", (name,)).rowcount > 0


def _volume(row: sqlite3.Row) -> VolumeRecord:
    return decoded(_decoder.decode, row["record"], "a volume")
