"""The predefined networks: as the former database had them, else as the containers that run know them."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from ipaddress import IPv4Network

from moby_tui.engine.containers.start.start import read_network
from moby_tui.engine.recovery.found import Found, Sources, is_decodable
from moby_tui.engine.resources.networks.manager import NetworkManager
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.salvage import Salvage
from moby_tui.schema.base import decode
from moby_tui.schema.network import Network

_PREDEFINED = frozenset(("bridge", "host", "none"))


def is_readable(old: Salvage) -> bool:
    return is_decodable(partial(decode, kind=Network), (row[0] for row in old.rows("networks").values()))


def restore(paths: Paths, database: Database, sources: Sources, found: Found) -> None:
    for salvaged in (sources.old, sources.backup):
        rows = [(ident, *row) for ident, row in salvaged.rows("networks").items()]
        if is_readable(salvaged) and _PREDEFINED.issubset(str(name) for _, _, name in rows):
            with database.transaction() as connection:
                connection.executemany("INSERT INTO networks (id, record, name) VALUES (?, ?, ?)", rows)
            return
    _restore_from_containers(paths, database, found)


def _restore_from_containers(paths: Paths, database: Database, found: Found) -> None:
    ids: dict[str, str] = {}
    subnet: IPv4Network | None = None
    for record in found.containers.values():
        for name, endpoint in read_network(paths.container(record.id)).endpoints.items():
            if name in _PREDEFINED and endpoint.network_id:
                ids[name] = endpoint.network_id
            if name == "bridge" and endpoint.ip_address:
                with suppress(ValueError):
                    subnet = IPv4Network(f"{endpoint.ip_address}/{endpoint.ip_prefix_len}", strict=False)
    NetworkManager(paths, database, lambda *_: None).restore(ids, subnet)
