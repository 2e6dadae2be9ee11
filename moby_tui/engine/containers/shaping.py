"""Delays, drops and limits what a running container sends, network by network, for as long as it runs."""

from __future__ import annotations

from moby_tui.engine.containers import wire
from moby_tui.engine.containers.connections import open_namespace
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.resources.networks.operation import shaping
from moby_tui.engine.store.records.containers import ContainerRecord, NetworkState, Shape
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import Conflict, InvalidArgument, NotFound
from moby_tui.schema import traffic as api


def shapes(parts: Parts, container: str) -> list[api.Shape]:
    """The shaping of each network of a running container. Raises ``NotFound``, ``Conflict``, ``InvalidArgument``."""
    given = _given(parts, parts.get(container))
    return [wire.shape_to_show(_of(given, network)) for network in given.interfaces]


async def shape(parts: Parts, container: str, requested: api.Shape) -> None:
    """Limits what a running container sends in one network, or in each if none is named. A shape without limits removes those there are.

    Raises ``NotFound``, ``Conflict`` if it does not run, ``InvalidArgument``, ``MobyError`` if the kernel cannot.
    """
    shaping.check(wire.shape_to_keep(requested))
    async with parts.changing(parts.get(container)) as record:
        given = _given(parts, record)
        if requested.network and requested.network not in given.interfaces:
            raise NotFound(f"container {record.name} is not connected to network {requested.network}")
        with open_namespace(parts, record) as namespace:
            for network in [requested.network] if requested.network else [*given.interfaces]:
                before = _of(given, network)
                wanted = Shape(
                    network=network,
                    interface=before.interface,
                    delay=requested.delay,
                    jitter=requested.jitter,
                    loss=requested.loss,
                    rate=requested.rate,
                )
                await in_thread(shaping.apply, namespace, before.interface, wanted, before)
                given.shapes[network] = wanted
                given.write(parts.files(record).network)


def _given(parts: Parts, record: ContainerRecord) -> NetworkState:
    if not parts.current_state(record).alive:
        raise Conflict(f"container {record.id} is not running")
    mode = record.host_config.network_mode
    if mode.startswith("container:"):
        raise InvalidArgument(
            f"container {record.name} is in the network of {mode.removeprefix('container:')[:12]}: shape that one"
        )
    given = NetworkState.read(parts.files(record).network)
    if not given.interfaces:
        raise InvalidArgument(f"container {record.name} has no interface of its own that could be shaped (network {mode})")
    return given


def _of(given: NetworkState, network: str) -> Shape:
    interface = given.interfaces[network]
    shaped = given.shapes.get(network)
    # after a new connection the interface is another one
    return shaped if shaped is not None else Shape(network=network, interface=interface)
