"""The networks: as the former database had them, else the predefined ones as running containers know them, and users' by their records."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Network

import msgspec

from moby_tui.engine.recovery.found import Found, Sources, is_decodable
from moby_tui.engine.resources.networks.manager import NetworkManager
from moby_tui.engine.store import networks as rows
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.networks import PREDEFINED
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records import record_files
from moby_tui.engine.store.records.containers import NetworkState
from moby_tui.engine.store.records.networks import NetworkRecord
from moby_tui.engine.store.salvage import Salvage

_decoder = msgspec.json.Decoder(NetworkRecord)


def is_readable(old: Salvage) -> bool:
    return is_decodable(_decoder.decode, (row[0] for row in old.rows("networks").values()))


def restore(paths: Paths, database: Database, sources: Sources, found: Found) -> None:
    """Writes the rows of the predefined networks, and of those whose records were found.

    Raises ``MobyError`` if the new database cannot be written.
    """
    _restore_predefined(paths, database, sources, found)
    _restore_recorded(paths, database)


def _restore_recorded(paths: Paths, database: Database) -> None:
    """The networks of users that have a record, where the former database told nothing of them."""
    recorded = []
    for ident, record in record_files.read_networks(paths.data_root).items():
        with suppress(ValueError):
            network = _decoder.decode(record)
            if ident == network.id:
                recorded.append(network)
    rows.add_missing(database, recorded)


def _restore_predefined(paths: Paths, database: Database, sources: Sources, found: Found) -> None:
    for salvaged in (sources.old, sources.backup):
        salvaged_rows = [(ident, *row) for ident, row in salvaged.rows("networks").items()]
        if is_readable(salvaged) and PREDEFINED.keys() <= {str(name) for _, _, name in salvaged_rows}:
            rows.restore_rows(database, [(str(ident), str(name), record) for ident, record, name in salvaged_rows])
            return
    _restore_from_containers(paths, database, found)


def _restore_from_containers(paths: Paths, database: Database, found: Found) -> None:
    ids: dict[str, str] = {}
    subnet: IPv4Network | None = None
    for record in found.containers.values():
        for name, endpoint in NetworkState.read(paths.container(record.id).network).endpoints.items():
            if name in PREDEFINED and endpoint.network_id:
                ids[name] = endpoint.network_id
            if name == "bridge" and endpoint.ip_address:
                with suppress(ValueError):
                    subnet = IPv4Network(f"{endpoint.ip_address}/{endpoint.ip_prefix_len}", strict=False)
    NetworkManager(paths, database, lambda *_: None).restore(ids, subnet)
