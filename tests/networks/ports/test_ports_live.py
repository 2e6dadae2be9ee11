"""Ports published and withdrawn while the container runs: real traffic, all or none, kept over a restart, told."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine as WholeEngine
from moby_tui.errors import InvalidArgument, MobyError, NotFound
from moby_tui.schema.container import ContainerCreate, HostConfig, PortBinding, PortChanges
from moby_tui.schema.network import NetworkCreate
from networks import test_live
from networks.ports.test_ports_ipv6 import client_in, forwarders, said, served, start
from networks.recorded.dockerd_steps import _request


def bound(port: str, host: str = "") -> list[PortBinding]:
    return [PortBinding(host_ip=host, host_port=port)]


async def ports_of(engine: WholeEngine, ident: str) -> dict[str, list[str]]:
    shown = (await engine.containers.inspect(ident)).network_settings.ports
    return {name: sorted({binding.host_port for binding in bindings or []}) for name, bindings in shown.items()}


def is_closed(host: str, port: int) -> bool:
    with client_in(None, socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as client:
        return client.connect_ex((host, port)) != 0


async def test_a_port_comes_and_goes(whole_engine: WholeEngine, cli: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    engine = whole_engine
    ident, inside = await start(engine, "bridge", ("", "28080"))
    with served(inside):
        assert cli("update", "--publish-add", "28081:80", "--publish-add", "80", ident[:12]).returncode == 0
        (chosen,) = set((await ports_of(engine, ident))["80/tcp"]) - {"28080", "28081"}
        for port in (28080, 28081, int(chosen)):
            assert said(None, "127.0.0.1", port) and said(None, "::1", port)
        row = (await engine.containers.list())[0]
        assert sorted({port.public_port or 0 for port in row.ports}) == [28080, 28081, int(chosen)]
        assert "80/tcp -> [::]:28081\n" in cli("port", ident).stdout
        await engine.containers.change_ports(ident, PortChanges(withdraw=["28080", chosen]))
        assert (await ports_of(engine, ident)) == {"80/tcp": ["28081"]}
        assert is_closed("127.0.0.1", 28080) and is_closed("::1", 28080) and is_closed("127.0.0.1", int(chosen))
        assert said(None, "127.0.0.1", 28081) and said(None, "::1", 28081) and len(forwarders()) == 1
    await engine.containers.restart(ident, timeout=0)
    assert (await ports_of(engine, ident)) == {"80/tcp": ["28081"]}
    asked = (await engine.containers.inspect(ident)).host_config.port_bindings
    assert asked == {"80/tcp": bound("28081")}
    events = engine.events.stream(since=1, until=time.time(), filters={"event": ["update"]})
    told = [event.actor.attributes async for event in events]
    assert [sorted(attributes.keys() & {"publishAdd", "publishRemove"}) for attributes in told] == [
        ["publishAdd"],
        ["publishRemove"],
    ]
    await engine.containers.change_ports(ident, PortChanges(withdraw=["28081"]))
    await engine.containers.remove(ident, force=True)
    assert forwarders() == []


async def test_all_or_none(whole_engine: WholeEngine) -> None:
    engine = whole_engine
    ident, inside = await start(engine, "bridge", ("", "28080"), ("127.0.0.1", "28083"))
    other, elsewhere = await start(engine, "bridge", ("", "28089"))
    os.close(elsewhere)
    name = (await engine.containers.inspect(ident)).name.removeprefix("/")
    taken = rf"on endpoint {name}: Bind for 0\.0\.0\.0:28089 failed: port is already allocated"
    with served(inside):
        changes = PortChanges(publish={"80/tcp": [*bound("28082"), *bound("28089")]}, withdraw=["28080", "127.0.0.1:28083"])
        with pytest.raises(MobyError, match=taken):
            await engine.containers.change_ports(ident, changes)
        assert (await ports_of(engine, ident)) == {"80/tcp": ["28080", "28083"]} and is_closed("127.0.0.1", 28082)
        assert said(None, "127.0.0.1", 28080) and said(None, "::1", 28080) and said(None, "127.0.0.1", 28083)
        # a port moves from one container port to another in one change
        await engine.containers.change_ports(ident, PortChanges(publish={"81/tcp": bound("28080")}, withdraw=["28080"]))
        assert (await ports_of(engine, ident)) == {"80/tcp": ["28083"], "81/tcp": ["28080"]}
    for withdraw, error in (
        ("28099", NotFound),
        ("28083/udp", NotFound),
        ("0.0.0.0:28083", NotFound),
        ("web", InvalidArgument),
        ("99999", InvalidArgument),
    ):
        with pytest.raises(error, match=withdraw):
            await engine.containers.change_ports(ident, PortChanges(withdraw=[withdraw]))
    host = HostConfig(network_mode="host")
    shares = (await engine.containers.create(ContainerCreate(image="busybox", cmd=["true"], host_config=host))).id
    with pytest.raises(InvalidArgument, match="it has no network of its own"):
        await engine.containers.change_ports(shares, PortChanges(publish={"80/tcp": None}))
    await engine.containers.stop(other, timeout=0)
    await engine.containers.change_ports(other, PortChanges(publish={"81/tcp": bound("28088")}, withdraw=["28089"]))
    await engine.containers.start(other)
    assert (await ports_of(engine, other)) == {"81/tcp": ["28088"]}


async def test_over_the_api(served_engine: Path, whole_engine: WholeEngine) -> None:
    ident = await test_live.start(whole_engine, "web")
    path = f"/moby/containers/{ident}/ports"
    added = {"Publish": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "28084"}]}}
    status, text = await asyncio.to_thread(_request, served_engine, "POST", path, added)
    assert (status, json.loads(text)["Ports"]) == (200, {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "28084"}]})
    status, text = await asyncio.to_thread(_request, served_engine, "POST", path, added)
    assert status == 500 and "127.0.0.1:28084 failed: port is already allocated" in text
    status, text = await asyncio.to_thread(_request, served_engine, "POST", path, {"Withdraw": ["28084"]})
    assert (status, json.loads(text)["Ports"]) == (200, {"80/tcp": None})


async def test_ports_follow_the_default_route(whole_engine: WholeEngine) -> None:
    """An internal network publishes none; a connected bridge does, and a disconnected one no longer holds the port, as with dockerd 28.5."""
    engine, networks = whole_engine, whole_engine.networks
    await networks.create(NetworkCreate(name="inner", internal=True))
    for name in ("anne", "bert"):
        await networks.create(NetworkCreate(name=name))
    ident, inside = await start(engine, "inner", ("", "28080"))
    with served(inside):
        assert is_closed("127.0.0.1", 28080)
        for name in ("anne", "bert"):
            await networks.connect(name, ident)
            assert said(None, "127.0.0.1", 28080) and await ports_of(engine, ident) == {"80/tcp": ["28080"]}
        await networks.disconnect("anne", ident)
        assert said(None, "127.0.0.1", 28080)
        await networks.disconnect("bert", ident)
        assert is_closed("127.0.0.1", 28080) and await ports_of(engine, ident) == {}
        other, its = await start(engine, "bert", ("", "28080"))
        with served(its):
            assert said(None, "127.0.0.1", 28080)
            with pytest.raises(MobyError, match="port is already allocated"):
                await networks.connect("anne", ident)
        await engine.containers.remove(other, force=True)
    await engine.containers.remove(ident, force=True)
