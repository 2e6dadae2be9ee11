"""The containers that were asked for, as rows of the database. Whether they run is not here: see ``store/state.py``."""

# no annotations from __future__: msgspec would have each one compiled and evaluated, in every command that reads such a record
import os
import re
import sqlite3
from collections.abc import Callable, Iterable

import msgspec

from moby_tui.engine.store.database import Database, Version, decoded
from moby_tui.engine.store.records import record_files
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.errors import Conflict, InvalidArgument, NotFound

_ATTEMPTS = 16
_HEX = frozenset("0123456789abcdef")
SAME_NAME = "Renaming a container with the same name as its current name"
_NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]+"

_ADJECTIVES = """
able airy alert amber ample apt arctic ardent azure balmy bold brave bright brisk broad calm candid chief civil clear clever
coral cosmic crisp curious daring deep deft eager early earnest easy fair famous fast fine firm fleet fluent fond frank fresh
gentle glad golden grand green happy hardy honest humble ideal jolly just keen kind late level light lively loyal lucid lucky
major mellow merry mighty mild modest neat nimble noble patient plain polite prime proud quick quiet rapid ready regal robust
rosy royal rural sharp silent silver simple smart smooth snug solid sound spry steady stoic strong sturdy subtle sunny sure
swift tall tender tidy tough tranquil trusty upbeat urban valid vast vivid warm wise witty young zesty
"""

_SURNAMES = """
abel ampere anning avogadro babbage banach banneker bardeen bell bernoulli bohr bolyai boole borlaug bose boyle brahe braun
cantor carson carver cauchy cerf chandra church codd conway copernicus coulomb crick curie dalton darwin davy descartes dirac
doppler eckert edison einstein engelbart erdos euler faraday fermat fermi feynman fibonacci fleming fourier franklin galois
galilei gauss gibbs goedel goodall hamilton hawking heisenberg herschel hertz hilbert hodgkin hopper hubble huygens hypatia
jacobi joule kepler kilby knuth lagrange laplace lavoisier leavitt leibniz linnaeus lovelace maxwell mcclintock meitner mendel
mirzakhani nash newton nightingale noether ohm pascal pasteur pauli planck poincare ptolemy ramanujan riemann ritchie rutherford
sagan shannon somerville tesla thales thompson torvalds turing volta watt wiles wu yalow
"""

_decoder = msgspec.json.Decoder(ContainerRecord)


