"""The ports of running containers that are reachable from outside of this host, each with the reason.

These are the ports that the engine's networks let through. A rule of the user's, or another firewall of the host, may still block them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_address

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.kernel.cgroup import open_cgroup
from moby_tui.engine.kernel.network.listening import Listener, listeners, sockets
from moby_tui.engine.resources.networks import bridge_options
from moby_tui.engine.resources.networks.endpoints import Place, gateway_of
from moby_tui.engine.store.records.containers import ContainerRecord, NetworkState
from moby_tui.engine.store.state import State
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import MobyError
from moby_tui.schema.traffic import HOST, ON_THE_WIRE, PUBLISHED, ROUTED, TRUSTED, UNPROTECTED, Exposure

_SHARED = "container:"
_SUBLINKS = ("macvlan", "ipvlan")


async def exposures(parts: Parts) -> list[Exposure]:
    """The reachable ports of all running containers, sorted by container and port."""
    return await in_thread(_exposures, parts)


def _exposures(parts: Parts) -> list[Exposure]:
    """Blocks, since it reads the socket tables of each container."""
    exposed: list[Exposure] = []
    for record in parts.list():
        state = parts.current_state(record)
        if state.alive:
            with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                exposed += _of_container(parts, record, state)
    return sorted(exposed, key=lambda one: (one.container, one.port, one.protocol, one.address))


def _of_container(parts: Parts, record: ContainerRecord, state: State) -> Iterator[Exposure]:
    if _is_in_hosts(parts, record):
        yield from _of_host_network(parts, record, state)
        return
    network_state = NetworkState.read(parts.files(record).network)
    places = []
    for name, endpoint in network_state.endpoints.items():
        with suppress(MobyError):  # the network was removed
            places.append(Place(parts.networks.find(endpoint.network_id or name), endpoint))
    outward = gateway_of(places)
    for place in places:
        network = place.network
        if network.driver in _SUBLINKS and not network.internal:
            why = f"its address in {network.driver} network {network.name} is on the wire of {network.options.get('parent', '')}"
            yield from _of_addresses(record, place, state, ON_THE_WIRE, why)
        elif network.driver == "bridge" and not network.internal:
            if place is outward:
                yield from _of_published(record, place, network_state)
            yield from _of_open_bridge(record, place, state)


def _is_in_hosts(parts: Parts, record: ContainerRecord) -> bool:
    """True if the container is in the host's network namespace, itself or by joining the network of a container that is."""
    mode = record.host_config.network_mode
    if mode.startswith(_SHARED):
        with suppress(MobyError):
            return _is_in_hosts(parts, parts.get(mode.removeprefix(_SHARED)))
    return mode == "host"


def _of_host_network(parts: Parts, record: ContainerRecord, state: State) -> Iterator[Exposure]:
    own = sockets(open_cgroup(parts.cgroup_path(record)).pids())
    listening = [one for one in listeners(state.pid) if one.inode in own and not one.address.is_loopback]
    why = "it is in the host's network: what it listens on is the host's"
    for address, protocol, port in _ports(listening, "0.0.0.0"):
        yield _exposure(record, "host", address, port, protocol, port, HOST, why)


def _of_open_bridge(record: ContainerRecord, place: Place, state: State) -> Iterator[Exposure]:
    network = place.network
    options = bridge_options.read(network)
    for version in (4, 6):
        if options.mode(version) == "nat-unprotected":
            why = (
                f"network {network.name} has gateway_mode_ipv{version} nat-unprotected: every port, for whoever has a route to it"
            )
            yield from _of_addresses(record, place, state, UNPROTECTED, why, version)
    if options.trusted:
        why = f"network {network.name} trusts {', '.join(options.trusted)}: every port, for whoever comes in there"
        yield from _of_addresses(record, place, state, TRUSTED, why)


def _of_published(record: ContainerRecord, place: Place, network_state: NetworkState) -> Iterator[Exposure]:
    """The published ports. ``place`` is the container's endpoint in the network of its default route, to which they are translated."""
    network, endpoint = place
    options = bridge_options.read(network)
    for name, bindings in network_state.ports.items():
        number, _, protocol = name.partition("/")
        for binding in bindings or ():
            host = ip_address(binding.host_ip or "0.0.0.0")
            if options.mode(host.version) == "routed":
                why = (
                    f"network {network.name} has gateway_mode_ipv{host.version} routed: published at the container's own address"
                )
                own = endpoint.ip_address if host.version == 4 else endpoint.global_ipv6_address
                yield _exposure(record, network.name, own, int(number), protocol, int(number), ROUTED, why)
            elif not host.is_loopback:
                where = "every address of the host" if host.is_unspecified else "this address of the host"
                why = f"published on {where}"
                port = int(binding.host_port)
                yield _exposure(record, network.name, str(host), port, protocol, int(number), PUBLISHED, why)


def _of_addresses(
    record: ContainerRecord, place: Place, state: State, reason: str, why: str, version: int = 0
) -> Iterator[Exposure]:
    """The ports on which the container listens at its own addresses, of one IP version, or of both if ``version`` is 0."""
    network, endpoint = place
    listening = listeners(state.pid)
    for text in filter(None, (endpoint.ip_address, endpoint.global_ipv6_address)):
        own = ip_address(text)
        if version in (0, own.version):
            receiving = [one for one in listening if one.address == own or _receives_all(one, own.version)]
            for protocol, port in sorted({ports[1:] for ports in _ports(receiving, text)}):
                yield _exposure(record, network.name, text, port, protocol, port, reason, why)


def _receives_all(listener: Listener, version: int) -> bool:
    """True if a socket receives packets for every address of this IP version.

    A socket on ``::`` also receives IPv4, unless its program has set IPV6_V6ONLY, which /proc does not show.
    """
    return listener.address.is_unspecified and (listener.address.version == version or version == 4)


def _ports(listening: Iterable[Listener], otherwise: str) -> list[tuple[str, str, int]]:
    """Address, protocol and port of each listening socket, once. Without one: the address ``otherwise`` with port 0, since a program may
    listen later."""
    return sorted({(str(one.address), one.protocol, one.port) for one in listening}) or [(otherwise, "", 0)]


def _exposure(
    record: ContainerRecord, network: str, address: str, port: int, protocol: str, container_port: int, reason: str, why: str
) -> Exposure:
    return Exposure(
        address=address,
        port=port,
        protocol=protocol,
        container=record.name,
        container_id=record.id,
        container_port=container_port,
        network=network,
        reason=reason,
        explanation=why,
    )
