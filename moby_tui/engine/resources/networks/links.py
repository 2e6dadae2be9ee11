"""What ``host`` asks for, done with pyroute2 in a process that ends with it: one request as JSON in, one answer as JSON out."""

from __future__ import annotations

import errno
import json
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError


def main(request: str) -> None:
    what, *arguments = json.loads(request)
    work: dict[str, Callable[..., Any]] = {"routes": _routes, "make_bridge": _make_bridge}
    try:
        with IPRoute() as ip:
            answer = {"done": work[what](ip, *arguments)}
    except NetlinkError as error:
        answer = {"error": [error.code, f"{arguments[0] if arguments else what}: {error}"]}
    except OSError as error:
        answer = {"error": [error.errno, error.strerror]}
    print(json.dumps(answer))


def _routes(ip: Any) -> list[tuple[str, int]]:
    found = []
    for route in ip.get_routes(family=socket.AF_INET):
        attributes = dict(route["attrs"])
        found.append((f"{attributes.get('RTA_DST', '0.0.0.0')}/{route['dst_len']}", int(attributes.get("RTA_OIF", 0))))
    return found


def _make_bridge(ip: Any, name: str, mac: str, mtu: int, address: str, subnet: str) -> None:
    network = IPv4Network(subnet)
    with _if_missing():
        ip.link("add", ifname=name, kind="bridge", address=mac, mtu=min([mtu, *_sizes_to_the_world(ip)]))
    index = socket.if_nametoindex(name)
    with _if_missing():
        ip.addr("add", index=index, address=address, prefixlen=network.prefixlen, broadcast=str(network.broadcast_address))
    ip.link("set", index=index, state="up")


def _sizes_to_the_world(ip: Any) -> list[int]:
    outward = {index for network, index in _routes(ip) if network.endswith("/0") and index}
    return [dict(link["attrs"])["IFLA_MTU"] for index in outward for link in ip.get_links(index)]


@contextmanager
def _if_missing() -> Iterator[None]:
    """Lets pass that a thing is there already."""
    try:
        yield
    except NetlinkError as error:
        if error.code != errno.EEXIST:
            raise


if __name__ == "__main__":
    main(sys.argv[1])
