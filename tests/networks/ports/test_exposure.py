"""``network exposure``: each port told is reachable from the neighbour, and what is not told is not."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.api.client.connect import connect
from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel.network.listening import listeners
from moby_tui.schema.container import ContainerCreate, HostConfig, PortBinding
from moby_tui.schema.network import NetworkCreate
from moby_tui.schema.traffic import Exposure
from networks.world import HOST, dial, is_unreachable, run, until


@pytest.fixture
def engine(whole_engine: Engine) -> Engine:
    return whole_engine


async def start(engine: Engine, name: str, network: str, port: int = 80, **published: list[PortBinding]) -> str:
    ports: dict[str, list[PortBinding] | None] = {
        f"{number.removeprefix('p')}/tcp": bindings for number, bindings in published.items()
    }
    asked = ContainerCreate(
        image="busybox",
        cmd=["busybox", "httpd", "-f", "-p", str(port), "-h", "/"],
        exposed_ports={port: {} for port in ports},
        host_config=HostConfig(network_mode=network, port_bindings=ports),
    )
    created = await engine.containers.create(asked, name=name)
    await engine.containers.start(created.id)
    pid = (await engine.containers.inspect(created.id)).state.pid
    await until(lambda: any(listener.port == port for listener in listeners(pid)))
    return created.id


def told(found: list[Exposure]) -> list[tuple[str, int, int, str]]:
    return [(one.address, one.port, one.container_port, one.reason) for one in found]


async def test_what_is_told_is_reachable_and_why(
    engine: Engine, outside: int, door: Path, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    option = "com.docker.network.bridge.gateway_mode_ipv4"
    for name, mode in (("routed", "routed"), ("open", "nat-unprotected")):
        await engine.networks.create(NetworkCreate(name=name, options={option: mode}))
    trusting = {"com.docker.network.bridge.trusted_host_interfaces": "outside0"}
    await engine.networks.create(NetworkCreate(name="trusting", options=trusting))
    await engine.networks.create(NetworkCreate(name="inner", internal=True))
    everywhere = [PortBinding(host_port="28080"), PortBinding(host_ip=HOST, host_port="28081")]
    await start(engine, "a-web", "bridge", p80=[*everywhere, PortBinding(host_ip="127.0.0.1", host_port="28082")])
    await start(engine, "b-routed", "routed", p80=[PortBinding(host_port="28083")])
    await start(engine, "c-open", "open", 90)
    await start(engine, "d-trusting", "trusting", 91)
    await start(engine, "e-inner", "inner", p80=[PortBinding(host_port="28084")])
    await start(engine, "f-host", "host", 28085)
    at = {c.names[0]: next(iter(c.network_settings.networks.values())).ip_address for c in await engine.containers.list()}
    found = await engine.networks.exposure()
    assert told(found) == [
        ("0.0.0.0", 28080, 80, "published"),
        ("::", 28080, 80, "published"),
        (HOST, 28081, 80, "published"),
        (at["/b-routed"], 80, 80, "gateway_mode routed"),
        # only IPv4 is routed
        ("::", 28083, 80, "published"),
        (at["/c-open"], 90, 90, "nat-unprotected"),
        (at["/d-trusting"], 91, 91, "trusted interface"),
        ("::", 28085, 28085, "host network"),
    ]
    for one in found:
        if one.port == 28083:
            assert is_unreachable(outside, HOST, one.port)
            continue
        reached = HOST if one.address in ("0.0.0.0", "::") else one.address
        if reached != HOST:
            run(f"ip route add {reached}/32 via {HOST}", outside)
        dial(outside, reached, one.port).close()
    assert is_unreachable(outside, HOST, 28082)
    async with connect(f"unix://{door}") as client:
        assert await client.networks.exposure() == found
    command = ["-H", f"unix://{door}", "network", "exposure"]
    lines = (await asyncio.to_thread(cli, *command, "--format", "json")).stdout.splitlines()
    assert [json.loads(line)["Explanation"] for line in lines[:2]] == [
        "published on every address of the host",
        "published on every address of the host",
    ]
    shown = (await asyncio.to_thread(cli, *command)).stdout.splitlines()
    assert shown[0].split() == ["ADDRESS", "PORT", "PROTOCOL", "CONTAINER", "TO", "NETWORK", "WHY"] and len(shown) == 9


async def test_a_container_on_the_wire_is_told_with_whatever_it_listens_on(engine: Engine, outside: int) -> None:
    await engine.networks.create(NetworkCreate(name="wire", driver="macvlan", options={"parent": "outside0"}))
    container = await start(engine, "web", "wire", 90)
    (address,) = (one.ip_address for one in (await engine.containers.inspect(container)).network_settings.networks.values())
    assert told(await engine.networks.exposure()) == [(address, 90, 90, "on the wire")]
    run(f"ip addr add 172.{address.split('.')[1]}.255.250/16 dev outside1", outside)
    dial(outside, address, 90).close()
