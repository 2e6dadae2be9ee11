"""The default bridge as the engine's options want it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from moby_tui.engine_options import EngineOptions
from moby_tui.schema.network import Ipam, IpamPool, NetworkCreate
from networks.world import Engine, run

OPTIONS = EngineOptions(
    bip="10.97.0.5/24",
    fixed_cidr="10.97.0.128/25",
    mtu=1300,
    icc=False,
    ip="127.0.0.1",
    ip_masq=False,
    ipv6=True,
    fixed_cidr_v6="fd97::/64",
    default_gateway="10.97.0.9",
)


async def test_it_is_as_the_options_want_it_once_nobody_is_in_it(engine: Engine) -> None:
    """With the options and pools that dockerd 28.5 shows for the same flags, and changed only while it is empty."""
    plain = await engine.start()
    before = await engine.manager.inspect("bridge")
    engine.manager.options = lambda: OPTIONS
    await engine.manager.configure_default_bridge()
    assert (await engine.manager.inspect("bridge")).ipam == before.ipam, "a container is in it"
    await engine.manager.sandboxes.release(plain)
    engine.sandboxes.remove(plain)

    await engine.manager.configure_default_bridge()
    network = await engine.manager.inspect("bridge")
    interface = network.options["com.docker.network.bridge.name"]
    assert network.ipam.config and network.ipam.config[0].auxiliary_addresses == {"DefaultGatewayIPv4": "10.97.0.9"}
    assert [(pool.subnet, pool.ip_range, pool.gateway) for pool in network.ipam.config or []] == [
        ("10.97.0.0/24", "10.97.0.128/25", "10.97.0.5"),
        ("fd97::/64", "fd97::/64", ""),
    ]
    assert network.options == {
        "com.docker.network.bridge.default_bridge": "true",
        "com.docker.network.bridge.enable_icc": "false",
        "com.docker.network.bridge.enable_ip_masquerade": "false",
        "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
        "com.docker.network.bridge.name": interface,
        "com.docker.network.driver.mtu": "1300",
    }
    sandbox = await engine.start()
    endpoint = sandbox.endpoints["bridge"]
    assert ip_address(endpoint.ip_address) in ip_network("10.97.0.128/25") and endpoint.gateway == "10.97.0.9"
    assert "default via 10.97.0.9 " in run("ip route", sandbox.netns_fd)
    assert ip_address(endpoint.global_ipv6_address) in ip_network("fd97::/64")
    assert "mtu 1300" in run(f"ip link show {interface}") and "10.97.0.5/24" in run(f"ip addr show {interface}")

    engine.manager.options = EngineOptions
    await engine.manager.configure_default_bridge()
    assert (await engine.manager.inspect("bridge")).ipam == network.ipam, "an engine without options takes it as it is"


async def test_the_options_of_new_networks(engine: Engine) -> None:
    """A field of the request takes the place of an option, which is not shown then; as in the cases of dockerd's own tests."""
    four, six = "com.docker.network.enable_ipv4", "com.docker.network.enable_ipv6"
    engine.manager.options = lambda: EngineOptions(default_network_options={"bridge": {four: "false", six: "true"}})
    for own4, own6 in ((None, None), (True, None), (None, True), (True, True)):
        made = await engine.manager.create(NetworkCreate(name="made", enable_ipv4=own4, enable_ipv6=own6))
        network = await engine.manager.inspect(made.id)
        assert (network.enable_ipv4, network.enable_ipv6) == (own4 is not None, True)
        assert network.options == ({four: "false"} if own4 is None else {}) | ({six: "true"} if own6 is None else {})
        subnets = [ip_network(pool.subnet) for pool in network.ipam.config or []]
        assert sorted(subnet.version for subnet in subnets) == ([6] if own4 is None else [4, 6])
        await engine.manager.remove("made")


async def test_two_containers_in_a_subnet_of_two_addresses(engine: Engine) -> None:
    """The bridge of an internal network without an address of its own leaves both to containers (RFC 3021)."""
    options = {"com.docker.network.bridge.inhibit_ipv4": "true"}
    pair = Ipam(config=[IpamPool(subnet="10.98.0.0/31")])
    await engine.manager.create(NetworkCreate(name="pair", internal=True, options=options, ipam=pair))
    first, second = await engine.start("pair"), await engine.start("pair")
    assert {one.endpoints["pair"].ip_address for one in (first, second)} == {"10.98.0.0", "10.98.0.1"}
    assert (await engine.manager.inspect("pair")).ipam.config[0].gateway == ""  # type: ignore[index]
