"""Networks: those that every engine has (bridge, host, none), those that users make, and the network of a container from before its start
to after its end."""

from __future__ import annotations

import asyncio
import builtins
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from ipaddress import IPv4Address, ip_interface

import msgspec

from moby_tui.engine.resources.networks import creation, endpoints, files, host
from moby_tui.engine.resources.networks.attaching import Attaching
from moby_tui.engine.resources.networks.drivers.bridge import BridgeDriver, set_loopback_up
from moby_tui.engine.resources.networks.drivers.driver import Driver, Endpoint, Subnet
from moby_tui.engine.resources.networks.drivers.null import HostDriver, NullDriver
from moby_tui.engine.resources.networks.endpoints import Place
from moby_tui.engine.resources.networks.filters import matches
from moby_tui.engine.resources.networks.firewall import Firewall
from moby_tui.engine.resources.networks.ipam.pools import DEFAULT_POOLS, Pool
from moby_tui.engine.resources.networks.pool import NamespacePool
from moby_tui.engine.resources.networks.ports import port_requests
from moby_tui.engine.resources.networks.sandbox import Folders, Sandbox
from moby_tui.engine.store import networks as store
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.paths import Paths
from moby_tui.errors import Forbidden, InvalidArgument, NotFound, NotImplementedYet
from moby_tui.schema.base import Filters
from moby_tui.schema.container import ContainerSummary, EndpointSettings, PortBinding
from moby_tui.schema.network import Network, NetworkContainer, NetworkCreate, NetworkCreated, NetworksPruned

LOOPBACK = IPv4Address("127.0.0.1")
#: ``publish(type, action, id, attributes)``
Publish = Callable[[str, str, str, dict[str, str]], object]


