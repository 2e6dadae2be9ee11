"""The networks in the database. Those that every engine has are written with the first look at them, and keep their ids."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from moby_tui.engine.store.database import Database, decoded
from moby_tui.engine.store.records.networks import NetworkRecord
from moby_tui.errors import Conflict
from moby_tui.schema.base import encode

#: Name and driver of the predefined networks.
PREDEFINED = {"bridge": "bridge", "host": "host", "none": "null"}
_decoder = msgspec.json.Decoder(NetworkRecord)
_SELECT = "SELECT record FROM networks"


def load(database: Database) -> list[NetworkRecord]:
    """All networks, by name."""
    rows = database.query(f"{_SELECT} ORDER BY name")
    if not rows:
        with database.transaction() as connection:
            for name, driver in PREDEFINED.items():
                _insert(connection, name, driver, os.urandom(32).hex())
        rows = database.query(f"{_SELECT} ORDER BY name")
    return [_network(row) for row in rows]


def find(database: Database, ref: str) -> NetworkRecord | None:
    """The network with this id, else that with this name, read alone: a host may have hundreds. None if there is neither."""
    rows = database.query(f"{_SELECT} WHERE id = ?1 OR name = ?1 ORDER BY id <> ?1 LIMIT 1", ref)
    return _network(rows[0]) if rows else None


def update(database: Database, network_id: str, change: Callable[[NetworkRecord], None]) -> NetworkRecord:
    """Changes one network in a transaction; ``change`` sees it as it is then. Returns it as it is now."""
    with database.transaction() as connection:
        row = connection.execute(f"{_SELECT} WHERE id = ?", (network_id,)).fetchone()
        network = _network(row)
        change(network)
        connection.execute("UPDATE networks SET record = ? WHERE id = ?", (encode(network), network_id))
    return network


def _network(row: sqlite3.Row) -> NetworkRecord:
    return decoded(_decoder.decode, row["record"], "a network")


def restore(database: Database, ids: Mapping[str, str]) -> None:
    """Writes the predefined networks with the ids that containers know them by. For a database without networks."""
    with database.transaction() as connection:
        for name, driver in PREDEFINED.items():
            _insert(connection, name, driver, ids.get(name) or os.urandom(32).hex())


def restore_rows(database: Database, rows: Iterable[tuple[str, str, object]]) -> None:
    """Writes rows of a former database: id, name and record. For a database without networks."""
    with database.transaction() as connection:
        connection.executemany("INSERT INTO networks (id, name, record) VALUES (?, ?, ?)", rows)


def add_missing(database: Database, networks: Iterable[NetworkRecord]) -> None:
    """Adds those networks whose id and name no row has."""
    with database.transaction() as connection:
        connection.executemany(
            "INSERT OR IGNORE INTO networks (id, name, record) VALUES (?, ?, ?)",
            [(network.id, network.name, encode(network)) for network in networks],
        )


def insert(database: Database, make: Callable[[list[NetworkRecord]], NetworkRecord]) -> NetworkRecord:
    """Adds a network; ``make`` sees all that there are, so that two processes choose no overlapping subnets.

    Raises ``Conflict`` if the name is taken."""
    load(database)
    with database.transaction() as connection:
        there = [_network(row) for row in connection.execute(_SELECT)]
        network = make(there)
        if any(other.name == network.name for other in there):
            raise Conflict(f"network with name {network.name} already exists")
        connection.execute(
            "INSERT INTO networks (id, name, record) VALUES (?, ?, ?)", (network.id, network.name, encode(network))
        )
    return network


def delete(database: Database, network_id: str, check: Callable[[list[NetworkRecord]], None] | None = None) -> bool:
    """Removes a network's row; returns true if it was there. ``check`` is called before, with all networks; if it raises, the row stays."""
    with database.transaction() as connection:
        if check is not None:
            check([_network(row) for row in connection.execute(_SELECT)])
        return connection.execute("DELETE FROM networks WHERE id = ?", (network_id,)).rowcount > 0


def _insert(connection: sqlite3.Connection, name: str, driver: str, ident: str) -> None:
    created = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    network = NetworkRecord(name=name, id=ident, created=created, driver=driver)
    connection.execute("INSERT OR IGNORE INTO networks (id, name, record) VALUES (?, ?, ?)", (network.id, name, encode(network)))
