"""Which subnet a bridge gets, and which address of it a container.

A lease is a symbolic link ``leases/<address>`` whose target is the container's id: made whole, and by one process alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from moby_tui.errors import InvalidArgument, MobyError

#: Docker's default address pools.
_POOLS = [IPv4Network(f"172.{n}.0.0/16") for n in range(17, 32)] + [IPv4Network(f"192.168.{n}.0/20") for n in range(0, 256, 16)]


def choose_subnet(taken: Iterable[IPv4Network]) -> IPv4Network:
    """The first pool that overlaps none of the host's routes, the default one apart. Raises ``MobyError`` without one."""
    routes = [network for network in taken if network.prefixlen]
    for pool in _POOLS:
        if not any(pool.overlaps(route) for route in routes):
            return pool
    raise MobyError("no free subnet for the bridge network: the host's routes cover all of 172.17-31.0.0/16 and 192.168.0.0/16")


def gateway(subnet: IPv4Network) -> IPv4Address:
    return subnet.network_address + 1


def lease(folder: Path, subnet: IPv4Network, container_id: str) -> IPv4Address:
    """Takes the lowest free address. Raises ``MobyError`` where there is none."""
    used = {entry.name for entry in folder.iterdir()} | {str(gateway(subnet))}
    for address in subnet.hosts():
        if str(address) in used:
            continue
        try:
            (folder / str(address)).symlink_to(container_id)
        except FileExistsError:
            continue
        return address
    raise MobyError(f"no available IPv4 addresses on network bridge ({subnet}); remove containers that are not needed")


def mac_of(address: IPv4Address) -> bytes:
    """A hardware address derived from the IPv4 one, so that no neighbour's cache is wrong when the address is used again."""
    return b"\x02\x42" + address.packed


def parse_mac(value: str) -> bytes:
    """Raises ``InvalidArgument`` unless it is the hardware address of one interface."""
    if not re.fullmatch(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}", value):
        raise InvalidArgument(f"invalid MAC address {value!r}; write it as 02:42:ac:11:00:02")
    mac = bytes.fromhex(value.replace(":", "").replace("-", ""))
    if mac[0] & 1 or not any(mac):
        raise InvalidArgument(f"invalid MAC address {value!r}; it must name one interface, not a group or none")
    return mac