class ContainerStore:
    """The rows of ``containers``. The column ``name`` is the truth about the name, so that an update does not undo a rename."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> Version | None:
        return self._database.version()

    def insert(self, record: ContainerRecord, furnish: Callable[[ContainerRecord], None] = lambda _: None) -> ContainerRecord:
        """Adds a container; returns it with its name, which is made up where it has none.

        ``furnish`` makes its folder, inside the transaction: whoever holds the database for writing sees no folder that is just being
        made.

        Raises ``InvalidArgument`` for a name that cannot be one, ``Conflict`` for one that is taken.
        """
        if record.name:
            return self._insert(msgspec.structs.replace(record, name=check_name(record.name)), furnish)
        for attempt in range(_ATTEMPTS):
            try:
                return self._insert(msgspec.structs.replace(record, name=random_name(attempt)), furnish)
            except Conflict:
                continue
        raise Conflict("no free container name was found; give one with --name")

    def get(self, ref: str) -> ContainerRecord:
        """The container with this id, this name (with or without slash), or the only one whose id begins so.

        Raises ``NotFound``, or ``InvalidArgument`` if several ids begin so.
        """
        rows = self._database.query("SELECT name, record FROM containers WHERE id = ?", ref)
        rows = rows or self._database.query("SELECT name, record FROM containers WHERE name = ?", ref.removeprefix("/"))
        if not rows and ref and _HEX.issuperset(ref):
            rows = self._database.query("SELECT name, record FROM containers WHERE id GLOB ? LIMIT 2", f"{ref}*")
        if not rows:
            raise NotFound(f"No such container: {ref}")
        if len(rows) > 1:
            raise InvalidArgument(f"multiple IDs found with provided prefix: {ref}")
        return _record(rows[0])

    def list(self) -> list[ContainerRecord]:
        """All containers, the newest first."""
        return [_record(row) for row in self._database.query("SELECT name, record FROM containers ORDER BY created DESC, id")]

    def unknown(self, names: Iterable[str]) -> set[str]:
        """Those of the names that are no container's id, nor will be: no other process is creating one meanwhile."""
        unknown = set(names) - self.ids()
        if unknown:
            with self._database.transaction():
                unknown -= self.ids()
        return unknown

    def ids(self) -> set[str]:
        """Of all containers."""
        return {row["id"] for row in self._database.query("SELECT id FROM containers")}

    def network_ids(self) -> dict[str, str]:
        """From the name of each network to its id."""
        return {row["name"]: row["id"] for row in self._database.query("SELECT name, id FROM networks")}

    def image_ids(self) -> dict[str, str]:
        """From the full name of each image, ``docker.io/library/busybox:latest``, to its id."""
        return {
            row["reference"]: row["image_id"] for row in self._database.query("SELECT reference, image_id FROM image_references")
        }

    def update(self, record: ContainerRecord) -> None:
        """Replaces what is known of a container, except for its name. Raises ``NotFound``."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE containers SET record = ? WHERE id = ?", (msgspec.json.encode(record), record.id)
            )
            if changed.rowcount == 0:
                raise NotFound(f"No such container: {record.id}")
            self._keep(connection, record.id)

    def rename(self, container_id: str, name: str) -> str:
        """Gives a container another name; returns the one it had. Raises ``InvalidArgument``, ``Conflict`` or ``NotFound``."""
        name = check_name(name)
        with self._database.transaction() as connection:
            row = connection.execute("SELECT name FROM containers WHERE id = ?", (container_id,)).fetchone()
            if row is None:
                raise NotFound(f"No such container: {container_id}")
            former: str = row["name"]
            if former == name:
                raise InvalidArgument(SAME_NAME)
            _check_free(connection, name)
            connection.execute("UPDATE containers SET name = ? WHERE id = ?", (name, container_id))
            self._keep(connection, container_id)
        return former

    def delete(self, container_id: str) -> bool:
        """Forgets a container; returns whether it was known."""
        with self._database.transaction() as connection:
            return connection.execute("DELETE FROM containers WHERE id = ?", (container_id,)).rowcount > 0

    def _keep(self, connection: sqlite3.Connection, container_id: str) -> None:
        row = connection.execute("SELECT name, record FROM containers WHERE id = ?", (container_id,)).fetchone()
        record_files.keep_container(self._database.root, container_id, row["name"], row["record"])

    def _insert(self, record: ContainerRecord, furnish: Callable[[ContainerRecord], None]) -> ContainerRecord:
        with self._database.transaction() as connection:
            _check_free(connection, record.name)
            connection.execute(
                "INSERT INTO containers (id, name, created, record) VALUES (?, ?, ?, ?)",
                (record.id, record.name, record.created, msgspec.json.encode(record)),
            )
            furnish(record)
        return record


def _check_free(connection: sqlite3.Connection, name: str) -> None:
    row = connection.execute("SELECT id FROM containers WHERE name = ?", (name,)).fetchone()
    if row is not None:
        raise Conflict(
            f'Conflict. The container name "/{name}" is already in use by container "{row["id"]}". '
            "You have to remove (or rename) that container to be able to reuse that name."
        )


def _record(row: sqlite3.Row) -> ContainerRecord:
    record = decoded(_decoder.decode, row["record"], f"container {row['name']}")
    record.name = row["name"]
    return record


def check_name(name: str) -> str:
    """The name, without a leading slash. Raises ``InvalidArgument`` if a container cannot be called so."""
    bare = name.removeprefix("/")
    if not re.fullmatch(_NAME, bare):
        raise InvalidArgument(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return bare


def random_name(attempt: int = 0) -> str:
    """A name nobody chose, as ``keen_noether``; with a number once the plain ones seem to run out."""
    name = f"{_any_of(_ADJECTIVES.split())}_{_any_of(_SURNAMES.split())}"
    return name if attempt < 5 else f"{name}{_below(10 ** (attempt - 4))}"


def _any_of(words: list[str]) -> str:
    return words[_below(len(words))]


def _below(limit: int) -> int:
    """Any number below the limit. Importing ``random`` would take longer than all else that a name needs."""
    return int.from_bytes(os.urandom(8), "little") % limit
