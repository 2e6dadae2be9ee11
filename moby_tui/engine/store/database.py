"""SQLite: what was asked for. Short transactions, write-ahead log, one writer at a time, any number of processes."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from moby_tui.engine.kernel import fault
from moby_tui.engine.store import disk
from moby_tui.errors import MobyError, StorageFull, StorageReadOnly

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
#: The format of a data root, which a step of ``store/migrations`` leads to. A data root of a newer format is refused.
VERSION = 3
#: Older formats lack a table that even those need who only look.
_READABLE = 2
_NAMES = frozenset(("containers", "images", "image_references", "networks", "volumes", "engine"))
#: The ends of the names of the files that a database consists of (sqlite.org/tempfiles.html).
FILES = ("", "-wal", "-shm", "-journal")
#: What SQLite's calls raise. The second, where the text of the error quotes a damaged schema: Python decodes it before it knows the error.
FAILURES = (sqlite3.DatabaseError, UnicodeDecodeError)
#: Bytes of free space without which SQLite opens no database: its index (sqlite.org/walformat.html) and some pages of its log.
_NEEDED = 64 * 1024
#: No backup is made more often than this: a command pays for it.
_BACKUP_SECONDS = 600.0
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
#: What a person does about a database that is lost or damaged.
ADVICE = "put back a good copy, or run 'moby system recover' to rebuild it from what is on disk"

T = TypeVar("T")
#: The connection, and two counts.
Version = tuple[sqlite3.Connection, int, int]


class DatabaseDamaged(MobyError):
    """The database, or a row of it, cannot be read."""


class Database:
    """One connection. Every write goes through ``transaction``, of which one at a time is under way, whatever threads ask for one."""

    def __init__(self, path: Path) -> None:
        """Where the disk cannot be written to, what is there can be read all the same. Raises ``MobyError``."""
        #: the data root
        self.root = path.parent
        self.path = path
        self._writing = threading.RLock()
        _check_files(path)
        disk.keep_reserve(path.with_name("reserve"))
        at_rest = _is_at_rest(path)
        self._is_writable = True
        #: the connection before, from which other threads may be reading
        self._superseded: sqlite3.Connection | None = None
        try:
            self.connection = _connect(path)
        except FAILURES as error:
            raise (self._refusal() or _unusable(path, error)) from error
        try:
            try:
                self._prepare(path)
            except (sqlite3.OperationalError, StorageFull, StorageReadOnly):
                self.connection.close()
                if not at_rest or self._refusal() is None:
                    raise
                self.connection = _connect(path, "?immutable=1")
                self._is_writable = False
                self._prepare(path)
            self._file = _identity(path)
        except FAILURES as error:
            self.connection.close()
            raise (self._refusal() or _unusable(path, error)) from error
        except MobyError:
            self.connection.close()
            raise

    def _refusal(self) -> StorageFull | StorageReadOnly | None:
        return disk.refusal(self.root, _NEEDED)

    def _prepare(self, path: Path) -> None:
        """Makes the tables of a new database, and migrates that of an older format."""
        run = self.connection.execute
        run("PRAGMA foreign_keys = ON")
        run("PRAGMA synchronous = NORMAL")
        version = run("PRAGMA user_version").fetchone()[0]
        _check_ours(path, version, {row["name"] for row in run("SELECT name FROM sqlite_master WHERE type = 'table'")})
        if version > VERSION:
            raise MobyError(f"data root {path.parent} was written by a newer moby (format {version}); use that one")
        if version == 0:
            run("PRAGMA journal_mode = WAL")
            self.connection.executescript(f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version = {VERSION};COMMIT;")
        elif version < VERSION and self._is_writable:
            # imported here, since a data root is migrated once
            from moby_tui.engine.store.migrations import migration

            migration.migrate(self.connection, path)
        elif version < _READABLE:
            raise self._refusal() or MobyError(f"data root {path.parent} is of an older format and cannot be migrated")

    def last_boot(self) -> str:
        """The boot in which an engine last found all in order; empty if none has said so."""
        rows = self.query("SELECT value FROM engine WHERE key = 'boot'")
        return str(rows[0]["value"]) if rows else ""

    def note_boot(self, boot: str) -> None:
        """All is in order in this boot. Written once a boot; a disk that takes nothing is no reason not to open."""
        if self.last_boot() != boot:
            with suppress(MobyError), self.transaction() as connection:
                connection.execute("INSERT OR REPLACE INTO engine (key, value) VALUES ('boot', ?)", (boot,))

    def identity(self) -> str:
        """The id of this data root, 32 hexadecimal digits: made on its first use, and kept."""
        with self.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO engine (key, value) VALUES ('id', ?)", (os.urandom(16).hex(),))
        return str(self.query("SELECT value FROM engine WHERE key = 'id'")[0]["value"])

    def has_condemned(self) -> bool:
        """Whether layers or blobs wait to be swept. Here, and not with the images, since every engine asks when it opens the data root."""
        return bool(self.query("SELECT 1 FROM condemned LIMIT 1"))

    def query(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Reads rows; sees the last committed state. Raises ``DatabaseDamaged``, or ``MobyError`` for what else SQLite refuses."""
        try:
            return self.connection.execute(sql, values).fetchall()
        except UnicodeEncodeError:
            # a name with a lone surrogate, which a program can pass: no row has such a value
            return []
        except FAILURES as error:
            raise self._explained(error) from error

    def version(self) -> Version | None:
        """Differs from an earlier one if a process, this one too, has committed a change since then. None in the middle of a transaction.

        SQLite counts the commits of all other connections (PRAGMA data_version), and the changes of this one, which counts those too that
        are undone. Raises as ``query`` does.
        """
        connection = self.connection
        number = int(self.query("PRAGMA data_version")[0][0])
        version = connection, number, connection.total_changes
        # another thread may be about to undo what it has changed
        return None if connection.in_transaction else version

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of it or nothing.

        Raises ``StorageFull`` if the disk is, ``DatabaseDamaged``, and ``sqlite3.IntegrityError`` for rows that contradict others.
        """
        self._check_in_place()
        with self._writing:
            if not self._is_writable:
                self._try_to_write()
            yield from self._transact()

    def _try_to_write(self) -> None:
        """Opens it anew where it could only be read, for lack of space. Raises ``MobyError`` where that is still so."""
        reading = self.connection
        self._is_writable = True
        try:
            self.connection = _connect(self.path)
            self._prepare(self.path)
        except (*FAILURES, MobyError) as error:
            if self.connection is not reading:
                self.connection.close()
            self.connection, self._is_writable = reading, False
            raise (self._refusal() or MobyError(f"database: {error}")) from error
        self._superseded = reading

    def _transact(self) -> Iterator[sqlite3.Connection]:
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                fault.point("database.before commit")
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")
            fault.point("database.committed")
        except sqlite3.IntegrityError:
            raise
        except FAILURES as error:
            if self.connection.in_transaction:
                with suppress(*FAILURES):
                    self.connection.execute("ROLLBACK")
            raise self._explained(error) from error

    def _check_in_place(self) -> None:
        """What is written to a file that has lost its name is lost. Raises ``MobyError``."""
        if _identity(self.path) != self._file:
            raise MobyError(
                f"database {self.path} was removed or replaced while this process had it open; "
                "end this process, and the next says what to do"
            )

    def _explained(self, error: sqlite3.DatabaseError | UnicodeDecodeError) -> MobyError:
        """The error as one of ours: the database is damaged, the disk is full or refuses to be written, or what SQLite says."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGE or "decode" in str(error).lower():
            return damaged(self.path, _cause(error))
        if code == sqlite3.SQLITE_FULL:
            return disk.full(self.root)
        return self._refusal() or MobyError(f"database: {error}")

    def is_backup_due(self) -> bool:
        """True if the database has changed since its last backup (``backup.py``), and that is a while ago."""
        try:
            made = os.stat(f"{self.path}.backup").st_mtime
        except FileNotFoundError:
            return True
        # a clock that was set back leaves one from the future
        return abs(time.time() - made) >= _BACKUP_SECONDS and _changed(self.path) > made

    def close(self) -> None:
        self.connection.close()
        if self._superseded is not None:
            self._superseded.close()