class NetworkManager:
    """Implements the client protocol's ``Networks``. ``list_containers`` is set by the engine: the running containers."""

    def __init__(self, paths: Paths, database: Database, publish: Publish, pools: Sequence[Pool] = DEFAULT_POOLS) -> None:
        self._database = database
        self._publish = publish
        self._pools = pools
        instance = f"moby-{paths.instance}" if paths.instance else "moby"
        self._bridge_name = instance if paths.instance else "moby0"
        self._seed = instance.encode().ljust(5, b"\0")
        self._folders = Folders(paths.networks)
        self._pool = NamespacePool()
        firewall = Firewall(instance)
        bridges = BridgeDriver(firewall, self._folders.lock, self._bridge_networks, self._folders.published)
        made: builtins.list[Driver] = [bridges, HostDriver(), NullDriver()]
        self._drivers = {driver.name: driver for driver in made}
        self._attaching = Attaching(self._folders, firewall, self._drivers)
        self.list_containers: Callable[[], Awaitable[list[ContainerSummary]]] | None = None

    # ---- the client's side

    async def list(self, *, filters: Filters | None = None) -> list[Network]:
        return [network for network in store.load(self._database) if matches(network, filters or {})]

    async def inspect(self, ref: str) -> Network:
        """Raises ``NotFound``, and ``InvalidArgument`` where an id's prefix fits several."""
        network = self._find(ref)
        containers = await self.list_containers() if self.list_containers else []
        for container in containers:
            endpoint = container.network_settings.networks.get(network.name)
            if endpoint is not None and endpoint.endpoint_id:
                network.containers[container.id] = _as_member(container.names[0].removeprefix("/"), endpoint)
        return network

    async def create(self, asked: NetworkCreate) -> NetworkCreated:
        """Makes a network, on the host too. Raises ``Conflict`` where the name is taken, and what can be wrong with options and subnets."""
        network = creation.new_network(asked)
        driver = self._driver(network.driver)
        driver.check(network)
        if driver.has_addresses:
            routes = [route.destination for route in await asyncio.to_thread(host.routes)]
            store.insert(self._database, lambda others: self._with_subnets(network, others, routes))
        else:
            store.insert(self._database, lambda _: network)
        try:
            await _uninterrupted(lambda: driver.create(network))
        except BaseException:
            store.delete(self._database, network.id)
            raise
        self._tell("create", network)
        return NetworkCreated(id=network.id)

    async def remove(self, ref: str) -> None:
        """Raises ``Forbidden`` for a network that every engine has, and for one that containers are in."""
        await self._remove(self._find(ref))

    async def prune(self, *, filters: Filters | None = None) -> NetworksPruned:
        """Removes the networks of users that no container is in or would start in."""
        gone = []
        used = await self._used()
        for network in store.load(self._database):
            if network.name in creation.PREDEFINED or network.name in used or network.id in used:
                continue
            if matches(network, filters or {}):
                await self._remove(network)
                gone.append(network.name)
        return NetworksPruned(networks_deleted=gone or None)

    async def _remove(self, network: Network) -> None:
        if network.name in creation.PREDEFINED:
            raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
        if members := self._folders.members(network.id):
            raise Forbidden(
                f"error while removing network: network {network.name} has active endpoints ({await self._names(members)})"
            )
        await _uninterrupted(lambda: self._driver(network.driver).delete(network))
        self._folders.leases(network.id).remove()
        if store.delete(self._database, network.id):
            self._tell("destroy", network)

    async def _used(self) -> set[str]:
        containers = await self.list_containers() if self.list_containers else []
        return {name for container in containers for name in container.network_settings.networks}

    async def _names(self, members: builtins.list[str]) -> str:
        containers = await self.list_containers() if self.list_containers else []
        names = {container.id: container.names[0].removeprefix("/") for container in containers}
        return ", ".join(f'name:"{names.get(member, member)}" id:"{member[:12]}"' for member in members)

    # ---- the engine's side

    async def prepare(
        self,
        container_id: str,
        mode: str,
        *,
        name: str = "",
        hostname: str = "",
        domainname: str = "",
        asked: Mapping[str, EndpointSettings | None] | None = None,
        ports: Mapping[str, Sequence[PortBinding] | None] | None = None,
        exposed: Sequence[str] = (),
        publish_all: bool = False,
        dns: Sequence[str] = (),
        dns_search: Sequence[str] = (),
        dns_options: Sequence[str] = (),
        extra_hosts: Sequence[str] = (),
        create: Callable[[], int] | None = None,
    ) -> Sandbox:
        """Makes and wires the network of a container that is about to start. ``mode`` is its ``NetworkMode``, ``asked`` what it asks of its
        places by the networks' names or ids; ``create`` makes the namespace, or hands over one that is there.

        Raises ``MobyError`` where a port is taken or no address is free, ``InvalidArgument`` for what the network does not
        have, and ``NotFound`` for an unknown one; nothing is left behind then. Costs a few milliseconds.
        """
        places = await self._places(mode, asked or {})
        first = places[0].network
        namespace = self._pool.take if create is None else partial(_with_loopback, create)
        own_namespace = first.name not in ("host", "none")
        resolv_conf = files.resolv_conf(dns, dns_search, dns_options, own_namespace=own_namespace)
        made: builtins.list[Endpoint] = []
        if first.name == "host":
            prepared = Sandbox(hosts=files.host_hosts() + files.extra_hosts(extra_hosts, LOOPBACK))
        elif first.name == "none":
            hosts = files.hosts(files.extra_hosts(extra_hosts, None))
            at_once = create is None and self._pool.ready
            prepared = await _made(lambda: Sandbox(netns_fd=namespace(), hosts=hosts), at_once=at_once)
        else:
            for place in places:
                endpoints.check(place)
            wanted, unpublished = port_requests(ports or {}, exposed, publish_all)
            extra = files.extra_hosts(extra_hosts, _gateway(places))
            prepared, made = await _attached(lambda: self._attaching.attach(container_id, places, wanted, namespace))
            prepared.ports |= dict.fromkeys(unpublished)
            names = f"{hostname}.{domainname} {hostname}" if domainname else hostname
            addresses = [str(address.ip) for endpoint in made for address in endpoint.addresses]
            prepared.hosts = files.hosts(extra, names, addresses)
        prepared.resolv_conf = resolv_conf
        for position, place in enumerate(places):
            prepared.endpoints[place.network.name] = _settings(place, made[position : position + 1], container_id, name, hostname)
            attributes = {"container": container_id, "name": place.network.name, "type": place.network.driver}
            self._publish("network", "connect", place.network.id, attributes)
        return prepared

    def make_ready(self) -> None:
        """A start is over: what the next one can be spared is done now."""
        self._pool.refill()

    def close(self) -> None:
        self._pool.close()

    async def release(self, prepared: Sandbox) -> None:
        """Undoes ``prepare`` where the start failed."""
        await asyncio.to_thread(prepared.release)

    async def reconcile(self) -> None:
        """Undoes the networks of containers whose monitor was killed. Locks tell whose lives, so this is safe at any time."""
        await asyncio.to_thread(self._folders.reconcile)

    async def reconcile_if_needed(self) -> None:
        """As ``reconcile``, without a thread where nothing is left of anybody."""
        if self._folders.is_anything_left():
            await self.reconcile()

    def is_left(self, container_id: str) -> bool:
        """Whether the container has a network that nobody watches over."""
        return self._folders.is_left(container_id)

    # ---- finding

    async def _places(self, mode: str, asked: Mapping[str, EndpointSettings | None]) -> builtins.list[Place]:
        """The container's networks: that of its mode first, then the others by name."""
        first = self._find_for(mode)
        places = {first.id: Place(first, EndpointSettings())}
        for ref, settings in asked.items():
            network = self._find_for(ref)
            if first.name in ("host", "none") and network.id != first.id:
                raise InvalidArgument(
                    f"container cannot be connected to network {network.name}: its network mode is {first.name}"
                )
            places[network.id] = Place(network, settings or EndpointSettings())
        rest = sorted((place for place in places.values() if place.network.id != first.id), key=lambda place: place.network.name)
        return [Place(await self._settled(place.network), place.asked) for place in (places[first.id], *rest)]

    def _driver(self, name: str) -> Driver:
        try:
            return self._drivers[name]
        except KeyError:
            raise NotFound(f"could not find plugin {name} in v1 plugin registry: plugin not found") from None

    def _find(self, ref: str) -> Network:
        networks = store.load(self._database)
        found = (
            [n for n in networks if ref == n.id]
            or [n for n in networks if ref == n.name]
            or [n for n in networks if ref and n.id.startswith(ref)]
        )
        if not found:
            raise NotFound(f"network {ref} not found")
        if len(found) > 1:
            raise InvalidArgument(f"network {ref} is ambiguous ({len(found)} matches found on id); give more of it")
        return found[0]

    def _find_for(self, mode: str) -> Network:
        if mode.startswith("container:"):
            raise NotImplementedYet("network mode container:NAME")
        return self._find("bridge" if mode in ("", "default") else mode)

    def _bridge_networks(self) -> builtins.list[Network]:
        """Those that have something on the host."""
        return [network for network in store.load(self._database) if network.driver == "bridge" and network.ipam.config]

    async def _settled(self, network: Network) -> Network:
        """The default bridge network gets its subnet for good when it is first used."""
        if network.name != "bridge" or network.ipam.config:
            return network
        taken = [route.destination for route in await asyncio.to_thread(host.routes)]
        others = store.load(self._database)
        return store.update(self._database, network.id, lambda row: self._settle(row, others, taken))

    def _settle(self, network: Network, others: builtins.list[Network], taken: builtins.list[Subnet]) -> None:
        if network.ipam.config:
            return
        network.options = {
            "com.docker.network.bridge.default_bridge": "true",
            "com.docker.network.bridge.enable_icc": "true",
            "com.docker.network.bridge.enable_ip_masquerade": "true",
            "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
            "com.docker.network.bridge.name": self._bridge_name,
        }
        self._with_subnets(network, others, taken)

    def _with_subnets(self, network: Network, others: Sequence[Network], taken: Sequence[Subnet]) -> Network:
        creation.give_subnets(network, taken, others, self._pools, self._seed)
        return network

    def _tell(self, action: str, network: Network) -> None:
        self._publish("network", action, network.id, {"name": network.name, "type": network.driver})


