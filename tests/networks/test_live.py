"""Containers in networks of users: from the start on, and connected and disconnected while they run, by whichever process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.engine.store.state import State
from moby_tui.errors import Conflict, Forbidden, InvalidArgument, MobyError, NotFound
from moby_tui.schema.container import ContainerCreate, EndpointSettings, HostConfig, NetworkingConfig
from moby_tui.schema.exec import ExecCreate, ExecStart
from moby_tui.schema.network import NetworkCreate
from moby_tui.schema.stats import NetworkStats


@pytest.fixture
def engine(whole_engine: Engine) -> Engine:
    return whole_engine


async def start(engine: Engine, name: str, network: str = "bridge", **endpoints: EndpointSettings | None) -> str:
    networking = NetworkingConfig(endpoints_config=endpoints) if endpoints else None
    asked = ContainerCreate(
        image="busybox", cmd=["sleep", "1000"], host_config=HostConfig(network_mode=network), networking_config=networking
    )
    created = await engine.containers.create(asked, name=name)
    await engine.containers.start(created.id)
    return created.id


async def inside(engine: Engine, container: str, *command: str) -> str:
    ident = await engine.containers.exec_create(container, ExecCreate(cmd=[*command], attach_stdout=True, attach_stderr=True))
    stream = await engine.containers.exec_start(ident, ExecStart())
    assert stream is not None
    said = b""
    async for _, data in stream.output():
        said += data
    return said.decode(errors="replace")


async def test_a_running_container_is_connected_and_disconnected(engine: Engine) -> None:
    for name in ("front", "back"):
        await engine.networks.create(NetworkCreate(name=name))
    web, data = await start(engine, "web", "front"), await start(engine, "data", "back")
    address = (await engine.containers.inspect(data)).network_settings.networks["back"].ip_address
    # what a container writes to its hosts file stays, and is in nobody's way
    assert await inside(engine, web, "sh", "-c", r"printf '10.1.2.3\tcaf\351\n' >>/etc/hosts") == ""
    await engine.networks.connect("back", "web", EndpointSettings(aliases=["www"]))
    kept = r"""grep -c "$(printf 'caf\351')" /etc/hosts"""
    assert await inside(engine, web, "sh", "-c", kept) == "1\n"
    given = (await engine.containers.inspect(web)).network_settings.networks
    assert sorted(given) == ["back", "front"] and given["back"].aliases == ["www"]
    assert given["back"].ip_address in await inside(engine, web, "cat", "/etc/hosts")
    assert f"dev eth1  src {given['back'].ip_address}" in await inside(engine, web, "ip", "route", "get", address)
    members = (await engine.networks.inspect("back")).containers
    assert sorted(member.name for member in members.values()) == ["data", "web"]
    with pytest.raises(Forbidden, match="endpoint with name web already exists in network back"):
        await engine.networks.connect("back", "web")
    await engine.networks.disconnect("front", "web")
    routes = await inside(engine, web, "ip", "route")
    assert f"default via {given['back'].gateway}" in routes and given["front"].ip_address not in routes
    assert given["front"].ip_address not in await inside(engine, web, "cat", "/etc/hosts")
    await engine.networks.remove("front")


async def test_an_interface_that_cannot_be_made_so_is_refused_and_nothing_is_left(engine: Engine) -> None:
    """As it was, a name that the container has already kept the daemon busy for ever, with the container locked."""
    await engine.networks.create(NetworkCreate(name="front"))
    web = await start(engine, "web")

    def asked(key: str, value: str) -> EndpointSettings:
        return EndpointSettings(driver_opts={f"com.docker.network.endpoint.{key}": value})

    for settings, error, text in (
        (asked("ifname", "eth0"), Conflict, "interface name eth0 is taken in the container"),
        (asked("ifname", "lo"), InvalidArgument, "it is the loopback interface"),
        (asked("ifname", "a/b"), InvalidArgument, "expected the name of an interface"),
        (asked("sysctls", "net.ipv4.conf.IFNAME.nosuch=1"), InvalidArgument, "/net/ipv4/conf/eth1/nosuch is not a sysctl file"),
        (asked("sysctls", "net.ipv6.conf.IFNAME.nosuch=1"), InvalidArgument, "/net/ipv6/conf/eth1/nosuch is not a sysctl file"),
        (asked("sysctls", "net.ipv4.conf.IFNAME.log_martians=abc"), InvalidArgument, "unable to write abc to /proc/sys/net/ipv4"),
    ):
        with pytest.raises(error, match=text):
            await engine.networks.connect("front", "web", settings)
        assert (await inside(engine, web, "ls", "/sys/class/net")).split() == ["eth0", "lo"]
    twice = asked("ifname", "lan")
    with pytest.raises(Conflict, match="interface name lan is taken in the container"):
        await start(engine, "other", "front", front=twice, bridge=twice)


async def test_what_was_connected_stays_over_a_restart(engine: Engine) -> None:
    await engine.networks.create(NetworkCreate(name="front"))
    web = await start(engine, "web")
    await engine.networks.connect("front", web)
    await engine.networks.disconnect("bridge", web)
    await engine.containers.restart(web, timeout=0)
    assert list((await engine.containers.inspect(web)).network_settings.networks) == ["front"]
    await engine.containers.stop(web, timeout=0)
    await engine.networks.disconnect("front", web)
    await engine.containers.start(web)
    assert (await inside(engine, web, "ip", "-o", "link")).count("\n") == 1


async def test_the_end_undoes_what_was_connected_while_it_ran(engine: Engine, roots: tuple[Path, Path]) -> None:
    await engine.networks.create(NetworkCreate(name="front"))
    web = await start(engine, "web")
    await engine.networks.connect("front", web)
    await engine.containers.stop(web, timeout=0)
    await engine.networks.remove("front")
    assert list(roots[1].glob("networks/sandboxes/*")) == []


async def test_the_engine_undoes_what_a_killed_monitor_held(engine: Engine, roots: tuple[Path, Path]) -> None:
    await engine.networks.create(NetworkCreate(name="front"))
    web = await start(engine, "web")
    await engine.networks.connect("front", web)
    os.kill(State.read(str(roots[0] / "containers" / web / "state.json")).monitor, signal.SIGKILL)
    while (await engine.containers.inspect(web)).state.running:
        await asyncio.sleep(0.02)
    await engine.networks.disconnect("front", web, force=True)
    await engine.networks.remove("front")
    assert list(roots[1].glob("networks/leases/*/*")) == []


async def test_a_network_made_again_under_its_name(engine: Engine) -> None:
    await engine.networks.create(NetworkCreate(name="front"))
    web = await start(engine, "web", "front")
    await engine.containers.stop(web, timeout=0)
    first = (await engine.networks.inspect("front")).id
    await engine.networks.remove("front")
    with pytest.raises(NotFound, match="network front not found"):
        await engine.containers.start(web)
    await engine.networks.create(NetworkCreate(name="front"))
    await engine.containers.start(web)
    assert (await engine.containers.inspect(web)).network_settings.networks["front"].network_id != first


async def test_several_processes_connect_one_container(engine: Engine, roots: tuple[Path, Path]) -> None:
    names = [f"n{number}" for number in range(4)]
    for name in names:
        await engine.networks.create(NetworkCreate(name=name))
    web = await start(engine, "web")

    async def connect(name: str) -> None:
        async with Engine.open(*roots) as other:
            await other.networks.connect(name, web)

    await asyncio.gather(*(connect(name) for name in names))
    given = (await engine.containers.inspect(web)).network_settings.networks
    assert sorted(given) == ["bridge", *names] and len({each.mac_address for each in given.values()}) == 5


@pytest.mark.parametrize("mode", ["host", "none"])
async def test_who_has_no_network_of_its_own_gets_none(engine: Engine, mode: Any) -> None:
    await engine.networks.create(NetworkCreate(name="front"))
    web = await start(engine, "web", mode)
    with pytest.raises((InvalidArgument, Forbidden)):
        await engine.networks.connect("front", web)
    with pytest.raises(MobyError, match=r"not connected to network|disconnected from host network"):
        await engine.networks.disconnect("front", web)


async def test_unknown_ones_are_named(engine: Engine) -> None:
    with pytest.raises(NotFound, match="network nosuch not found"):
        await engine.networks.connect("nosuch", "web")
    with pytest.raises(NotFound, match="No such container: web"):
        await engine.networks.connect("bridge", "web")


async def test_a_container_that_does_not_run_keeps_its_settings_when_it_is_connected_again(engine: Engine) -> None:
    """As with dockerd 28.5, which refuses it for one that runs: ``recorded/dockerd_live_cases.py``."""
    await engine.networks.create(NetworkCreate(name="back"))
    web = (await engine.containers.create(ContainerCreate(image="busybox", cmd=["sleep", "1000"]))).id
    for alias in ("old", "new"):
        await engine.networks.connect("back", web, EndpointSettings(aliases=[alias]))
    await engine.containers.start(web)
    assert (await engine.containers.inspect(web)).network_settings.networks["back"].aliases == ["old"]


async def test_a_stopped_monitor_is_told_of(engine: Engine, roots: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    await engine.networks.create(NetworkCreate(name="front"))
    web = await start(engine, "web")
    monkeypatch.setattr("moby_tui.engine.runtime.client.monitor.ANSWER_SECONDS", 0.5)
    monitor = State.read(str(roots[0] / "containers" / web / "state.json")).monitor
    os.kill(monitor, signal.SIGSTOP)
    try:
        with pytest.raises(Exception, match="has not answered"):
            await engine.networks.connect("front", web)
    finally:
        os.kill(monitor, signal.SIGCONT)
    assert list((await engine.containers.inspect(web)).network_settings.networks) == ["bridge"]
    await engine.networks.remove("front")


async def test_descriptors_that_come_too_late_for_the_monitor_are_handed_over_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A monitor waits a second for them; a process on a busy machine may be kept from running for longer, and the connect failed."""
    await engine.networks.create(NetworkCreate(name="front"))
    web = await start(engine, "web")
    send, late = socket.send_fds, [1.2]

    def send_late(connection: socket.socket, data: list[bytes], descriptors: list[int]) -> int:
        time.sleep(late.pop() if late else 0)
        return send(connection, data, descriptors)

    monkeypatch.setattr(socket, "send_fds", send_late)
    await engine.networks.connect("front", web)
    assert not late and await inside(engine, web, "ip", "-o", "link", "show", "eth1")
    await engine.networks.disconnect("front", web)


