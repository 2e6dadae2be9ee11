"""Networks of a container that is there already: connected and disconnected, also while it runs.

What was made for a running container is handed to its monitor, which undoes it at the end. Until then it is this process's, by the lock on
its record: whoever is killed in between leaves a record that the next engine undoes.
"""

from __future__ import annotations

import os
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

import msgspec

from moby_tui.engine.containers import ports
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.kernel import fault, namespaces
from moby_tui.engine.protocol import control
from moby_tui.engine.resources.networks import endpoints, files
from moby_tui.engine.resources.networks.endpoints import ContainerNames, Place
from moby_tui.engine.runtime.client import monitor as monitor_client
from moby_tui.engine.store.records.containers import ContainerRecord, EndpointSettings, NetworkingConfig, NetworkState
from moby_tui.engine.store.records.networks import NetworkRecord
from moby_tui.errors import Conflict, Forbidden, InvalidArgument, MobyError, NotFound

_SHARED = "container sharing network namespace with another container or host cannot be connected to any other network"
_PRIVATE = "container cannot be connected to multiple networks with one of the networks in private (none) mode"


async def connect(parts: Parts, ref: str, container: str, asked: EndpointSettings | None) -> None:
    """Connects a container, running or not, to one more network. If it does not run and is in the network, nothing is changed, as by dockerd.

    Raises ``NotFound``, ``MobyError``, and ``Forbidden`` if it runs in the network already or can be in no other one.
    """
    _check_named(container)
    network, settings = parts.networks.find(ref), asked or EndpointSettings()
    record = parts.get(container)
    endpoints.check(Place(network, settings))
    async with parts.changing(record) as record:
        places = _places(record)
        _check_connects(network, record, places)
        runs = parts.current_state(record).alive
        if runs and network.name in places:
            raise Forbidden(f"endpoint with name {record.name} already exists in network {network.name}")
        if not runs:
            if network.name not in places:
                names = endpoints.names_of(Place(network, settings), _names(record))
                kept = msgspec.structs.replace(settings, dns_names=names or None)
                _keep(parts, record, places | {network.name: kept})
            return
        places |= {network.name: settings}
        if parts.networks.sandboxes.is_member(record.id, network.id):
            # a process that was killed while it connected the container had handed this place to the monitor, and had not noted it yet
            await _disconnect_running(parts, record, network, NetworkState.read(parts.files(record).network), force=False)
        before = ports.outlet(parts, record)
        with open_namespace(parts, record) as namespace:
            given = await _connect_running(parts, record, network, settings, namespace)
            fault.point("connect.made")
            _keep(parts, record, places)
            fault.point("networks.connect kept")
            await _settle_inside(parts, record, given, namespace, Place(network, given.endpoints[network.name]))
            fault.point("networks.connect settled")
        await ports.follow(parts, record, before)
        parts.networks.publish_connection("connect", network, record.id)


async def disconnect(parts: Parts, ref: str, container: str, *, force: bool = False) -> None:
    """Disconnects a container from a network. With ``force`` also if its monitor does not answer. Raises as ``connect``."""
    _check_named(container)
    try:
        network = parts.networks.find(ref)
    except NotFound:
        if force and await _forget(parts, ref, container):
            return
        raise
    try:
        record = parts.get(container)
    except NotFound:
        if force:
            raise NotFound(f"endpoint {container} not found") from None
        raise
    if record.host_config.network_mode == "host" and network.name == "host":
        raise InvalidArgument("cannot disconnect container from host network - container was created in host network mode")
    async with parts.changing(record) as record:
        places = _places(record)
        running = parts.current_state(record).alive
        given = NetworkState.read(parts.files(record).network) if running else NetworkState({}, {})
        former = Place(network, given.endpoints.get(network.name) or EndpointSettings())
        if network.name not in places and network.name not in given.endpoints:
            raise MobyError(f"container {record.id} is not connected to {'' if running else 'the '}network {network.name}")
        before = ports.outlet(parts, record) if running else ""
        if running:
            await _disconnect_running(parts, record, network, given, force=force)
        fault.point("disconnect.undone")
        _keep(parts, record, {name: place for name, place in places.items() if name != network.name})
        fault.point("networks.disconnect kept")
        if running:
            with suppress(Conflict), open_namespace(parts, record) as namespace:
                await _settle_inside(parts, record, given, namespace, former)
                if given.servers is not None:
                    await _serve_names(parts, record, given, namespace)
                    given.write(parts.files(record).network)
                await ports.follow(parts, record, before)
            fault.point("networks.disconnect settled")
            parts.networks.publish_connection("disconnect", network, record.id)


