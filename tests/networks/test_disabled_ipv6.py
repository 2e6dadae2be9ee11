"""A container whose sysctls disable IPv6 has no IPv6 address anywhere: not in inspect, not by name, not in its hosts file.

The answers are those of dockerd 28.5.2.
"""

from __future__ import annotations

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, EndpointIpamConfig, EndpointSettings, HostConfig, NetworkingConfig
from moby_tui.schema.network import Ipam, IpamPool, NetworkCreate
from networks.test_live import inside, start


@pytest.fixture
def engine(whole_engine: Engine) -> Engine:
    return whole_engine


async def make(engine: Engine, name: str, number: int) -> None:
    pools = [IpamPool(subnet=f"10.61.{number}.0/24"), IpamPool(subnet=f"fd61:{number}::/64")]
    await engine.networks.create(NetworkCreate(name=name, enable_ipv6=True, ipam=Ipam(config=pools)))


async def begin(engine: Engine, name: str, sysctls: dict[str, str], network: str = "six", fixed: str = "") -> str:
    settings = EndpointSettings(ipam_config=EndpointIpamConfig(ipv6_address=fixed) if fixed else None)
    host = HostConfig(network_mode=network, sysctls=sysctls)
    networking = NetworkingConfig(endpoints_config={network: settings})
    asked = ContainerCreate(image="busybox", cmd=["sleep", "1000"], host_config=host, networking_config=networking)
    created = await engine.containers.create(asked, name=name)
    await engine.containers.start(created.id)
    return created.id


@pytest.mark.parametrize("parameter", ["net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.lo.disable_ipv6"])
async def test_it_has_addresses_of_ipv4_alone(engine: Engine, parameter: str) -> None:
    await make(engine, "six", 1)
    await make(engine, "more", 2)
    other = await start(engine, "other", "six")
    web = await begin(engine, "web", {parameter: "1"}, fixed="fd61:1::77")
    await engine.networks.connect("more", "web")
    given = (await engine.containers.inspect(web)).network_settings.networks
    assert sorted(given) == ["more", "six"]
    for endpoint in given.values():
        shown = (endpoint.global_ipv6_address, endpoint.ipv6_gateway, endpoint.global_ipv6_prefix_len)
        assert endpoint.ip_address and shown == ("", "", 0)
    assert (await engine.networks.inspect("six")).containers[web].ipv6_address == ""

    hosts = await inside(engine, web, "cat", "/etc/hosts")
    assert hosts.startswith("127.0.0.1\tlocalhost\n") and ":" not in hosts
    assert "inet6" not in await inside(engine, web, "ip", "addr")
    assert await inside(engine, other, "ping", "-6", "-c1", "-W3", "web") == "ping: bad address 'web'\n"
    assert "0% packet loss" in await inside(engine, other, "ping", "-4", "-c1", "-W3", "web")


@pytest.mark.parametrize(
    "sysctls", [{"net.ipv6.conf.all.disable_ipv6": "0"}, {"net.ipv6.conf.default.disable_ipv6": "1"}], ids=["enabled", "default"]
)
async def test_other_values_leave_it(engine: Engine, sysctls: dict[str, str]) -> None:
    await make(engine, "six", 1)
    web = await begin(engine, "web", sysctls)
    address = (await engine.containers.inspect(web)).network_settings.networks["six"].global_ipv6_address
    assert address.startswith("fd61:1::") and f"inet6 {address}/64" in await inside(engine, web, "ip", "addr")
    assert "::1\tlocalhost" in await inside(engine, web, "cat", "/etc/hosts")


async def test_without_network_the_hosts_file_has_no_ipv6_either(engine: Engine) -> None:
    web = await begin(engine, "web", {"net.ipv6.conf.all.disable_ipv6": "1"}, network="none")
    assert await inside(engine, web, "cat", "/etc/hosts") == "127.0.0.1\tlocalhost\n"
