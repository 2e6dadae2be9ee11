"""SQLite: what was asked for. Short transactions, write-ahead log, one writer at a time, any number of processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moby_tui.engine.kernel import fault
from moby_tui.errors import MobyError, StorageFull

_TABLES = """
CREATE TABLE IF NOT EXISTS containers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS images (id TEXT PRIMARY KEY, created REAL NOT NULL, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS image_references (
  reference TEXT PRIMARY KEY, image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE);
CREATE TABLE IF NOT EXISTS networks (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS volumes (name TEXT PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS engine (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
#: Raised with every change of the tables; a newer data root than this is refused rather than damaged.
_VERSION = 1


class Database:
    """One connection. Use from one thread; every write goes through ``transaction``."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare(path)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise MobyError(f"cannot use database {path}: {error}; restore it, or move it away to begin anew") from error

    def _prepare(self, path: Path) -> None:
        run = self._connection.execute
        run("PRAGMA foreign_keys = ON")
        run("PRAGMA synchronous = NORMAL")
        version = run("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise MobyError(f"data root {path.parent} was written by a newer moby (format {version}); use that one")
        if version < _VERSION:
            run("PRAGMA journal_mode = WAL")
            self._connection.executescript(f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version = {_VERSION};COMMIT;")

    def query(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Reads rows; sees the last committed state."""
        return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of it or nothing. Raises ``StorageFull`` where the disk is."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                fault.point("database.before commit")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            fault.point("database.committed")
        except sqlite3.OperationalError as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if "full" in str(error):
                raise StorageFull("no space left for the engine's database; free some on the data root's disk") from error
            raise MobyError(f"database: {error}") from error

    def close(self) -> None:
        self._connection.close()
