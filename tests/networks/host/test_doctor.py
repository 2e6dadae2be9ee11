"""``network doctor``: what is broken on purpose is found, what to do about it helps, and a sound host has nothing."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moby_tui.api.client.connect import connect
from moby_tui.engine.engine import Engine as WholeEngine
from moby_tui.engine.resources.networks import files
from moby_tui.schema.container import EndpointSettings
from moby_tui.schema.network import Ipam, IpamPool, NetworkCreate
from networks.world import HOST, OUTSIDE, Engine, is_unreachable, reaches, run


@pytest.fixture
def no_other_tables() -> Iterator[None]:
    yield
    for table in ("inet firewalld", "ip filter"):
        run(f"nft delete table {table} 2>/dev/null || true")


async def told(engine: Engine) -> list[str]:
    return [f"{one.severity}: {one.about}: {one.message}; {one.advice}" for one in await engine.manager.examine()]


async def test_nothing_is_found_on_a_sound_host(engine: Engine) -> None:
    await engine.start()
    assert await told(engine) == []


async def test_forwarding_that_is_off(engine: Engine, listen: Callable[..., socket.socket], outside: int) -> None:
    container = await engine.start()
    world = listen(outside, 80)
    try:
        # an engine of another worker may turn it on in between
        for _ in range(20):
            run("sysctl -w net.ipv4.ip_forward=0")
            unreachable, lines = is_unreachable(container.netns_fd, OUTSIDE, 80), await told(engine)
            if lines:
                break
        assert unreachable
        (line,) = lines
        assert (
            line.startswith("error: forwarding: net.ipv4.ip_forward is 0: nothing passes")
            and "sysctl -w net.ipv4.ip_forward=1" in line
        )
    finally:
        run("sysctl -w net.ipv4.ip_forward=1")
    assert reaches(container.netns_fd, OUTSIDE, 80, world) == HOST


DROPPING = "nft add table ip filter; nft add chain ip filter FORWARD '{ type filter hook forward priority 0; policy drop; }'; "
#: Who drops, how it is told, and how the advice begins.
FIREWALLS = {
    "somebody": (DROPPING, "has the policy drop: it drops", "nft insert rule ip filter FORWARD iifname {b} accept"),
    "docker": (
        DROPPING
        + "nft add chain ip filter DOCKER-USER; nft add rule ip filter DOCKER-USER return; nft add rule ip filter FORWARD jump DOCKER-USER",
        "has the policy drop (Docker): it drops",
        "iptables -I DOCKER-USER -i {b} -j ACCEPT",
    ),
    "ufw": (
        DROPPING + "nft add chain ip filter ufw-user-forward; nft add rule ip filter ufw-user-forward return",
        "has the policy drop (ufw): it drops",
        "ufw route allow in on {b}",
    ),
    "firewalld": (
        "nft add table inet firewalld; nft add chain inet firewalld filter_FORWARD '{ type filter hook forward priority 10; }'; "
        "nft add rule inet firewalld filter_FORWARD ct state established accept; "
        "nft add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited",
        "ends by refusing everything (firewalld): it drops",
        "firewall-cmd --permanent --zone=trusted --add-interface={b}",
    ),
}


@pytest.mark.parametrize("who", FIREWALLS)
async def test_another_firewall_that_drops(
    engine: Engine, listen: Callable[..., socket.socket], outside: int, no_other_tables: None, who: Any
) -> None:
    rules, how, advice = FIREWALLS[who]
    container = await engine.start()
    world = listen(outside, 80)
    run(rules)
    assert is_unreachable(container.netns_fd, OUTSIDE, 80)
    (line,) = await told(engine)
    chain = "chain filter_FORWARD of table inet firewalld" if who == "firewalld" else "chain FORWARD of table ip filter"
    assert line.startswith(f"error: firewall: {chain} {how} what goes to and from {engine.name}; ")
    assert advice.format(b=engine.name) in line
    if who in ("somebody", "docker"):
        run(line.partition("; ")[2])
        assert reaches(container.netns_fd, OUTSIDE, 80, world) == HOST
        assert await told(engine) == []


async def test_a_table_of_ours_that_was_changed(engine: Engine) -> None:
    await engine.start()
    run(f"nft flush chain ip {engine.name} postrouting")
    (line,) = await told(engine)
    assert line.startswith(f"error: table: the nftables table {engine.name} (IPv4) is missing or has other rules than it should")
    engine.manager.mend()
    assert await told(engine) == []


async def test_links_routes_and_parameters(engine: Engine, outside: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run("sysctl -w net.bridge.bridge-nf-call-iptables=0")
    await engine.manager.create(
        NetworkCreate(
            name="shy",
            ipam=Ipam(config=[IpamPool(subnet="10.93.0.0/24")]),
            options={"com.docker.network.bridge.enable_icc": "false", "com.docker.network.bridge.name": "shy0"},
        )
    )
    await engine.manager.create(NetworkCreate(name="wire", driver="macvlan", options={"parent": "outside0"}))
    await engine.start("shy", endpoints={"shy": EndpointSettings(), "bridge": EndpointSettings()})
    run("sysctl -w net.bridge.bridge-nf-call-iptables=0; ip link set shy0 down; ip route add 10.93.0.128/25 dev outside0")
    run(
        "sysctl -w net.ipv4.conf.shy0.route_localnet=0 net.ipv4.conf.shy0.rp_filter=1; ip link set outside0 down; ip link set outside0 up"
    )
    run("ip route add 10.93.0.128/25 dev outside0 || true")
    monkeypatch.setattr(files, "host_servers", list)
    found = await told(engine)
    assert [line.split(": ")[:2] for line in found if "rp_filter" not in line] == [
        ["error", about] for about in ("link", "subnet", "br_netfilter", "loopback", "resolvers")
    ]
    assert "bridge shy0 of network shy is down; ip link set shy0 up" in found[0]
    assert "subnet 10.93.0.0/24 of network shy overlaps the host's route to 10.93.0.128/25 by outside0" in found[1]
    assert "warning: rp_filter: rp_filter of shy0 is strict" in found[5]
    run("ip link set outside0 down")
    assert "error: link: interface outside0, which network wire is on, is down; ip link set outside0 up" in await told(engine)
    run("ip link delete shy0; ip link set outside0 up; sysctl -w net.bridge.bridge-nf-call-iptables=1")
    assert "bridge shy0 of network shy is gone: 1 of its containers are cut off" in (await told(engine))[0]


async def test_the_command_line_and_the_api(
    door: Path, whole_engine: WholeEngine, cli: Callable[..., subprocess.CompletedProcess[str]], no_other_tables: None
) -> None:
    await whole_engine.networks.create(NetworkCreate(name="front"))
    command = ("-H", f"unix://{door}", "network", "doctor")
    found = (await asyncio.to_thread(cli, *command, check=False)).stdout
    assert "firewall" not in found
    run(DROPPING)
    done = await asyncio.to_thread(cli, *command, check=False)
    assert done.returncode == 1 and "error: firewall: chain FORWARD of table ip filter has the policy drop" in done.stdout
    async with connect(f"unix://{door}") as client:
        assert "firewall" in [one.about for one in await client.networks.examine()]
    lines = (await asyncio.to_thread(cli, *command, "--format", "json", check=False)).stdout.splitlines()
    assert "firewall" in [json.loads(line)["About"] for line in lines]
