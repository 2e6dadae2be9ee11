"""The names of containers on each network, as files: a folder for each network, in it one small file for each container.

An engine writes a container's file before the container can be reached. The teardown of the container's
endpoint, which its monitor does, removes the file.
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
    """One container on one network. ``names`` are in lower case; the first is the container's name, the others are aliases.

    ``links`` are the names that this container alone has for others: from each alias to a name on the network, in lower case.
    """

    __slots__ = ("addresses", "links", "names", "network")

    def __init__(self, network: str, names: list[str], addresses: list[Address], links: dict[str, str] | None = None) -> None:
        self.network = network
        self.names = names
        self.addresses = addresses
        self.links = links or {}


def path_of(folder: Path, network_id: str, container_id: str) -> Path:
    """The file of a container on a network. ``folder`` is that of all zones of a data root, here and below."""
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
    """Writes the names and addresses of a container on a network, in place of those that it had there. Raises ``OSError``."""
    path = path_of(folder, network_id, container_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{container_id}.{os.getpid()}")
    lower, plain = [name.lower() for name in names], [str(address) for address in addresses]
    lower_links = {alias.lower(): name.lower() for alias, name in (links or {}).items()}
    temporary.write_bytes(ZoneEntry(network=network, names=lower, addresses=plain, links=lower_links).encode())
    temporary.replace(path)


def remove(folder: Path, network_id: str) -> None:
    """Removes the folder of a network that was removed."""
    import shutil  # imported here, since an engine that starts a container removes no network

    shutil.rmtree(folder / network_id, ignore_errors=True)


def read(path: str) -> Entry | None:
    """Reads an entry. Returns None if the file does not exist or is damaged."""
    try:
        with open(path, "rb") as file:
            entry = ZoneEntry.decode(file.read())
        return Entry(entry.network, entry.names, [ipaddress.ip_address(text) for text in entry.addresses], entry.links)
    except (OSError, ValueError):
        return None


#: Nanoseconds. A folder's time of change is that of the kernel's last tick, at most 10 ms ago: a second change within the same tick has the
#: same time, so the folder is read again until the time is older than this.
_TICK_NS = 20_000_000
_UNSETTLED = -1


class Zones:
    """The entries of all networks of one data root. A folder is read again when its time of change is another."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._stamp = 0
        self._networks: dict[str, int] = {}
        self._entries: dict[str, dict[str, Entry]] = {}
        #: the number of changes so far: after another one, remembered answers may be wrong
        self.changes = 0

    def refresh(self) -> None:
        """Reads the folders that have changed since the last call."""
        stamp = _changed_at(self._folder)
        if stamp == _UNSETTLED or stamp != self._stamp:
            self._stamp = stamp
            names = {name for name in _listed(self._folder) if not name.startswith(".")}
            self._networks = {name: self._networks.get(name, _UNSETTLED) for name in names}
            self._entries = {name: entries for name, entries in self._entries.items() if name in names}
            self.changes += 1
        for network, before in self._networks.items():
            now = _changed_at(f"{self._folder}/{network}")
            if now == _UNSETTLED or now != before:
                self._networks[network] = now
                self._entries[network] = self._read(network)
                self.changes += 1

    def _read(self, network: str) -> dict[str, Entry]:
        folder = f"{self._folder}/{network}"
        entries = {name: read(f"{folder}/{name}") for name in _listed(folder) if not name.startswith(".")}
        return {name: entry for name, entry in entries.items() if entry is not None}

    def seen_by(self, container_id: str) -> list[Entry]:
        """The entries of all networks that the container is in."""
        return [entry for entries in self._entries.values() if container_id in entries for entry in entries.values()]

    def own(self, container_id: str) -> list[Entry]:
        """The container's own entries, one on each network that it is in."""
        return [entries[container_id] for entries in self._entries.values() if container_id in entries]


def _changed_at(path: str) -> int:
    """The folder's time of change in nanoseconds; ``_UNSETTLED`` if it is so new that another change may have the same; 0 without the
    folder."""
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
