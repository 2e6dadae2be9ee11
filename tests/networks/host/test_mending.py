"""Our nftables tables after another program has flushed or changed them: noticed, and put right."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine as WholeEngine
from moby_tui.engine.store.paths import Paths
from moby_tui.schema.container import ContainerCreate, HostConfig, PortBinding
from moby_tui.schema.network import NetworkCreate
from networks.world import HOST, OUTSIDE, Engine, is_unreachable, reaches, run, until

#: What other programs do to tables that are not theirs.
FLUSHES = {
    "everything": "nft flush ruleset",
    "the table": "nft delete table ip {t}",
    "the rules": "nft flush table ip {t}",
    "the rules of a chain": "nft flush chain ip {t} prerouting",
    "a rule": "nft delete rule ip {t} inbound handle $(nft -a list chain ip {t} inbound | sed -n 's/.*drop # handle //p' | tail -1)",
    "a rule in front": "nft insert rule ip {t} forward drop",
    "the policy": "nft chain ip {t} forward '{{ policy drop; }}'",
    "a dormant table": "nft add table ip {t} '{{ flags dormant; }}'",
    "published ports": "nft flush map ip {t} published",
    "bridges": "nft flush set ip {t} bridges; nft flush set ip {t} admitted",
    "subnets": "nft flush set ip {t} masqueraded",
    "elements of others": "nft add element ip {t} internal '{{ {t} }}'",
}


async def test_whatever_was_flushed_is_put_right_by_the_next_look(
    engine: Engine, listen: Callable[..., socket.socket], outside: int, caplog: pytest.LogCaptureFixture
) -> None:
    container = await engine.start(ports={"80/tcp": [PortBinding(host_port="28080")]})
    await engine.manager.create(NetworkCreate(name="other"))
    other = await engine.start("other")
    inside, world = listen(container.netns_fd, 80), listen(outside, 90)
    before = engine.ruleset()
    engine.manager.mend()
    assert not caplog.records
    for name, flush in FLUSHES.items():
        run(flush.format(t=engine.name))
        caplog.clear()
        engine.manager.mend()
        assert [record.message for record in caplog.records if "it was put right" in record.message], name
        assert engine.ruleset() == before, name
        engine.manager.mend()
    assert reaches(outside, HOST, 28080, inside) == OUTSIDE
    assert reaches(container.netns_fd, OUTSIDE, 90, world) == HOST
    assert is_unreachable(other.netns_fd, container.endpoints["bridge"].ip_address, 80)
    caplog.clear()
    engine.manager.mend()
    assert not caplog.records


async def test_networks_without_ipv6_are_in_the_table_of_ipv6_too(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """As when it is built: their containers cannot send IPv6 packets to other networks either."""
    await engine.start()
    await engine.manager.create(NetworkCreate(name="six", enable_ipv6=True))
    await engine.manager.create(NetworkCreate(name="four", internal=True))
    engine.manager.mend()
    await engine.manager.remove("six")
    await engine.manager.create(NetworkCreate(name="later"))
    await engine.manager.create(NetworkCreate(name="six", enable_ipv6=True))
    engine.manager.mend()
    assert [record.message for record in caplog.records] == []


async def test_flushed_elements_are_put_right_by_the_next_start(
    engine: Engine, listen: Callable[..., socket.socket], outside: int
) -> None:
    container = await engine.start(ports={"80/tcp": [PortBinding(host_port="28080")]})
    inside = listen(container.netns_fd, 80)
    for flush in ("nft flush map ip {t} published", "nft flush table ip {t}"):
        run(flush.format(t=engine.name))
        await engine.start()
        assert reaches(outside, HOST, 28080, inside) == OUTSIDE


async def test_the_users_chain_comes_first_and_is_never_touched(
    engine: Engine, listen: Callable[..., socket.socket], outside: int
) -> None:
    container = await engine.start(ports={"80/tcp": [PortBinding(host_port="28080")], "81/tcp": [PortBinding(host_port="28081")]})
    closed, still_open = listen(container.netns_fd, 80), listen(container.netns_fd, 81)
    run(f"nft add rule ip {engine.name} user meta l4proto tcp ct original proto-dst 28080 counter drop")
    run(f"nft flush map ip {engine.name} published; nft flush chain ip {engine.name} inbound")
    engine.manager.mend()
    assert reaches(outside, HOST, 28081, still_open) == OUTSIDE
    assert is_unreachable(outside, HOST, 28080) and closed
    assert "packets 0" not in run(f"nft list chain ip {engine.name} user")
    run(f"nft flush chain ip {engine.name} user; nft add rule ip {engine.name} user accept")
    run(f"ip route add {container.endpoints['bridge'].ip_address}/32 via {HOST}", outside)
    assert reaches(outside, container.endpoints["bridge"].ip_address, 80, closed) == OUTSIDE


async def test_an_open_engine_is_told_and_puts_it_right(whole_engine: WholeEngine) -> None:
    made = await whole_engine.containers.create(
        ContainerCreate(
            image="busybox",
            cmd=["sleep", "100"],
            exposed_ports={"80/tcp": {}},
            host_config=HostConfig(port_bindings={"80/tcp": [PortBinding(host_port="28080")]}),
        ),
        name="web",
    )
    await whole_engine.containers.start(made.id)
    table = f"moby-{whole_engine.paths.instance}"
    before = shown(table)
    for flush in ("nft delete table ip {t}", "nft flush map ip {t} published"):
        run(flush.format(t=table))
        await until(lambda: shown(table) == before)


def test_a_command_that_lists_puts_it_right(
    cli: Callable[..., subprocess.CompletedProcess[str]], roots: tuple[Path, Path], busybox: str
) -> None:
    started = cli("run", "-d", "-p", "28080:80", busybox, "sleep", "100")
    table = f"moby-{Paths(*roots).instance}"
    before = shown(table)
    try:
        run("nft flush ruleset")
        listed = cli("ps")
        assert "it was put right" in listed.stderr and "0.0.0.0:28080->80/tcp" in listed.stdout
        assert shown(table) == before and "28080" in before
    finally:
        cli("rm", "-f", started.stdout.strip())


def shown(table: str) -> str:
    """The table as nft prints it; empty where there is none."""
    return run(f"nft list table ip {table} 2>/dev/null || true")