async def test_containers_are_listed_by_every_network_that_they_are_in(engine: Engine) -> None:
    ident = (await engine.networks.create(NetworkCreate(name="front"))).id
    web = await start(engine, "web")
    await engine.networks.connect("front", web)

    async def listed(network: str) -> list[str]:
        return [container.id for container in await engine.containers.list(filters={"network": [network]})]

    assert await listed("front") == await listed(ident) == await listed(ident[:12]) == await listed("bridge") == [web]
    assert await listed("none") == await listed("nosuch") == []
    await engine.networks.disconnect("front", web)
    assert await listed("front") == []


async def test_statistics_have_an_entry_for_each_network_and_none_for_what_the_container_makes(engine: Engine) -> None:
    """As dockerd 28.5.2 tells them, also to a container in the same namespace."""
    for name in ("front", "back"):
        await engine.networks.create(NetworkCreate(name=name))
    admin = HostConfig(network_mode="front", cap_add=["NET_ADMIN"])
    web = (await engine.containers.create(ContainerCreate(image="busybox", cmd=["sleep", "1000"], host_config=admin))).id
    await engine.containers.start(web)
    await engine.networks.connect("back", web)
    await engine.networks.connect("bridge", web)
    await inside(engine, web, "ip", "link", "add", "br7", "type", "bridge")
    beside = await start(engine, "beside", f"container:{web}")
    before = await counters(engine, web)
    assert list(before) == list(await counters(engine, beside)) == ["eth0", "eth1", "eth2"]
    gateway = (await engine.containers.inspect(web)).network_settings.networks["back"].gateway
    assert "3 packets received" in await inside(engine, web, "ping", "-c", "3", "-i", "0.1", gateway)
    after = await counters(engine, web)
    assert (
        after["eth1"].tx_packets >= before["eth1"].tx_packets + 3 and after["eth1"].rx_bytes >= before["eth1"].rx_bytes + 3 * 98
    )
    assert after["eth2"].tx_packets < before["eth2"].tx_packets + 3
    await engine.networks.disconnect("back", web)
    assert list(await counters(engine, web)) == ["eth0", "eth2"]
    assert await counters(engine, await start(engine, "alone", "none")) == {}


async def counters(engine: Engine, container: str) -> dict[str, NetworkStats]:
    async for sample in engine.containers.stats(container, stream=False, one_shot=True):
        return sample.networks or {}
    raise AssertionError("no sample")


async def test_a_removed_network_is_taken_out_of_a_container(engine: Engine) -> None:
    await engine.networks.create(NetworkCreate(name="gone"))
    await start(engine, "web", "gone")
    await engine.containers.stop("web", timeout=0)
    await engine.networks.remove("gone")
    with pytest.raises(NotFound, match="network gone not found"):
        await engine.networks.disconnect("gone", "web")
    with pytest.raises(NotFound, match="network other not found"):
        await engine.networks.disconnect("other", "web", force=True)
    await engine.networks.disconnect("gone", "web", force=True)
    assert "gone" not in (await engine.containers.inspect("web")).network_settings.networks
    await engine.networks.connect("bridge", "web")
    await engine.containers.start("web")
