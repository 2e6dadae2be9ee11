"""Interfaces, addresses and routes as rtnetlink messages (rtnetlink(7), linux/if_link.h).

Every function returns the bytes of a message, or of two; any may be joined and sent together.
"""

from __future__ import annotations

import ipaddress
import socket
import struct

from moby_tui.engine.kernel.network.netlink import (
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    attribute,
    attributes,
    message,
    nested,
    text,
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK = 1
#: The multicast group that is told of interfaces (RTNLGRP_LINK).
LINK_CHANGES = 1

_RTM_NEWLINK, _RTM_DELLINK, _RTM_GETLINK, _RTM_NEWADDR, _RTM_DELADDR = 16, 17, 18, 20, 21
_RTM_NEWROUTE, _RTM_DELROUTE, _RTM_GETROUTE = 24, 25, 26
_IFF_UP = 0x1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_NET_NS_FD = 1, 3, 4, 10, 18, 20, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _IFLA_INFO_SLAVE_KIND, _IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
_IFLA_BRPORT_MODE = 4
_VETH_INFO_PEER = 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_FLAGS = 1, 2, 4, 8
#: No duplicate is looked for: nobody else has the address, and until the search ends nobody could use it (rfc 4862, section 5.4).
_IFA_F_NODAD = 0x02
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY = 1, 4, 5, 6
_RT_TABLE_MAIN, _RTPROT_BOOT, _RT_SCOPE_UNIVERSE, _RT_SCOPE_LINK, _RTN_UNICAST = 254, 3, 0, 253, 1
#: linux/if.h, IFALIASZ, without the zero byte at its end
LONGEST_ALIAS = 254
_IFINFO = struct.Struct("=BxHlLL")
_RTMSG = struct.Struct("=BBBBBBBBL")
_IFADDR = struct.Struct("=BBBBL")


class Link:
    """An interface: its kind ("bridge"; empty for a device), its alias, and the bridge whose port it is (0: none)."""

    __slots__ = ("alias", "index", "kind", "master", "name")

    def __init__(self, index: int, name: str, kind: str, alias: str, master: int) -> None:
        self.index = index
        self.name = name
        self.kind = kind
        self.alias = alias
        self.master = master


class Route:
    """A route of the main or another table: where to, by which interface (0: none)."""

    __slots__ = ("destination", "interface")

    def __init__(self, destination: Subnet, interface: int) -> None:
        self.destination = destination
        self.interface = interface


def new_veth(name: str, mtu: int, *, peer: str, peer_mac: bytes, peer_netns: int) -> bytes:
    """A pair (veth(4)): one end here, the other in the namespace of a descriptor. Both are down: neither can go up alone."""
    end = b"".join(
        (
            _link_header(),
            text(_IFLA_IFNAME, peer),
            attribute(_IFLA_ADDRESS, peer_mac),
            attribute(_IFLA_MTU, struct.pack("=L", mtu)),
            attribute(_IFLA_NET_NS_FD, struct.pack("=L", peer_netns)),
        )
    )
    return message(
        _RTM_NEWLINK,
        NLM_F_CREATE | NLM_F_EXCL,
        _link_header(),
        text(_IFLA_IFNAME, name),
        attribute(_IFLA_MTU, struct.pack("=L", mtu)),
        nested(_IFLA_LINKINFO, text(_IFLA_INFO_KIND, "veth"), nested(_IFLA_INFO_DATA, nested(_VETH_INFO_PEER, end))),
    )


def new_bridge(name: str, mac: bytes) -> bytes:
    """A bridge, which is down. Answered with EEXIST where an interface has the name."""
    return message(
        _RTM_NEWLINK,
        NLM_F_CREATE | NLM_F_EXCL,
        _link_header(),
        text(_IFLA_IFNAME, name),
        attribute(_IFLA_ADDRESS, mac),
        nested(_IFLA_LINKINFO, text(_IFLA_INFO_KIND, "bridge")),
    )


def set_port_up(name: str, bridge: int) -> bytes:
    """Makes an interface a port of the bridge with that index, brings it up, and lets the bridge send frames back through it.

    That last (hairpin) is how a container reaches a published port of its own where br_netfilter translates addresses
    inside the bridge.
    """
    own_name = text(_IFLA_IFNAME, name)
    hairpin = nested(_IFLA_INFO_SLAVE_DATA, attribute(_IFLA_BRPORT_MODE, b"\1"))
    return message(
        _RTM_NEWLINK, 0, _link_header(up=True), own_name, attribute(_IFLA_MASTER, struct.pack("=L", bridge))
    ) + message(_RTM_NEWLINK, 0, _link_header(), own_name, nested(_IFLA_LINKINFO, text(_IFLA_INFO_SLAVE_KIND, "bridge"), hairpin))


def set_up(index: int) -> bytes:
    """Brings an interface up."""
    return message(_RTM_NEWLINK, 0, _link_header(index, up=True))


def set_mtu(index: int, mtu: int, alias: str = "") -> bytes:
    """Gives an interface its MTU, and an alias of at most ``LONGEST_ALIAS`` bytes if one is named.

    A bridge keeps an MTU that it gets so; one that it was made with changes with its ports. The kernel takes no alias when it makes one.
    """
    own_alias = text(_IFLA_IFALIAS, alias) if alias else b""
    return message(_RTM_NEWLINK, 0, _link_header(index), attribute(_IFLA_MTU, struct.pack("=L", mtu)), own_alias)


def delete_link(name: str) -> bytes:
    """Deletes an interface (of a veth pair: both ends). Answered with ENODEV if there is none."""
    return message(_RTM_DELLINK, 0, _link_header(), text(_IFLA_IFNAME, name))


def get_link(name: str) -> bytes:
    """Asks for an interface. Answered with ENODEV if there is none."""
    return message(_RTM_GETLINK, 0, _link_header(), text(_IFLA_IFNAME, name))


def deleted_link(kind: int, body: bytes) -> int | None:
    """The number of the interface that a message says was deleted; None if it says something else (as that one left a bridge)."""
    family, _, index, _, _ = _IFINFO.unpack_from(body)
    return index if kind == _RTM_DELLINK and family == socket.AF_UNSPEC else None


def new_address(index: int, address: Interface, *, scope_link: bool = False) -> bytes:
    """Gives an interface an address; the route to its subnet comes with it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    scope = _RT_SCOPE_LINK if scope_link else _RT_SCOPE_UNIVERSE
    parts = [attribute(_IFA_LOCAL, address.ip.packed), attribute(_IFA_ADDRESS, address.ip.packed)]
    if address.version == 4:
        parts.append(attribute(_IFA_BROADCAST, address.network.broadcast_address.packed))
    else:
        parts.append(attribute(_IFA_FLAGS, struct.pack("=L", _IFA_F_NODAD)))
    header = _IFADDR.pack(family, address.network.prefixlen, 0, scope, index)
    return message(_RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, header, *parts)


def delete_address(index: int, address: Interface) -> bytes:
    """Takes an address from an interface. Answered with EADDRNOTAVAIL if it does not have it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    parts = [attribute(_IFA_LOCAL, address.ip.packed), attribute(_IFA_ADDRESS, address.ip.packed)]
    return message(_RTM_DELADDR, 0, _IFADDR.pack(family, address.network.prefixlen, 0, 0, index), *parts)


def new_default_route(index: int, gateway: Address | None, *, version: int = 4) -> bytes:
    """The default route by an interface: over a gateway, or straight if there is none (then of IP ``version``)."""
    family = socket.AF_INET if (gateway.version if gateway else version) == 4 else socket.AF_INET6
    scope = _RT_SCOPE_UNIVERSE if gateway else _RT_SCOPE_LINK
    via = [attribute(_RTA_GATEWAY, gateway.packed)] if gateway else []
    return message(
        _RTM_NEWROUTE,
        NLM_F_CREATE | NLM_F_EXCL,
        _route_header(family, scope),
        *via,
        attribute(_RTA_OIF, struct.pack("=L", index)),
    )


def delete_default_route(version: int) -> bytes:
    """Answered with ESRCH if there is none."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    header = _RTMSG.pack(family, 0, 0, 0, _RT_TABLE_MAIN, 0, 255, 0, 0)
    return message(_RTM_DELROUTE, 0, header)


def list_routes(version: int) -> bytes:
    """Asks for all routes of one IP version; ``route_of`` reads the answers."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    return message(_RTM_GETROUTE, NLM_F_DUMP, _RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))


def route_of(answer: bytes) -> Route:
    """A route in the body of an answer to ``list_routes``."""
    family, prefix, *_ = _RTMSG.unpack_from(answer)
    values = attributes(answer[_RTMSG.size :])
    nowhere = bytes(4 if family == socket.AF_INET else 16)
    destination = ipaddress.ip_network((values.get(_RTA_DST, nowhere), prefix), strict=False)
    return Route(destination, struct.unpack("=L", values[_RTA_OIF])[0] if _RTA_OIF in values else 0)


def list_links() -> bytes:
    """Asks for all interfaces; ``mtu_of`` and ``link_of`` read the answers."""
    return message(_RTM_GETLINK, NLM_F_DUMP, _link_header())


def mtu_of(answer: bytes) -> tuple[int, int]:
    """Index and MTU of an interface in the body of an answer to ``list_links``."""
    _, _, index, _, _ = _IFINFO.unpack_from(answer)
    values = attributes(answer[_IFINFO.size :])
    return index, struct.unpack("=L", values[_IFLA_MTU])[0]


def link_of(answer: bytes) -> Link:
    """An interface in the body of an answer to ``list_links``."""
    _, _, index, _, _ = _IFINFO.unpack_from(answer)
    values = attributes(answer[_IFINFO.size :])
    kind = attributes(values.get(_IFLA_LINKINFO, b"")).get(_IFLA_INFO_KIND, b"")
    name, alias = values[_IFLA_IFNAME], values.get(_IFLA_IFALIAS, b"")
    master = struct.unpack("=L", values[_IFLA_MASTER])[0] if _IFLA_MASTER in values else 0
    return Link(index, _string(name), _string(kind), _string(alias), master)


def _string(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="surrogateescape")


def _route_header(family: int, scope: int) -> bytes:
    """struct rtmsg of a default route."""
    return _RTMSG.pack(family, 0, 0, 0, _RT_TABLE_MAIN, _RTPROT_BOOT, scope, _RTN_UNICAST, 0)


def _link_header(index: int = 0, *, up: bool = False) -> bytes:
    """struct ifinfomsg."""
    flags = _IFF_UP if up else 0
    return _IFINFO.pack(socket.AF_UNSPEC, 0, index, flags, flags)
