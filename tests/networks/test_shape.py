"""``network shape``: what a container sends is limited by the kernel, and no longer when it was undone. This kernel may lack netem."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.api.client.connect import connect
from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel.network import netns
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound
from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.schema.network import NetworkCreate
from moby_tui.schema.traffic import Shape
from networks.world import HOST, run

#: More than a bucket holds and a queue of 400 ms takes, at 1 Mbit/s.
_PACKETS, _SIZE = 200, 1400


@pytest.fixture
def engine(whole_engine: Engine) -> Engine:
    return whole_engine


async def start(engine: Engine, name: str, network: str) -> str:
    asked = ContainerCreate(image="busybox", cmd=["sleep", "1000"], host_config=HostConfig(network_mode=network))
    created = await engine.containers.create(asked, name=name)
    await engine.containers.start(created.id)
    return created.id


async def flood(engine: Engine, container: str, interface: str) -> int:
    """Sends packets at once, and returns how many the interface's queue has dropped so far."""
    pid = (await engine.containers.inspect(container)).state.pid
    with open(f"/proc/{pid}/ns/net") as namespace:
        netns.call(namespace.fileno(), lambda: send(interface))
        shown = run(f"tc -s -j qdisc show dev {interface}", namespace.fileno())
    return sum(one.get("drops", 0) for one in json.loads(shown))


def send(interface: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _PACKETS * _SIZE * 4)
        for _ in range(_PACKETS):
            client.sendto(bytes(_SIZE), (HOST, 9))


async def test_a_rate_is_the_kernels_and_ends_with_clear_and_with_the_container(engine: Engine, outside: int, door: Path) -> None:
    await engine.networks.create(NetworkCreate(name="front"))
    web = await start(engine, "web", "front")
    await engine.networks.connect("bridge", web)
    assert await flood(engine, web, "eth0") == 0
    await engine.networks.shape(web, Shape(network="front", rate=1_000_000))
    assert await flood(engine, web, "eth0") > 0 and await flood(engine, web, "eth1") == 0
    assert await engine.networks.shapes(web) == [
        Shape(network="front", interface="eth0", rate=1_000_000),
        Shape(network="bridge", interface="eth1"),
    ]
    async with connect(f"unix://{door}") as client:
        await client.networks.shape("web", Shape(rate=2_000_000))
        assert [one.rate for one in await client.networks.shapes("web")] == [2_000_000, 2_000_000]
        assert await flood(engine, web, "eth1") > 0
        await client.networks.shape("web", Shape())
    assert await flood(engine, web, "eth0") == await flood(engine, web, "eth1") == 0
    await engine.networks.shape(web, Shape(rate=1_000_000))
    await engine.networks.disconnect("front", web)
    await engine.networks.connect("front", web)
    assert {one.network: one.rate for one in await engine.networks.shapes(web)} == {"bridge": 1_000_000, "front": 0}
    await engine.containers.restart(web, timeout=0)
    assert [one.rate for one in await engine.networks.shapes(web)] == [0, 0]


async def test_what_the_kernel_does_not_have_is_one_line_and_changes_nothing(engine: Engine) -> None:
    web = await start(engine, "web", "bridge")
    await engine.networks.shape(web, Shape(rate=1_000_000))
    try:
        await engine.networks.shape(web, Shape(delay=50_000, loss=1, rate=5_000_000))
    except MobyError as error:
        assert str(error.message) == (
            "this kernel has no queueing discipline netem, which --delay, --jitter and --loss need: load the module sch_netem"
        )
        assert [one.rate for one in await engine.networks.shapes(web)] == [1_000_000]
        assert await flood(engine, web, "eth0") > 0
    else:
        assert [(one.delay, one.rate) for one in await engine.networks.shapes(web)] == [(50_000, 5_000_000)]


async def test_what_cannot_be_shaped_is_told(engine: Engine) -> None:
    web, host = await start(engine, "web", "bridge"), await start(engine, "in-host", "host")
    beside = await start(engine, "beside", f"container:{web}")
    for container, shape, error, text in (
        (web, Shape(network="none", rate=10_000), NotFound, "container web is not connected to network none"),
        (host, Shape(rate=10_000), InvalidArgument, "container in-host has no interface of its own"),
        (beside, Shape(rate=10_000), InvalidArgument, "container beside is in the network of"),
        (web, Shape(rate=7), InvalidArgument, "invalid rate"),
        (web, Shape(loss=101), InvalidArgument, "invalid loss"),
        (web, Shape(jitter=5), InvalidArgument, "invalid jitter"),
        (web, Shape(delay=-1), InvalidArgument, "invalid delay"),
    ):
        with pytest.raises(error, match=text):
            await engine.networks.shape(container, shape)
    await engine.containers.kill(web)
    await engine.containers.wait(web)
    with pytest.raises(Conflict, match="is not running"):
        await engine.networks.shape(web, Shape(rate=10_000))


async def test_the_command_line(engine: Engine, door: Path, cli: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    await start(engine, "web", "bridge")
    command = ("-H", f"unix://{door}", "network", "shape", "web")
    await asyncio.to_thread(cli, *command, "--rate", "1.5mbit")
    shown = (await asyncio.to_thread(cli, *command)).stdout.splitlines()
    assert [line.split() for line in shown] == [
        ["NETWORK", "INTERFACE", "DELAY", "JITTER", "LOSS", "RATE"],
        ["bridge", "eth0", "-", "-", "-", "1500kbit"],
    ]
    await asyncio.to_thread(cli, *command, "--clear")
    assert [one.rate for one in await engine.networks.shapes("web")] == [0]
    refused = await asyncio.to_thread(cli, *command, "--delay", "50", check=False)
    assert refused.returncode == 1 and refused.stderr == "moby: invalid argument '50' for --delay: give a time such as 50ms\n"
