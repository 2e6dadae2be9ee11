"""Networks that users make: created and removed on the host, addresses, isolation between them, several for one container."""

from __future__ import annotations

import errno
import json
import socket
import sys
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

import leaks
from moby_tui.engine.resources.networks.firewall import Firewall
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import Conflict, Forbidden, InvalidArgument, MobyError, NotFound
from moby_tui.schema.container import EndpointIpamConfig, EndpointSettings, PortBinding
from moby_tui.schema.network import Ipam, IpamPool, NetworkCreate
from moby_tui.schema.system import AddressPool
from networks.world import Engine, is_unreachable, reaches, run


async def make(engine: Engine, name: str, **asked: object) -> str:
    return (await engine.manager.create(NetworkCreate(name=name, **asked))).id  # type: ignore[arg-type]


def pool(subnet: str, **more: object) -> Ipam:
    return Ipam(config=[IpamPool(subnet=subnet, **more)])  # type: ignore[arg-type]


async def test_a_network_is_a_bridge_on_the_host(engine: Engine) -> None:
    ident = await make(engine, "front", labels={"a": "b"}, ipam=pool("10.91.0.0/24"))
    link = json.loads(run(f"ip -j -d addr show br-{ident[:12]}"))[0]
    assert link["linkinfo"]["info_kind"] == "bridge" and "UP" in link["flags"]
    assert [a["local"] for a in link["addr_info"] if a["family"] == "inet"] == ["10.91.0.1"]
    network = await engine.manager.inspect("front")
    assert (network.driver, network.scope, network.labels) == ("bridge", "local", {"a": "b"})
    assert [(p.subnet, p.gateway) for p in network.ipam.config or []] == [("10.91.0.0/24", "")]  # as it was asked for
    assert ("network", "create", ident, {"name": "front", "type": "bridge"}) in engine.events
    await engine.manager.remove("front")
    assert ident[:12] not in run("ip link") and ident[:12] not in engine.ruleset()
    assert engine.events[-1] == ("network", "destroy", ident, {"name": "front", "type": "bridge"})
    with pytest.raises(NotFound, match="network front not found"):
        await engine.manager.inspect("front")


async def test_a_bridge_that_was_there_stays_when_its_network_goes(engine: Engine) -> None:
    run("ip link add mine0 type bridge")
    try:
        options = {"com.docker.network.bridge.name": "mine0"}
        await make(engine, "front", options=options)
        assert (await engine.manager.inspect("front")).options == options
        await engine.manager.remove("front")
        assert "mine0" in run("ip link") and "mine0" not in engine.ruleset()
    finally:
        run("ip link delete mine0")
    await make(engine, "front", options=options)
    await engine.manager.remove("front")
    assert "mine0" not in run("ip link")


async def test_a_bridge_that_was_there_keeps_its_own_addresses_and_loses_the_networks(engine: Engine) -> None:
    def addresses() -> list[str]:
        return [
            f"{a['local']}/{a['prefixlen']}"
            for a in json.loads(run("ip -j addr show mine0"))[0]["addr_info"]
            if a["scope"] != "link"
        ]

    run("ip link add mine0 type bridge; ip addr add 10.55.0.1/24 dev mine0; ip link set mine0 up")
    options = {"com.docker.network.bridge.name": "mine0"}
    own = ["10.55.0.1/24"]
    try:
        for ipam, gateways in (
            (pool("10.91.0.0/24"), ["10.91.0.1/24"]),
            (pool("10.55.0.0/24", gateway="10.55.0.9"), ["10.55.0.9/24"]),
            (pool("10.55.0.0/24"), []),
        ):
            await make(engine, "front", options=dict(options), ipam=ipam)
            assert addresses() == own + gateways
            await engine.manager.remove("front")
            assert addresses() == own
        await make(engine, "front", options=dict(options), ipam=pool("fd00:55::/64"), enable_ipv6=True)
        assert "fd00:55::1/64" in addresses()
        await engine.manager.remove("front")
        assert addresses() == own
    finally:
        run("ip link delete mine0")


async def test_a_bridge_that_was_there_stays_when_its_network_cannot_be_made(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "refused")

    run("ip link add mine0 type bridge")
    monkeypatch.setattr(Firewall, "add", refuse)
    try:
        with pytest.raises(OSError, match="refused"):
            await make(engine, "front", options={"com.docker.network.bridge.name": "mine0"})
        assert "mine0" in run("ip link")
    finally:
        run("ip link delete mine0")


