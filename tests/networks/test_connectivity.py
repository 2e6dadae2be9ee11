"""Who reaches whom: containers, the host, its neighbours."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine.kernel.network import netns
from moby_tui.engine.resources.networks.firewall import Firewall, Publication
from moby_tui.engine.resources.networks.sandbox import Sandbox
from moby_tui.engine.resources.networks.seen import note
from moby_tui.schema.container import PortBinding
from networks.world import HOST, OUTSIDE, Engine, address, dial, is_unreachable, make_socket, reaches, run


def published(port: int, host_ip: str = "") -> list[PortBinding]:
    return [PortBinding(host_ip=host_ip, host_port=str(port))]


async def test_a_container_has_an_address_a_derived_mac_and_a_default_route(engine: Engine) -> None:
    first, second = await engine.start(), await engine.start()
    endpoint = first.endpoints["bridge"]
    assert endpoint.ip_address.endswith(".0.2") and address(second).endswith(".0.3")
    assert endpoint.mac_address == "02:42:" + socket.inet_aton(endpoint.ip_address).hex(":")
    inside = run("ip -4 -o addr show eth0; ip route; ip -6 addr show eth0; ip link show lo", first.netns_fd)
    assert f"{endpoint.ip_address}/16" in inside
    assert f"default via {endpoint.gateway} dev eth0" in inside
    assert "inet6" not in inside
    assert "LOOPBACK,UP" in inside


async def test_containers_reach_each_other_and_the_gateway(engine: Engine, listen: Callable[..., socket.socket]) -> None:
    one, other = await engine.start(), await engine.start()
    assert reaches(one.netns_fd, address(other), 80, listen(other.netns_fd, 80)) == address(one)
    assert reaches(one.netns_fd, one.endpoints["bridge"].gateway, 27001, listen(None, 27001)) == address(one)


async def test_what_leaves_the_host_bears_the_hosts_address(
    engine: Engine, outside: int, listen: Callable[..., socket.socket]
) -> None:
    container = await engine.start()
    assert reaches(container.netns_fd, OUTSIDE, 80, listen(outside, 80)) == HOST


@pytest.mark.parametrize("host_ip", ["", HOST])
async def test_a_published_port_is_reached_from_everywhere(
    engine: Engine, outside: int, listen: Callable[..., socket.socket], host_ip: Any
) -> None:
    container = await engine.start(ports={"80/tcp": published(28080, host_ip)})
    other = await engine.start()
    listener = listen(container.netns_fd, 80)
    assert reaches(outside, HOST, 28080, listener) == OUTSIDE
    assert reaches(None, HOST, 28080, listener)
    assert reaches(other.netns_fd, HOST, 28080, listener)
    assert reaches(container.netns_fd, HOST, 28080, listener)
    if not host_ip:
        assert reaches(None, "127.0.0.1", 28080, listener)
        assert reaches(other.netns_fd, other.endpoints["bridge"].gateway, 28080, listener)


async def test_a_port_published_on_one_address_is_on_no_other(
    engine: Engine, outside: int, listen: Callable[..., socket.socket]
) -> None:
    container = await engine.start(ports={"80/tcp": published(28080, "127.0.0.1")})
    assert reaches(None, "127.0.0.1", 28080, listen(container.netns_fd, 80))
    assert is_unreachable(outside, HOST, 28080)


async def test_a_neighbour_does_not_reach_a_loopback_port_by_routing_to_it(
    engine: Engine, outside: int, listen: Callable[..., socket.socket]
) -> None:
    """The neighbour sends packets for 127.0.0.1 over the wire, as GHSA-x4rx-4gw3-53p4 has it."""
    container = await engine.start(ports={"80/tcp": published(28080, "127.0.0.1")})
    listen(container.netns_fd, 80)
    run("sysctl -qw net.ipv4.conf.all.route_localnet=1", outside)
    run(f"ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1 via {HOST} dev outside1 src {OUTSIDE}", outside)
    run("ip route flush table local 127.0.0.0/8 || true", outside)
    assert is_unreachable(outside, "127.0.0.1", 28080)


@pytest.mark.parametrize("host", ["127.0.0.1", HOST])
async def test_udp_is_published(engine: Engine, outside: int, host: Any) -> None:
    container = await engine.start(ports={"53/udp": published(25353)})
    with make_socket(container.netns_fd, socket.SOCK_DGRAM) as server, make_socket(None, socket.SOCK_DGRAM) as client:
        server.bind(("0.0.0.0", 53))
        client.sendto(b"question", (host, 25353))
        data, peer = server.recvfrom(100)
        server.sendto(data.upper(), peer)
        assert client.recvfrom(100) == (b"QUESTION", (host, 25353))


async def test_a_udp_flow_follows_its_port_to_the_next_container(engine: Engine, outside: int) -> None:
    first = await engine.start(ports={"53/udp": published(25353)})
    with make_socket(outside, socket.SOCK_DGRAM) as client:
        assert asked(client, first) == OUTSIDE
        first.release()
        await engine.start()
        second = await engine.start(ports={"53/udp": published(25353)})
        assert asked(client, second) == OUTSIDE


def asked(client: socket.socket, container: Sandbox) -> str:
    """Sends a datagram to the published port; returns who the container saw. Raises ``TimeoutError`` where it saw none."""
    with make_socket(container.netns_fd, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", 53))
        client.sendto(b"question", (HOST, 25353))
        return str(server.recvfrom(100)[1][0])


async def test_an_unpublished_port_is_not_reached_from_outside(
    engine: Engine, outside: int, listen: Callable[..., socket.socket]
) -> None:
    container = await engine.start(ports={"81/tcp": published(28081)})
    listen(container.netns_fd, 80)
    run(f"ip route add {address(container)} via {HOST}", outside)
    assert is_unreachable(outside, address(container), 80)
    assert is_unreachable(outside, HOST, 80)
    assert reaches(None, address(container), 81, listen(container.netns_fd, 81))


async def test_the_hosts_loopback_is_closed_to_containers(engine: Engine, listen: Callable[..., socket.socket]) -> None:
    """CVE-2020-8558: a container that may shape packets sends them for 127.0.0.1 to the gateway."""
    container = await engine.start()
    listen(None, 27002, "127.0.0.1")
    gateway = container.endpoints["bridge"].gateway
    assert is_unreachable(container.netns_fd, gateway, 27002)
    mac = run(f"ip -o link show {engine.name}").split("link/ether ")[1].split()[0]
    inside = container.netns_fd
    run("sysctl -qw net.ipv4.conf.all.route_localnet=1; ip addr del 127.0.0.1/8 dev lo", inside)
    run("ip route flush table local 127.0.0.0/8 || true", inside)
    run(f"ip route add 127.0.0.1 via {gateway} dev eth0 src {address(container)}", inside)
    run(f"ip neigh replace {gateway} lladdr {mac} dev eth0", inside)
    assert is_unreachable(inside, "127.0.0.1", 27002)
    run(f"nft flush chain ip {engine.name} guard")
    dial(inside, "127.0.0.1", 27002).close()  # so it was the guard that closed it


async def test_none_is_alone_and_host_is_the_host(engine: Engine) -> None:
    alone = await engine.start("none")
    assert run("ip -o link", alone.netns_fd).count("\n") == 1
    assert "LOOPBACK,UP" in run("ip link", alone.netns_fd)
    host = await engine.start("host")
    assert host.netns_fd is None and host.keep_fds == [] and host.teardown == []
    assert list(alone.endpoints) == ["none"] and list(host.endpoints) == ["host"]


async def test_the_firewall_leads_sctp(engine: Engine, outside: int, tmp_path: Path) -> None:
    """With packets made by hand, as few kernels have SCTP: the socket that keeps the port is not to be had here."""
    container = await engine.start()
    publication = Publication("sctp", ip_address("0.0.0.0"), 28090, ip_address(address(container)), 80)
    firewall = Firewall(engine.name, note(tmp_path))
    firewall.publish([publication])
    assert container.netns_fd is not None
    with make_raw(container.netns_fd) as server, make_raw(outside) as client:
        client.sendto(first_of_sctp(28090), (HOST, 0))
        packet, peer = server.recvfrom(1000)
    header = packet[(packet[0] & 15) * 4 :]
    assert peer[0] == OUTSIDE and struct.unpack_from("!HH", header) == (40000, 80)
    firewall.drop([publication])
    assert engine.elements() == []


def make_raw(namespace: int) -> socket.socket:
    made = netns.call(namespace, lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_SCTP))
    made.settimeout(3)
    return made


def first_of_sctp(port: int) -> bytes:
    """The packet that begins an association, from port 40000 (rfc 9260): INIT, with its checksum."""
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, 7, 65536, 1, 1, 7)
    head = struct.pack("!HHI", 40000, port, 0)
    return head + struct.pack("<I", crc32c(head + bytes(4) + chunk)) + chunk


def crc32c(data: bytes) -> int:
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
    return rest ^ 0xFFFFFFFF
