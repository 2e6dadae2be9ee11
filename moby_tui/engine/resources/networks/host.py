"""The host's routes and the MTUs of its interfaces, from the kernel (rtnetlink(7)). All functions block."""

from __future__ import annotations

from moby_tui.engine.kernel.network import rtnetlink
from moby_tui.engine.kernel.network.netlink import NETLINK_ROUTE, open_socket, request
from moby_tui.engine.kernel.network.rtnetlink import Route


def routes() -> list[Route]:
    """Every route, in all tables, of both IP versions. Raises ``OSError``."""
    with open_socket(NETLINK_ROUTE) as link:
        answers = [answer for version in (4, 6) for answer in request(link, rtnetlink.list_routes(version))]
    return [rtnetlink.route_of(answer) for answer in answers]


def sizes_to_the_world() -> list[int]:
    """The MTU in bytes of each interface that has a default route. Raises ``OSError``.

    A bridge with a larger MTU would only cause fragments.
    """
    outward = {route.interface for route in routes() if not route.destination.prefixlen and route.interface}
    if not outward:
        return []
    with open_socket(NETLINK_ROUTE) as link:
        sizes = dict(rtnetlink.mtu_of(answer) for answer in request(link, rtnetlink.list_links()))
    # IPv6 has an unreachable default route on the loopback interface
    return [sizes[index] for index in outward if index in sizes and index != rtnetlink.LOOPBACK]
