"""SQLite: what was asked for. Short transactions, write-ahead log, one writer at a time, any number of processes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from moby_tui.engine.kernel import fault
from moby_tui.engine.store import disk
from moby_tui.errors import MobyError

_TABLES = """
CREATE TABLE IF NOT EXISTS containers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS images (id TEXT PRIMARY KEY, created REAL NOT NULL, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS image_references (
  reference TEXT PRIMARY KEY, image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE);
CREATE TABLE IF NOT EXISTS condemned (digest TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS networks (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS volumes (name TEXT PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS engine (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
#: Raised with every change of the tables; a newer data root than this is refused rather than damaged.
_VERSION = 2


class Database:
    """One connection. Use from one thread; every write goes through ``transaction``."""

    def __init__(self, path: Path) -> None:
        """Where the disk cannot be written to, what is there can be read all the same. Raises ``MobyError``."""
        self._root = path.parent
        disk.keep_reserve(path.with_name("reserve"))
        at_rest = _is_at_rest(path)
        self._connection = _connect(path)
        try:
            try:
                self._prepare(path)
            except sqlite3.OperationalError:
                self._connection.close()
                if not at_rest or disk.refusal(self._root) is None:
                    raise
                self._connection = _connect(path, "?immutable=1")
                self._prepare(path)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise (disk.refusal(self._root) or _unusable(path, error)) from error

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
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
                raise disk.full(self._root) from error
            if refusal := disk.refusal(self._root):
                raise refusal from error
            raise MobyError(f"database: {error}") from error

    def close(self) -> None:
        self._connection.close()


def _connect(path: Path, how: str = "") -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}{how}", uri=True, timeout=10, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    return connection


def _is_at_rest(path: Path) -> bool:
    """Whether all of it is in the one file: nobody has it open, and nobody who had it was killed (sqlite.org/wal.html)."""
    return path.exists() and not path.with_name(f"{path.name}-wal").exists()


def _unusable(path: Path, error: Exception) -> MobyError:
    try:
        _try_to_open(path)
    except OSError as reason:
        return MobyError(f"cannot use database {path}: {(reason.strerror or str(reason)).lower()}")
    return MobyError(f"cannot use database {path}: {error}; restore it, or move it away to begin anew")


def _try_to_open(path: Path) -> None:
    """As many files as SQLite opens, which does not say why it cannot: the database, its log and its index. Raises ``OSError``."""
    with ExitStack() as opened:
        for _ in range(3):
            opened.callback(os.close, os.open(path, os.O_RDWR | os.O_CLOEXEC))
