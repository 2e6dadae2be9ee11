"""Default bridges that no container is in give their subnets back when the pools are used up."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from moby_tui.engine_options import EngineOptions
from moby_tui.errors import MobyError
from moby_tui.schema.network import NetworkCreate
from moby_tui.schema.system import AddressPool
from networks.world import Engine, address, run

#: Two subnets.
OPTIONS = EngineOptions(default_address_pools=(AddressPool(base="10.88.0.0/23", size=24),))


@pytest.fixture
def engines(own_network: None, tmp_path: Path) -> Iterator[list[Engine]]:
    """Five engines, each with a data root of its own, in one network namespace; their pool has two subnets."""
    with contextlib.ExitStack() as stack:
        made = []
        for number in range(5):
            engine = Engine(tmp_path / f"data{number}", tmp_path / f"exec{number}")
            stack.callback(engine.close)
            engine.manager.options = lambda: OPTIONS
            made.append(engine)
        yield made


def bridges(engines: list[Engine]) -> list[bool]:
    there = {name for _, name in socket.if_nameindex()}
    return [engine.name in there for engine in engines]


async def test_an_engine_takes_the_subnet_of_a_bridge_that_no_container_is_in(engines: list[Engine]) -> None:
    first, second, third, fourth, _ = engines
    busy = await first.start()
    idle = await second.start()
    with pytest.raises(MobyError, match="all predefined address pools have been fully subnetted"):
        await third.start()
    assert bridges(engines) == [True, True, False, False, False], "containers are in both"

    await second.manager.sandboxes.release(idle)
    assert address(await third.start()).startswith("10.88.1.")
    assert bridges(engines) == [True, False, True, False, False]
    with pytest.raises(MobyError, match="fully subnetted"):
        await fourth.manager.create(NetworkCreate(name="front"))

    await first.manager.sandboxes.release(busy)
    again = await second.start()
    assert address(again).startswith("10.88.0."), "the engine whose bridge was removed makes another"
    assert "inet 10.88.0." in run("ip -4 addr show eth0", again.netns_fd)


async def test_that_of_a_removed_data_root_goes_before_that_of_one_that_exists(engines: list[Engine]) -> None:
    first, second, third, *_ = engines
    for engine in (first, second):
        await engine.manager.sandboxes.release(await engine.start())
    shutil.rmtree(second.paths.exec_root)
    assert address(await third.start()).startswith("10.88.1.")
    assert bridges(engines) == [True, False, True, False, False]


async def test_a_bridge_stays_while_a_process_puts_a_container_into_it(engines: list[Engine]) -> None:
    first, second, third, *_ = engines
    await first.manager.sandboxes.release(await first.start())
    await second.start()
    joining = first.manager._folders.locked([first.manager.find("bridge").id], shared=True)
    with joining, pytest.raises(MobyError, match="fully subnetted"):
        await third.start()
    assert bridges(engines) == [True, True, False, False, False]


async def test_no_bridge_is_removed_whose_subnet_is_not_in_the_pools(engines: list[Engine]) -> None:
    first, second, *_ = engines
    await first.manager.sandboxes.release(await first.start())
    second.manager.options = lambda: EngineOptions(default_address_pools=(AddressPool(base="10.89.0.0/24", size=24),))
    await second.start()
    with pytest.raises(MobyError, match="fully subnetted"):
        await second.manager.create(NetworkCreate(name="front"))
    assert bridges(engines) == [True, True, False, False, False]
