"""Deleting an interface: when the call returns it is gone for everybody, whatever the kernel still does for it."""

from __future__ import annotations

import errno
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_interface, ip_network
from pathlib import Path

import pytest

from moby_tui.engine.kernel.network import link_removal, rtnetlink
from moby_tui.engine.kernel.network.netlink import NETLINK_ROUTE, open_socket, request

_NAMES = [f"removal{number}" for number in range(4)]
_SUBNETS = [ip_network(f"10.251.{number}.0/24") for number in range(4)]


def _make(name: str, subnet: object) -> None:
    with open_socket(NETLINK_ROUTE) as link:
        request(link, rtnetlink.new_bridge(name, b"\x02\x42\x0a\xfb\x00\x01"))
        index = socket.if_nametoindex(name)
        request(link, rtnetlink.new_address(index, ip_interface(str(subnet).replace(".0/", ".1/"))))
        request(link, rtnetlink.set_up(index))


def _routes() -> list[object]:
    with open_socket(NETLINK_ROUTE) as link:
        return [rtnetlink.route_of(answer).destination for answer in request(link, rtnetlink.list_routes(4))]


def _remove(name: str, subnet: object) -> list[object]:
    """What is still there of an interface when it was deleted."""
    link_removal.delete_link(name)
    left: list[object] = [
        path for path in (Path("/sys/class/net") / name, Path("/proc/sys/net/ipv4/conf") / name) if path.exists()
    ]
    return [*left, *(index for index, other in socket.if_nameindex() if other == name), *(s for s in _routes() if s == subnet)]


def test_an_interface_is_gone_when_the_call_returns() -> None:
    for name, subnet in zip(_NAMES, _SUBNETS, strict=True):
        _make(name, subnet)
    assert set(_SUBNETS) <= set(_routes())
    with ThreadPoolExecutor(2) as pool:
        assert [*pool.map(_remove, _NAMES, _SUBNETS)] == [[], [], [], []]
    for name, subnet in zip(_NAMES, _SUBNETS, strict=True):
        # and its name is free
        _make(name, subnet)
        assert _remove(name, subnet) == []


def test_an_interface_that_cannot_be_deleted() -> None:
    with pytest.raises(OSError) as missing:
        link_removal.delete_link("removal9")
    assert missing.value.errno == errno.ENODEV
    with pytest.raises(OSError) as refused:
        link_removal.delete_link("lo")
    assert refused.value.errno == errno.EOPNOTSUPP
    assert socket.if_nametoindex("lo") == rtnetlink.LOOPBACK
