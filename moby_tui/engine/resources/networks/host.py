"""The host's own interfaces and routes, through pyroute2.

This is needed once a boot, when the bridge is made, and is imported only then: pyroute2 takes longer to import than a container to
start. What every start does goes out as prepared messages instead (``kernel/rtnetlink.py``).
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError


def routes() -> list[tuple[IPv4Network, int]]:
    """Destination and interface index (0: none) of every IPv4 route, in all tables. Blocking."""
    found = []
    with IPRoute() as ip:
        for route in ip.get_routes(family=socket.AF_INET):
            attributes = dict(route["attrs"])
            network = IPv4Network((attributes.get("RTA_DST", "0.0.0.0"), route["dst_len"]))
            found.append((network, int(attributes.get("RTA_OIF", 0))))
    return found


def make_bridge(name: str, mac: bytes, mtu: int, address: IPv4Address, subnet: IPv4Network) -> None:
    """A bridge with an address, up; what is there already is left so. Blocking. Raises ``OSError``.

    A fixed hardware address keeps it from taking over, and losing, those of its ports.
    """
    try:
        with IPRoute() as ip:
            with _if_missing():
                ip.link("add", ifname=name, kind="bridge", address=mac.hex(":"), mtu=mtu)
            index = socket.if_nametoindex(name)
            with _if_missing():
                ip.addr(
                    "add", index=index, address=str(address), prefixlen=subnet.prefixlen, broadcast=str(subnet.broadcast_address)
                )
            ip.link("set", index=index, state="up")
    except NetlinkError as error:
        raise OSError(error.code, f"bridge {name}: {error}") from error


@contextmanager
def _if_missing() -> Iterator[None]:
    """Lets pass that a thing is there already."""
    try:
        yield
    except NetlinkError as error:
        if error.code != errno.EEXIST:
            raise