def _settings(place: Place, made: list[Endpoint], container_id: str, name: str, hostname: str) -> EndpointSettings:
    names = endpoints.names_of(place, name, hostname, container_id)
    if made:
        return endpoints.settings(place, made[0], names)
    asked = place.asked
    return msgspec.structs.replace(asked, network_id=place.network.id, endpoint_id=os.urandom(32).hex())


def _gateway(places: Sequence[Place]) -> IPv4Address | None:
    """What ``host-gateway`` stands for: the host's address in the network of the default route."""
    place = endpoints.gateway_of(places)
    pools = place.network.ipam.config or [] if place else []
    found = [ip_interface(pool.gateway).ip for pool in pools if pool.gateway]
    return next((address for address in found if isinstance(address, IPv4Address)), None)


async def _attached(make: Callable[[], tuple[Sandbox, list[Endpoint]]]) -> tuple[Sandbox, list[Endpoint]]:
    """Makes a sandbox on a thread; if the caller is cancelled meanwhile, it is undone."""
    making = asyncio.ensure_future(asyncio.to_thread(make))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        making.add_done_callback(_discard)
        raise


async def _made(make: Callable[[], Sandbox], *, at_once: bool) -> Sandbox:
    """As ``_attached``, or without a thread where it is done ``at_once``."""
    if at_once:
        return make()
    sandbox, _ = await _attached(lambda: (make(), []))
    return sandbox


async def _uninterrupted(work: Callable[[], None]) -> None:
    """Runs work on a thread to its end, also where the caller is cancelled meanwhile."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        raise


def _discard(making: asyncio.Future[tuple[Sandbox, list[Endpoint]]]) -> None:
    if not making.cancelled() and making.exception() is None:
        making.result()[0].release()


def _with_loopback(create: Callable[[], int]) -> int:
    namespace = create()
    set_loopback_up(namespace)
    return namespace


def _as_member(name: str, endpoint: EndpointSettings) -> NetworkContainer:
    six = endpoint.global_ipv6_address
    return NetworkContainer(
        name=name,
        endpoint_id=endpoint.endpoint_id,
        mac_address=endpoint.mac_address,
        ipv4_address=f"{endpoint.ip_address}/{endpoint.ip_prefix_len}" if endpoint.ip_address else "",
        ipv6_address=f"{six}/{endpoint.global_ipv6_prefix_len}" if six else "",
    )