async def _forget(parts: Parts, ref: str, container: str) -> bool:
    """Takes a network that was removed out of the record of a container that does not run. Returns False if it is not in there."""
    async with parts.changing(parts.get(container)) as record:
        places = _places(record)
        if ref not in places or parts.current_state(record).alive:
            return False
        del places[ref]
        _keep(parts, record, places)
    return True


def _names(record: ContainerRecord) -> ContainerNames:
    return ContainerNames(record.id, record.name, record.config.hostname)


def _check_named(container: str) -> None:
    if not container:
        raise InvalidArgument('invalid name or ID supplied: ""')


def _check_connects(network: NetworkRecord, record: ContainerRecord, places: Container[str]) -> None:
    """Raises ``InvalidArgument`` if a container with these places can have none in the network."""
    mode = record.host_config.network_mode
    if mode == "host" or mode.startswith("container:"):
        raise InvalidArgument(_SHARED)
    if network.name == "host":
        raise InvalidArgument("cannot connect container to host network - container must be created in host network mode")
    if places and ("none" in places) != (network.name == "none"):
        raise InvalidArgument(_PRIVATE)


def _places(record: ContainerRecord) -> dict[str, EndpointSettings | None]:
    settings = record.networking.endpoints_config if record.networking else None
    return {record.host_config.network_mode: None} if settings is None else {**settings}


def _keep(parts: Parts, record: ContainerRecord, places: dict[str, EndpointSettings | None]) -> None:
    record.networking = NetworkingConfig(endpoints_config=places)
    parts.store.update(record)


async def _connect_running(
    parts: Parts, record: ContainerRecord, network: NetworkRecord, asked: EndpointSettings, namespace: int
) -> NetworkState:
    """Makes the container's place, passes it to the monitor, and returns the container's networks as they are then."""
    files_of = parts.files(record)
    container_names = _names(record)
    made = await parts.networks.sandboxes.connect(network, container_names, namespace, asked)
    fault.point("connect.wired")
    try:
        await parts.hand_over(record, made.holding)
    except BaseException:
        made.holding.release()
        raise
    fault.point("connect.handed over")
    names = endpoints.names_of(made.place, container_names)
    given = NetworkState.read(files_of.network)
    given.endpoints[network.name] = endpoints.settings_of(made.place, made.endpoint, names)
    given.interfaces[network.name] = made.endpoint.interface
    if names or given.servers is not None:
        await _serve_names(parts, record, given, namespace)
    given.write(files_of.network)
    return given


async def _serve_names(parts: Parts, record: ContainerRecord, given: NetworkState, namespace: int) -> None:
    """Has the monitor connect a container to the name server, and writes its resolv.conf, when it has come into its first user-defined
    network. Does it anew if its questions are to be forwarded now, or no longer: only with a network that leads outside."""
    host, options = record.host_config, parts.options()
    dns = host.dns or options.dns
    servers = files.forwarders(dns) if endpoints.gateway_of(_places_of(parts, given)) else []
    if given.servers == servers:
        return
    sockets = await parts.networks.sandboxes.serve_names(namespace)
    try:
        request = control.ServeNames(names=parts.networks.sandboxes.name_service(record.id, servers))
        await monitor_client.hand_over(parts.files(record).socket, parts.patience(record), sockets, request)
    finally:
        for descriptor in sockets:
            os.close(descriptor)
    given.servers = servers
    _rewrite(
        parts.files(record).resolv_conf,
        files.served_resolv_conf(dns, host.dns_search or options.dns_search, host.dns_options or options.dns_options),
    )


