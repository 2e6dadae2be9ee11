"""Two engines with data roots of their own on one host: neither takes the other's subnet, nor what else it has."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from moby_tui.engine.resources.networks import manager
from moby_tui.engine.resources.networks.drivers.bridge import BridgeDriver, SubnetTaken
from moby_tui.errors import MobyError, NotFound
from moby_tui.schema.network import Ipam, IpamPool, NetworkCreate
from networks.world import Engine, address, reaches


@pytest.fixture
def other(engine: Engine, roots: tuple[Path, Path]) -> Iterator[Engine]:
    """An engine with another data root."""
    made = Engine(*(root.with_name(f"{root.name}-other") for root in roots))
    with contextlib.closing(made):
        yield made


async def subnet(engine: Engine, network: str) -> str:
    return ((await engine.manager.inspect(network)).ipam.config or [])[0].subnet


def overlap(one: str, another: str) -> bool:
    return ip_network(one).overlaps(ip_network(another))


async def test_a_subnet_that_was_chosen_and_never_used_is_given_up(
    engine: Engine, other: Engine, listen: Callable[..., socket.socket]
) -> None:
    await engine.manager.configure_default_bridge()
    chosen = await subnet(engine, "bridge")
    stranger = await other.start()
    assert await subnet(other, "bridge") == chosen, "no route tells of a network without a bridge"
    container = await engine.start()
    assert not overlap(await subnet(engine, "bridge"), chosen)
    # the gateway of each answers its own container
    for one, its in ((engine, container), (other, stranger)):
        second = await one.start()
        assert reaches(its.netns_fd, address(second), 80, listen(second.netns_fd, 80)) == address(its)
        assert reaches(None, address(second), 81, listen(second.netns_fd, 81)) == its.endpoints["bridge"].gateway


async def test_two_that_choose_at_once(engine: Engine, other: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second looked for a free subnet before the first had made its bridge."""
    await other.manager.configure_default_bridge()
    before = manager._routes()
    await engine.manager.create(NetworkCreate(name="front"))
    looks = iter([before])
    look = manager._routes
    monkeypatch.setattr(manager, "_routes", lambda: next(looks, None) or look())
    await other.manager.create(NetworkCreate(name="front"))
    one, another = await subnet(engine, "front"), await subnet(other, "front")
    assert next(looks, None) is None and not overlap(one, another)
    await other.start("front")


async def test_many_at_once(engine: Engine, other: Engine) -> None:
    names = [f"n{number}" for number in range(3)]
    await asyncio.gather(*(each.manager.create(NetworkCreate(name=name)) for name in names for each in (engine, other)))
    subnets = [await subnet(each, name) for name in names for each in (engine, other)]
    assert not [(a, b) for position, a in enumerate(subnets) for b in subnets[:position] if overlap(a, b)]


async def test_a_subnet_that_was_asked_for_is_taken_as_it_is(engine: Engine, other: Engine) -> None:
    """As by dockerd, which does not look at the host's routes then: the person may mean it. `network doctor` tells of it."""
    asked = NetworkCreate(name="front", ipam=Ipam(config=[IpamPool(subnet="10.94.0.0/24")]))
    await engine.manager.create(asked)
    await other.manager.create(asked)
    assert await subnet(other, "front") == "10.94.0.0/24"


async def test_a_network_that_was_removed_meanwhile(engine: Engine) -> None:
    await engine.manager.create(NetworkCreate(name="front"))
    network = engine.manager.find("front")
    await engine.manager.remove("front")
    with pytest.raises(NotFound, match="network front not found"):
        await engine.manager.ready(network)


async def test_none_is_free(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BridgeDriver, "create", _taken)
    monkeypatch.setattr(BridgeDriver, "_create", _taken)
    with pytest.raises(MobyError, match="is taken"):
        await engine.manager.create(NetworkCreate(name="front"))
    assert [network.name for network in await engine.manager.list()] == ["bridge", "host", "none"]


def _taken(*_: object) -> None:
    raise SubnetTaken("it is taken")