async def test_subnets_never_overlap(engine: Engine) -> None:
    names = [await make(engine, f"n{number}") for number in range(4)]
    subnets = [ip_network((n.ipam.config or [])[0].subnet) for n in await engine.manager.list() if n.id in names]
    assert not any(a.overlaps(b) for a in subnets for b in subnets if a is not b)
    with pytest.raises(Forbidden, match="Pool overlaps with other one on this address space"):
        await make(engine, "other", ipam=pool(str(subnets[0])))


async def test_subnets_are_of_the_address_pools_the_lowest_first(engine: Engine) -> None:
    await make(engine, "before")
    given = [("10.95.0.0/23", 24), ("fd00:95::/48", 64), ("10.94.0.0/24", 24)]
    options = EngineOptions(default_address_pools=tuple(AddressPool(base=base, size=size) for base, size in given))
    engine.manager.options = lambda: options
    for name in ("a", "b", "c"):
        await make(engine, name, enable_ipv6=True)
    subnets = {n.name: [p.subnet for p in n.ipam.config or []] for n in await engine.manager.list() if n.name in ("a", "b", "c")}
    assert subnets == {
        "a": ["10.94.0.0/24", "fd00:95::/64"],
        "b": ["10.95.0.0/24", "fd00:95:0:1::/64"],
        "c": ["10.95.1.0/24", "fd00:95:0:2::/64"],
    }
    with pytest.raises(MobyError, match="all predefined address pools have been fully subnetted"):
        await make(engine, "d")


async def test_names_are_taken_once(engine: Engine) -> None:
    await make(engine, "front")
    with pytest.raises(Conflict, match="network with name front already exists"):
        await make(engine, "front")
    for name in ("bridge", "host", "none", "default"):
        with pytest.raises(Forbidden, match=f"operation is not permitted on predefined {name} network"):
            await make(engine, name)
    for name in ("bridge", "host", "none"):
        with pytest.raises(Forbidden, match=f"{name} is a pre-defined network and cannot be removed"):
            await engine.manager.remove(name)


async def test_containers_of_one_network_reach_each_other_and_nobody_else_does(
    engine: Engine, listen: Callable[..., socket.socket], outside: int
) -> None:
    await make(engine, "front")
    await make(engine, "back")
    one, two, other = await engine.start("front"), await engine.start("front"), await engine.start("back")
    server = listen(two.netns_fd, 80)
    at = two.endpoints["front"].ip_address
    assert reaches(one.netns_fd, at, 80, server) == one.endpoints["front"].ip_address
    assert is_unreachable(other.netns_fd, at, 80)
    subnet = two.endpoints["front"]
    run(f"ip route add {subnet.gateway}/{32} via 10.77.0.1; ip route add {at}/32 via 10.77.0.1", outside)
    assert is_unreachable(outside, at, 80)


async def test_without_icc_not_even_neighbours(engine: Engine, listen: Callable[..., socket.socket]) -> None:
    # where the kernel does not filter what a bridge forwards, no rule of ours sees it
    run("sysctl -w net.bridge.bridge-nf-call-iptables=0 || true")
    await make(engine, "shy", options={"com.docker.network.bridge.enable_icc": "false"})
    one, two = await engine.start("shy"), await engine.start("shy")
    assert listen(two.netns_fd, 80)
    assert is_unreachable(one.netns_fd, two.endpoints["shy"].ip_address, 80)
    assert f'"br-{(await engine.manager.inspect("shy")).id[:12]}" . ' not in engine.ruleset()
    assert one.netns_fd


async def test_an_internal_network_leads_nowhere(engine: Engine, listen: Callable[..., socket.socket], outside: int) -> None:
    await make(engine, "inner", internal=True)
    container, neighbour = await engine.start("inner"), await engine.start("inner")
    assert run("ip route show default", container.netns_fd) == ""
    server = listen(outside, 80)
    run(f"ip route add default via {((await engine.manager.inspect('inner')).ipam.config or [])[0].gateway}", container.netns_fd)
    assert is_unreachable(container.netns_fd, "10.77.0.2", 80)
    assert reaches(neighbour.netns_fd, container.endpoints["inner"].ip_address, 81, listen(container.netns_fd, 81))
    assert server


async def test_a_container_leaves_by_masquerade(engine: Engine, listen: Callable[..., socket.socket], outside: int) -> None:
    await make(engine, "front")
    container = await engine.start("front")
    assert reaches(container.netns_fd, "10.77.0.2", 80, listen(outside, 80)) == "10.77.0.1"


