"""The migration of one data root: all steps from its format to that of today in one transaction, after a backup of the database."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from moby_tui.engine.kernel import fault
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.store.migrations import format_2, format_3
from moby_tui.errors import MobyError

#: The step that leads to each format from the one before it.
STEPS: dict[int, Callable[[sqlite3.Connection, Path], None]] = {2: format_2.migrate, 3: format_3.migrate}


def migrate(connection: sqlite3.Connection, database: Path) -> None:
    """Migrates the data root of this database, which is open, or nothing of it. Another engine that opens it meanwhile waits.

    The former database is kept beside it, named after its format. A step that writes files writes whole files, and writes them again if
    it is repeated after a crash. Raises ``sqlite3.DatabaseError``, and ``MobyError`` if the disk takes no more.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        # another engine may have migrated it since this one looked
        former = connection.execute("PRAGMA user_version").fetchone()[0]
        steps = [number for number in sorted(STEPS) if number > former]
        if steps:
            _back_up(database, backup_path(database, former))
        for number in steps:
            STEPS[number](connection, database.parent)
            connection.execute(f"PRAGMA user_version = {number}")
            fault.point("migration.step done")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def backup_path(database: Path, version: int) -> Path:
    """Where the database of an older format is kept: ``moby.db.format-2``."""
    return database.with_name(f"{database.name}.format-{version}")


def _back_up(database: Path, path: Path) -> None:
    """Copies the last committed state, by a connection of its own: the one that holds the write lock cannot (sqlite.org/backup.html)."""
    draft = path.with_name(f"{path.name}.draft")
    try:
        with refusals_told(path.parent):
            draft.unlink(missing_ok=True)
            os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(draft, isolation_level=None)) as copy:
                source.backup(copy)
                # one file, without a write-ahead log beside it
                copy.execute("PRAGMA journal_mode = DELETE")
            draft.rename(path)
    except BaseException as error:
        with suppress(OSError):
            draft.unlink()
        if isinstance(error, OSError):
            raise MobyError(f"cannot back up the database to {path}: {error.strerror}") from error
        raise
