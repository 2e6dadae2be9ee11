"""What containers are called on each network: one small file for each container in it, below a folder for the network.

An engine writes a file before the container can be reached and names it in the teardown of the container's place, so it goes with that.
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from moby_tui.engine.protocol.network import ZoneEntry

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Entry:
    """One container on one network. ``names`` are lower case; the first is the container's own. ``links`` are what it calls others there:
    from each alias to a name on the network, in lower case."""

    __slots__ = ("addresses", "links", "names", "network")

    def __init__(self, network: str, names: list[str], addresses: list[Address], links: dict[str, str] | None = None) -> None:
        self.network = network
        self.names = names
        self.addresses = addresses
        self.links = links or {}


def path_of(folder: Path, network_id: str, container_id: str) -> Path:
    return folder / network_id / container_id


def write(
    folder: Path,
    network_id: str,
    container_id: str,
    network: str,
    names: Iterable[str],
    addresses: Iterable[Address],
    links: Mapping[str, str] | None = None,
) -> None:
    """What the container is called on the network from now on. Raises ``OSError``."""
    path = path_of(folder, network_id, container_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{container_id}.{os.getpid()}")
    lower, plain = [name.lower() for name in names], [str(address) for address in addresses]
    lower_links = {alias.lower(): name.lower() for alias, name in (links or {}).items()}
    temporary.write_bytes(ZoneEntry(network=network, names=lower, addresses=plain, links=lower_links).encode())
    temporary.replace(path)


def remove(folder: Path, network_id: str) -> None:
    """Forgets a network that is gone."""
    import shutil  # not worth its import to whoever only starts a container

    shutil.rmtree(folder / network_id, ignore_errors=True)


def read(path: str) -> Entry | None:
    """An entry; None where the file is gone or is no entry."""
    try:
        with open(path, "rb") as file:
            entry = ZoneEntry.decode(file.read())
        return Entry(entry.network, entry.names, [ipaddress.ip_address(text) for text in entry.addresses], entry.links)
    except (OSError, ValueError):
        return None


#: A folder's time of change is that of the kernel's last tick, of 10 ms at the most: within it the folder may change again unseen.
_TICK_NS = 20_000_000
_UNSETTLED = -1


class Zones:
    """All entries of one data root, kept up to date by their folders' times of change."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._stamp = 0
        self._networks: dict[str, int] = {}
        self._entries: dict[str, dict[str, Entry]] = {}
        #: counts every change: what was answered before may be wrong now
        self.changes = 0

    def refresh(self) -> None:
        """Reads what has changed since the last call."""
        stamp = _changed_at(self._folder)
        if stamp == _UNSETTLED or stamp != self._stamp:
            self._stamp = stamp
            there = {name for name in _listed(self._folder) if not name.startswith(".")}
            self._networks = {name: self._networks.get(name, _UNSETTLED) for name in there}
            self._entries = {name: entries for name, entries in self._entries.items() if name in there}
            self.changes += 1
        for network, before in self._networks.items():
            now = _changed_at(f"{self._folder}/{network}")
            if now == _UNSETTLED or now != before:
                self._networks[network] = now
                self._entries[network] = self._read(network)
                self.changes += 1

    def _read(self, network: str) -> dict[str, Entry]:
        folder = f"{self._folder}/{network}"
        read_ = {name: read(f"{folder}/{name}") for name in _listed(folder) if not name.startswith(".")}
        return {name: entry for name, entry in read_.items() if entry is not None}

    def seen_by(self, container_id: str) -> list[Entry]:
        """The entries of all networks that the container is in."""
        return [entry for entries in self._entries.values() if container_id in entries for entry in entries.values()]

    def own(self, container_id: str) -> list[Entry]:
        """The container's own entries, one on each network that it is in."""
        return [entries[container_id] for entries in self._entries.values() if container_id in entries]


def _changed_at(path: str) -> int:
    """When the folder was last changed; ``_UNSETTLED`` where that is only just so."""
    try:
        changed = os.stat(path).st_mtime_ns
    except OSError:
        return 0
    return changed if time.time_ns() - changed > _TICK_NS else _UNSETTLED


def _listed(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []
