"""The host's own interfaces and routes: needed once a boot, when the bridge is made."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network

from moby_tui.engine.kernel import rtnetlink
from moby_tui.engine.kernel.netlink import NETLINK_ROUTE, open_socket, request


def routes() -> list[tuple[IPv4Network, int]]:
    """Destination and interface index (0: none) of every IPv4 route, in all tables. Blocking. Raises ``OSError``."""
    with open_socket(NETLINK_ROUTE) as link:
        found = [rtnetlink.parse_route(answer) for answer in request(link, rtnetlink.get_routes())]
    return [(IPv4Network((destination, prefix)), index) for destination, prefix, index in found]


def make_bridge(name: str, mac: bytes, mtu: int, address: IPv4Address, subnet: IPv4Network) -> None:
    """A bridge with an address, up; what is there already is left so. Blocking. Raises ``OSError``.

    A fixed hardware address keeps it from taking over, and losing, those of its ports.
    """
    try:
        with open_socket(NETLINK_ROUTE) as link:
            _request_if_missing(link, rtnetlink.new_bridge(name, mac, mtu))
            index = socket.if_nametoindex(name)
            broadcast = subnet.broadcast_address.packed
            _request_if_missing(link, rtnetlink.new_address(index, address.packed, broadcast, subnet.prefixlen))
            request(link, rtnetlink.set_up(index))
    except OSError as error:
        raise OSError(error.errno, f"bridge {name}: {error.strerror}") from error


def _request_if_missing(link: socket.socket, data: bytes) -> None:
    """Lets pass that a thing is there already."""
    try:
        request(link, data)
    except FileExistsError:
        pass