async def test_a_container_leaves_with_the_address_that_its_network_says(
    engine: Engine, listen: Callable[..., socket.socket], outside: int
) -> None:
    run("ip addr add 10.77.0.9/32 dev outside0; ip addr add fd77::9/128 dev outside0 nodad")
    given = {"com.docker.network.host_ipv4": "10.77.0.9"}
    await make(engine, "front", options=given, ipam=pool("10.91.0.0/24"))
    await make(engine, "beside", options=given, ipam=pool("10.91.1.0/24"))
    await make(engine, "other", ipam=pool("10.91.2.0/24"))
    server = listen(outside, 80)
    for network, source in (("front", "10.77.0.9"), ("beside", "10.77.0.9"), ("other", "10.77.0.1")):
        assert reaches((await engine.start(network)).netns_fd, "10.77.0.2", 80, server) == source
    engine.manager.mend()
    await engine.start("other", container_id="ab" * 32)
    assert "10.91.0.0/24 : 10.77.0.9" in engine.ruleset().replace("10.91.0.0-10.91.0.255", "10.91.0.0/24")
    await make(engine, "six", enable_ipv6=True, options={"com.docker.network.host_ipv6": "fd77::9"})
    assert "fd77::9" in run(f"nft list table ip6 {engine.name}")
    assert engine.manager._bridges.wrong() == []
    await engine.manager.remove("six")
    assert "fd77::9" not in run(f"nft list table ip6 {engine.name}")


async def test_published_ports_lead_into_a_network_of_ones_own(
    engine: Engine, listen: Callable[..., socket.socket], outside: int
) -> None:
    await make(engine, "front")
    container = await engine.start("front", ports={"80/tcp": [PortBinding(host_port="28080")]})
    assert reaches(outside, "10.77.0.1", 28080, listen(container.netns_fd, 80)) == "10.77.0.2"


async def test_ports_that_name_no_address_are_published_where_the_network_says(
    engine: Engine, listen: Callable[..., socket.socket], outside: int
) -> None:
    await make(engine, "front", options={"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"})
    asked = {"80/tcp": [PortBinding(host_port="28080")], "81/tcp": [PortBinding(host_ip="0.0.0.0", host_port="28081")]}
    container = await engine.start("front", ports=asked)
    assert [(container.ports[port] or [])[0].host_ip for port in asked] == ["127.0.0.1", "0.0.0.0"]
    assert reaches(None, "127.0.0.1", 28080, listen(container.netns_fd, 80))
    assert is_unreachable(outside, "10.77.0.1", 28080)
    assert reaches(outside, "10.77.0.1", 28081, listen(container.netns_fd, 81)) == "10.77.0.2"
    everything = await engine.start("front", exposed=["80/tcp"], publish_all=True)
    assert (everything.ports["80/tcp"] or [])[0].host_ip == "127.0.0.1"


async def test_ipv6_beside_ipv4_and_alone(engine: Engine, listen: Callable[..., socket.socket]) -> None:
    await make(engine, "both", enable_ipv6=True)
    await make(engine, "six", enable_ipv4=False, enable_ipv6=True, ipam=pool("fd00:91::/64"))
    one, two = await engine.start("both"), await engine.start("both")
    given = two.endpoints["both"]
    assert given.ip_address and ip_address(given.global_ipv6_address).version == 6 and given.global_ipv6_prefix_len == 64
    at = given.global_ipv6_address
    run(f'{sys.executable} -c \'import socket; s = socket.socket(10, 2); s.sendto(b"x", ("{at}", 9))\'', one.netns_fd)
    assert run(f"ip -6 neigh get {at} dev eth0", one.netns_fd).split()[4] == given.mac_address
    assert reaches(one.netns_fd, given.ip_address, 80, listen(two.netns_fd, 80)) == one.endpoints["both"].ip_address
    assert "default via" in run("ip -6 route", one.netns_fd)
    alone = await engine.start("six")
    assert alone.endpoints["six"].ip_address == "" and alone.endpoints["six"].global_ipv6_address == "fd00:91::2"


async def test_addresses_that_are_asked_for(engine: Engine) -> None:
    await make(
        engine, "front", ipam=pool("10.91.0.0/24", ip_range="10.91.0.128/25", auxiliary_addresses={"router": "10.91.0.129"})
    )
    first = await engine.start("front")
    assert first.endpoints["front"].ip_address == "10.91.0.130"
    fixed = EndpointSettings(ipam_config=EndpointIpamConfig(ipv4_address="10.91.0.9"))
    given = await engine.start("front", endpoint=fixed)
    assert given.endpoints["front"].ip_address == "10.91.0.9"
    with pytest.raises(Forbidden, match="Address already in use"):
        await engine.start("front", endpoint=fixed)
    with pytest.raises(InvalidArgument, match="no configured subnet or ip-range contain the IP address"):
        await engine.start("front", endpoint=EndpointSettings(ipam_config=EndpointIpamConfig(ipv4_address="10.92.0.9")))