def rename(parts: Parts, record: ContainerRecord) -> None:
    """Gives a running container its new names in its networks, after a rename."""
    given = NetworkState.read(parts.files(record).network)
    container_names = _names(record)
    for settings in given.endpoints.values():
        if settings.dns_names:
            settings.dns_names = parts.networks.sandboxes.rename(settings.network_id, container_names, settings)
    given.write(parts.files(record).network)


async def _disconnect_running(
    parts: Parts, record: ContainerRecord, network: NetworkRecord, given: NetworkState, *, force: bool
) -> None:
    released = False
    try:
        await parts.request(record, control.Release(name=network.id[:12]))
        released = True
    except Conflict:
        # the monitor does not hold the place, or was killed: ``reconcile`` undoes what no process holds
        await parts.networks.sandboxes.reconcile()
    except MobyError:
        if not force:
            raise
    fault.point("disconnect.released")
    if not released or network.driver != "bridge":
        await _remove_interface(parts, record, given.interfaces.get(network.name, ""))
    given.endpoints.pop(network.name, None)
    given.interfaces.pop(network.name, None)
    given.shapes.pop(network.name, None)
    given.write(parts.files(record).network)


async def _remove_interface(parts: Parts, record: ContainerRecord, interface: str) -> None:
    """Deletes the interface of a disconnected network, if it still exists.

    That of a bridge network ends with its veth pair, which the monitor deletes; that of a macvlan or ipvlan network does not.
    """
    if interface:
        with suppress(Conflict), open_namespace(parts, record) as namespace:
            await parts.networks.sandboxes.remove_interface(namespace, interface)


async def _settle_inside(parts: Parts, record: ContainerRecord, given: NetworkState, namespace: int, changed: Place) -> None:
    """Sets the container's default routes and its hosts file by the networks that it is in now.

    ``changed`` is the place that was added or removed. The routes stay as they are unless it has, or had, a gateway.
    """
    places = _places_of(parts, given)
    others = [place for place in places if place.network.id != changed.network.id]
    if any(place is changed for place in endpoints.gateways_of([changed, *others]).values()):
        await parts.networks.sandboxes.set_default_routes(namespace, places, given.endpoints, given.interfaces)
    _write_hosts(parts, record, given)


def _places_of(parts: Parts, given: NetworkState) -> list[Place]:
    return [Place(parts.networks.find(settings.network_id), settings) for settings in given.endpoints.values()]


def _write_hosts(parts: Parts, record: ContainerRecord, given: NetworkState) -> None:
    """Replaces the lines of the container's own names in its hosts file."""
    addresses = [
        address
        for settings in given.endpoints.values()
        for address in (settings.ip_address, settings.global_ipv6_address)
        if address
    ]
    names = files.host_names(record.config.hostname, record.config.domainname)
    files.edit_hosts(parts.files(record).hosts, lambda text: files.with_own_names(text, names, addresses))


def _rewrite(path: Path, text: str) -> None:
    """Rewrites the file in its place, with the same inode: it is bind-mounted into the container."""
    with path.open("r+") as file:
        file.write(text)
        file.truncate()


class open_namespace:
    """Opens the network namespace of a running container. Raises ``Conflict`` if it has just ended."""

    def __init__(self, parts: Parts, record: ContainerRecord) -> None:
        self._parts, self._record = parts, record

    def __enter__(self) -> int:
        state = self._parts.state(self._record)
        try:
            self._descriptor = namespaces.open_of(state.pid, state.pid_started, ["network"])[0]
        except OSError as error:
            raise Conflict(f"container {self._record.id} is not running") from error
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
