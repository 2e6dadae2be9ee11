"""The host's interfaces and routes, in a namespace of the test's own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Network

from moby_tui.engine.kernel.network import netns
from moby_tui.engine.resources.networks import host


def _inside(*commands: str, then: Callable[[], object]) -> object:
    """What ``then`` returns in a new network namespace, after these ``ip`` commands."""
    pid = os.posix_spawn("/usr/bin/unshare", ["unshare", "-n", "sleep", "60"], os.environ)
    try:
        while os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            pass
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        try:
            for command in commands:
                netns.call(namespace, partial(subprocess.run, ["ip", *command.split()], check=True))
            return netns.call(namespace, then)
        finally:
            os.close(namespace)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_the_routes_of_all_tables_are_seen() -> None:
    """Also more of them than fit in one answer of the kernel's."""
    many = [f"route add 10.{number // 200}.{number % 200}.0/24 dev d0 table 7" for number in range(3)]
    big = "".join(f"route add 172.20.{number // 250}.{number % 250}/32 dev d0\n" for number in range(1200))

    def look() -> object:
        subprocess.run(["ip", "-batch", "-"], input=big, text=True, check=True)
        return host.routes()

    setup = (
        "link add d0 type veth peer name d1",
        "link set d1 up",
        "link set d0 up",
        "addr add 10.77.0.1/24 dev d0",
        "route add default via 10.77.0.2",
    )
    found = _inside(*setup, *many, then=look)
    assert isinstance(found, list)
    networks = {route.destination for route in found if route.interface}
    assert {IPv4Network("0.0.0.0/0"), IPv4Network("10.77.0.0/24"), IPv4Network("10.0.2.0/24")} <= networks
    pool = IPv4Network("172.20.0.0/16")
    assert sum(network.version == 4 and network.prefixlen == 32 and network.subnet_of(pool) for network in networks) == 1200


def test_the_way_to_the_world_has_a_size() -> None:
    narrow = ("link add d0 mtu 1300 type veth peer name d1", "link set d1 up", "link set d0 up", "addr add 10.77.0.1/24 dev d0")
    assert _inside(*narrow, "route add default via 10.77.0.2", then=host.sizes_to_the_world) == [1300]
    assert _inside(*narrow, then=host.sizes_to_the_world) == []
