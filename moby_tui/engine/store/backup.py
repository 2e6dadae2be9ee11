"""A copy of the database beside it, made with SQLite's backup interface (sqlite.org/backup.html) by an engine that starts."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from moby_tui.engine.store import disk
from moby_tui.engine.store.database import FAILURES, FILES, Database


def make(database: Database) -> None:
    """Replaces the backup, atomically; a database that is not whole is not copied. Nothing is said where the disk does not take it."""
    if disk.refusal(database.root) is not None:
        return
    draft = database.path.with_name(f"{database.path.name}.backup.draft")
    with suppress(OSError, *FAILURES):
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # whoever holds it is making one
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _make(database, draft, fd)
        finally:
            os.close(fd)


def _make(database: Database, draft: Path, fd: int) -> None:
    os.ftruncate(fd, 0)
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")
            database.connection.backup(copy)
            whole = copy.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        if whole:
            os.rename(draft, f"{database.path}.backup")
    finally:
        for suffix in FILES:
            with suppress(FileNotFoundError):
                os.unlink(f"{draft}{suffix}")