def _cause(error: Exception) -> str:
    return "its schema is no text" if isinstance(error, UnicodeDecodeError) else str(error)


def damaged(path: Path, what: str) -> DatabaseDamaged:
    return DatabaseDamaged(f"database {path} is damaged ({what}); {ADVICE}")


def decoded(decode: Callable[[bytes], T], record: bytes, owner: str) -> T:
    """The record of a row. Raises ``DatabaseDamaged``, naming whose it is."""
    try:
        return decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError) as error:
        raise DatabaseDamaged(f"the database is damaged (the row of {owner} cannot be read: {error}); {ADVICE}") from error


def _check_ours(path: Path, version: int, tables: set[str]) -> None:
    """Raises ``MobyError`` for the database of another program."""
    if tables and (version < 1 or not _NAMES.issubset(tables)):
        raise DatabaseDamaged(f"{path} is the database of another program; {ADVICE}")
    if not tables and version:
        raise DatabaseDamaged(f"database {path} has no tables; {ADVICE}")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _quoted(path: str) -> str:
    """A path in a URI (sqlite.org/uri.html, section 3.1). ``urllib.parse`` would take longer to import than the database to open."""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _changed(path: Path) -> float:
    times = [os.stat(path).st_mtime]
    with suppress(FileNotFoundError):
        times.append(os.stat(f"{path}-wal").st_mtime)
    return max(times)


def _connect(path: Path, how: str = "") -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{_quoted(str(path))}{how}", uri=True, timeout=10, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    return connection


def _is_at_rest(path: Path) -> bool:
    """Whether all of it is in the one file: its log is empty or missing (sqlite.org/wal.html). Who finds no space to open it leaves an empty
    one."""
    try:
        return path.exists() and path.with_name(f"{path.name}-wal").stat().st_size == 0
    except FileNotFoundError:
        return True


def _check_files(path: Path) -> None:
    """Raises ``DatabaseDamaged`` where the database or a file that SQLite keeps beside it is no regular file, of which SQLite says nothing
    that helps."""
    for suffix in FILES:
        file = f"{path}{suffix}"
        try:
            what = "" if stat.S_ISREG(os.stat(file).st_mode) else "is not a regular file"
        except FileNotFoundError:
            continue
        except OSError as error:
            what = (error.strerror or str(error)).lower()
        if what:
            raise DatabaseDamaged(f"cannot use database {path}: {file}: {what}; {ADVICE}")


def _unusable(path: Path, error: Exception) -> MobyError:
    try:
        _try_to_open(path)
    except OSError as reason:
        return MobyError(f"cannot use database {path}: {(reason.strerror or str(reason)).lower()}")
    return DatabaseDamaged(f"cannot use database {path}: {_cause(error)}; {ADVICE}")


def _try_to_open(path: Path) -> None:
    """As many files as SQLite opens, which does not say why it cannot: the database, its log and its index. Raises ``OSError``."""
    with ExitStack() as opened:
        for _ in range(3):
            opened.callback(os.close, os.open(path, os.O_RDWR | os.O_CLOEXEC))
