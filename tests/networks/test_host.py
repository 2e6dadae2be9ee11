"""The host's interfaces and routes, in a namespace of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

import pytest

from moby_tui.engine.kernel import netns
from moby_tui.engine.resources.networks import host

SUBNET = IPv4Network("10.88.0.0/24")


def _inside(*commands: str, then: Callable[[], object]) -> object:
    """What ``then`` returns in a new network namespace, after these ``ip`` commands."""
    pid = os.posix_spawn("/usr/bin/unshare", ["unshare", "-n", "sleep", "60"], os.environ)
    try:
        while os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            pass
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        try:
            for command in commands:
                netns.call(namespace, lambda command=command: subprocess.run(["ip", *command.split()], check=True))
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
    networks = {network for network, index in found if index}
    assert {IPv4Network("0.0.0.0/0"), IPv4Network("10.77.0.0/24"), IPv4Network("10.0.2.0/24")} <= networks
    assert sum(network.prefixlen == 32 and network.subnet_of(IPv4Network("172.20.0.0/16")) for network in networks) == 1200


def test_a_bridge_is_made_and_made_again() -> None:
    def make() -> object:
        for _ in range(2):
            host.make_bridge("b0", bytes.fromhex("0242aa000001"), 1400, IPv4Address("10.88.0.1"), SUBNET)
        return json.loads(subprocess.check_output(["ip", "-j", "-d", "addr", "show", "b0"]))

    made = _inside(then=make)
    assert isinstance(made, list)
    (bridge,) = made
    assert (bridge["address"], bridge["mtu"], bridge["linkinfo"]["info_kind"]) == ("02:42:aa:00:00:01", 1400, "bridge")
    assert "UP" in bridge["flags"]
    (address,) = [entry for entry in bridge["addr_info"] if entry["family"] == "inet"]
    assert (address["local"], address["prefixlen"], address["broadcast"]) == ("10.88.0.1", 24, "10.88.0.255")


def test_a_bridge_carries_no_more_than_the_way_to_the_world() -> None:
    def make() -> object:
        host.make_bridge("b0", bytes.fromhex("0242aa000001"), 1500, IPv4Address("10.88.0.1"), SUBNET)
        return json.loads(subprocess.check_output(["ip", "-j", "link", "show", "b0"]))

    narrow = ("link add d0 mtu 1300 type veth peer name d1", "link set d1 up", "link set d0 up", "addr add 10.77.0.1/24 dev d0")
    made = _inside(*narrow, "route add default via 10.77.0.2", then=make)
    assert isinstance(made, list) and made[0]["mtu"] == 1300


def test_what_the_kernel_refuses_names_the_bridge() -> None:
    with pytest.raises(OSError, match="much-too-long-a-name: "):
        _inside(then=lambda: host.make_bridge("much-too-long-a-name", bytes(6), 1500, IPv4Address("10.88.0.1"), SUBNET))