async def test_a_small_subnet_runs_out(engine: Engine) -> None:
    await make(engine, "tiny", ipam=pool("10.91.0.0/30"))
    await engine.start("tiny")
    with pytest.raises(MobyError, match="no available IPv4 addresses on this network's address pools"):
        await engine.start("tiny")
    assert engine.leases() == ["10.91.0.2"]


async def test_several_networks_and_the_default_route(engine: Engine) -> None:
    await make(engine, "a", ipam=pool("10.91.0.0/24"))
    await make(engine, "b", ipam=pool("10.92.0.0/24"))
    both = await engine.start("b", endpoints={"a": EndpointSettings(), "b": EndpointSettings(aliases=["db"])}, name="web")
    assert sorted(both.endpoints) == ["a", "b"]
    assert "eth0" in run("ip addr", both.netns_fd) and "eth1" in run("ip addr", both.netns_fd)
    assert run("ip route show default", both.netns_fd).split()[2] == "10.91.0.1"
    assert (both.endpoints["b"].dns_names or [])[:2] == ["web", "db"]
    first = await engine.start("b", endpoints={"a": EndpointSettings(), "b": EndpointSettings(gw_priority=1)})
    assert run("ip route show default", first.netns_fd).split()[2] == "10.92.0.1"


async def test_a_network_in_use_stays(engine: Engine) -> None:
    await make(engine, "front")
    container = await engine.start("front", container_id="ab" * 32)
    with pytest.raises(Forbidden, match="network front has active endpoints"):
        await engine.manager.remove("front")
    container.release()
    await engine.manager.remove("front")


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"ipam": pool("10.91.0.1/24")}, "invalid subnet 10.91.0.1/24: it should be 10.91.0.0/24"),
        ({"ipam": pool("nonsense")}, "invalid subnet nonsense: invalid CIDR block notation"),
        ({"ipam": pool("10.91.0.0/24", gateway="10.92.0.1")}, "parent subnet 10.91.0.0/24 doesn't contain this address"),
        ({"ipam": pool("10.91.0.0/24", ip_range="10.92.0.0/25")}, "doesn't contain ip-range"),
        ({"options": {"com.docker.network.bridge.enable_icc": "perhaps"}}, "enable_icc"),
        ({"options": {"com.docker.network.driver.mtu": "many"}}, "mtu"),
        ({"options": {"com.docker.network.host_ipv4": "here"}}, "failed to parse com.docker.network.host_ipv4 value: here"),
        (
            {"options": {"com.docker.network.host_ipv4": "fd00::1"}},
            "host_ipv4 value: fd00::1 .expected an IPv4 address of this host",
        ),
        ({"options": {"com.docker.network.bridge.gateway_mode_ipv4": "open"}}, "gateway mode"),
        ({"driver": "host"}, "only one instance of"),
        ({"driver": "nosuch"}, 'plugin "nosuch" not found'),
    ],
)
async def test_what_cannot_be_is_refused_and_leaves_nothing(engine: Engine, asked: Any, text: Any) -> None:
    before = bridges()
    with pytest.raises(MobyError, match=text):
        await make(engine, "bad", **asked)
    assert [n.name for n in await engine.manager.list()] == ["bridge", "host", "none"]
    # those of other workers' tests go soon
    assert leaks.settled(lambda: sorted(bridges() - before)) == []


def bridges() -> set[str]:
    """The bridges of networks in the session's namespace."""
    return {name for _, name in socket.if_nameindex() if name.startswith("br-")}


async def test_the_users_chain_is_kept_when_the_tables_are_made_anew(engine: Engine) -> None:
    await make(engine, "front")
    run(f"nft add rule ip {engine.name} user counter accept")
    run(f"nft delete chain ip {engine.name} $(nft list table ip {engine.name} | grep -o 'ruleset-[0-9a-f]*')")
    await engine.start("front")
    assert "counter" in run(f"nft list chain ip {engine.name} user")


async def test_prune_takes_what_nobody_is_in(engine: Engine) -> None:
    await make(engine, "front")
    await make(engine, "back", labels={"keep": ""})
    pruned = await engine.manager.prune(filters={"label!": ["keep"]})
    assert pruned.networks_deleted == ["front"]


async def test_prune_goes_on_behind_a_network_that_cannot_be_removed(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    await make(engine, "a")
    await make(engine, "b")
    await engine.start("a", container_id="ab" * 32)
    pruned = await engine.manager.prune()
    assert pruned.networks_deleted == ["b"]
    assert "network a could not be removed: error while removing network: network a has active endpoints" in caplog.text
