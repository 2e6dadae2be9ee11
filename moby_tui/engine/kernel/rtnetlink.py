"""Interfaces, addresses and routes as rtnetlink messages (rtnetlink(7), linux/if_link.h). IPv4.

Every function returns the bytes of a message, or of two; any may be joined and sent together.
"""

from __future__ import annotations

import socket
import struct

from moby_tui.engine.kernel.netlink import NLM_F_CREATE, NLM_F_EXCL, attribute, message, nested, text

LOOPBACK = 1

_RTM_NEWLINK, _RTM_DELLINK, _RTM_NEWADDR, _RTM_NEWROUTE = 16, 17, 20, 24
_IFF_UP = 0x1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 4, 10, 18, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _IFLA_INFO_SLAVE_KIND, _IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
_IFLA_BRPORT_MODE = 4
_VETH_INFO_PEER = 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_RTA_OIF, _RTA_GATEWAY = 4, 5
_RT_TABLE_MAIN, _RTPROT_BOOT, _RT_SCOPE_UNIVERSE, _RTN_UNICAST = 254, 3, 0, 1


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


def delete_link(name: str) -> bytes:
    """Deletes an interface (of a veth pair: both ends). Answered with ENODEV where there is none."""
    return message(_RTM_DELLINK, 0, _link_header(), text(_IFLA_IFNAME, name))


def new_address(index: int, address: bytes, broadcast: bytes, prefix: int) -> bytes:
    """Gives an interface an address; the route to its subnet comes with it."""
    return message(
        _RTM_NEWADDR,
        NLM_F_CREATE | NLM_F_EXCL,
        struct.pack("=BBBBL", socket.AF_INET, prefix, 0, _RT_SCOPE_UNIVERSE, index),
        attribute(_IFA_LOCAL, address),
        attribute(_IFA_ADDRESS, address),
        attribute(_IFA_BROADCAST, broadcast),
    )


def new_default_route(index: int, gateway: bytes) -> bytes:
    return message(
        _RTM_NEWROUTE,
        NLM_F_CREATE | NLM_F_EXCL,
        struct.pack("=BBBBBBBBL", socket.AF_INET, 0, 0, 0, _RT_TABLE_MAIN, _RTPROT_BOOT, _RT_SCOPE_UNIVERSE, _RTN_UNICAST, 0),
        attribute(_RTA_GATEWAY, gateway),
        attribute(_RTA_OIF, struct.pack("=L", index)),
    )


def _link_header(index: int = 0, *, up: bool = False) -> bytes:
    """struct ifinfomsg."""
    flags = _IFF_UP if up else 0
    return struct.pack("=BxHlLL", socket.AF_UNSPEC, 0, index, flags, flags)
