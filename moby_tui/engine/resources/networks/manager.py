"""Networks: those that every engine has (bridge, host, none), those that users make, and the network of a container from before its start
to after its end."""

from __future__ import annotations

import asyncio
import builtins
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from typing import TYPE_CHECKING, TypeVar

import msgspec

from moby_tui.engine.kernel import fault
from moby_tui.engine.protocol.network import HostPort, NameService
from moby_tui.engine.resources.networks import bridge_options, endpoints, files, seen
from moby_tui.engine.resources.networks.attaching import Attaching, Published
from moby_tui.engine.resources.networks.drivers.bridge import BridgeDriver, set_loopback_up
from moby_tui.engine.resources.networks.drivers.driver import Driver, Endpoint, Subnet
from moby_tui.engine.resources.networks.endpoints import Called, Place
from moby_tui.engine.resources.networks.firewall import Firewall
from moby_tui.engine.resources.networks.pool import NamespacePool
from moby_tui.engine.resources.networks.ports import PortRequest, PortTaken, port_requests, port_settings
from moby_tui.engine.resources.networks.sandbox import Folders, Holding, Sandbox
from moby_tui.engine.store import networks as store
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.digest import sha256
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records import record_files
from moby_tui.engine.store.records.containers import EndpointSettings, PortBinding
from moby_tui.engine.tasks import in_thread
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import Forbidden, InvalidArgument, MobyError, NotFound
from moby_tui.schema.base import Filters, encode
from moby_tui.schema.container import ContainerSummary
from moby_tui.schema.container import EndpointSettings as ShownEndpoint
from moby_tui.schema.network import IpamPool, Network, NetworkContainer, NetworkCreate, NetworkCreated, NetworksPruned

if TYPE_CHECKING:
    from moby_tui.engine.resources.networks.operation.doctor import Ward
    from moby_tui.schema.traffic import Finding

log = logging.getLogger(__name__)

T = TypeVar("T")
LOOPBACK = IPv4Address("127.0.0.1")
#: How long the monitors of containers that have ended are waited for, and between looks.
_ENDING_SECONDS, _LOOK_SECONDS = 10.0, 0.01
#: ``publish(type, action, id, attributes)``
Publish = Callable[[str, str, str, dict[str, str]], object]


class Connection(msgspec.Struct):
    """A place that a running container has just got. Whoever has the holding undoes it."""

    place: Place
    holding: Holding
    endpoint: Endpoint


class NetworkManager:
    """Implements the client protocol's ``Networks``. ``list_containers`` is set by the engine: the running containers."""

    def __init__(
        self, paths: Paths, database: Database, publish: Publish, options: Callable[[], EngineOptions] = EngineOptions
    ) -> None:
        self._database = database
        self._data_root = paths.data_root
        self._publish = publish
        #: the engine's, at the moment
        self.options = options
        self._told_of_bridge = False
        instance = f"moby-{paths.instance}" if paths.instance else "moby"
        self._bridge_name = instance if paths.instance else "moby0"
        self._seed = sha256(f"{os.uname().nodename} {instance}".encode()).digest()
        self._folders = Folders(paths.networks)
        self._pool = NamespacePool()
        firewall = Firewall(instance, seen.note(paths.networks))
        self._bridges = BridgeDriver(
            firewall, self._folders.lock, self._bridge_networks, self._folders.published, self._folders.publishing
        )
        self._attaching = Attaching(self._folders, firewall, self._driver)
        self.list_containers: Callable[[], Awaitable[list[ContainerSummary]]] | None = None

    # ---- the client's side

    async def list(self, *, filters: Filters | None = None) -> list[Network]:
        if not filters:
            return [network.shown() for network in store.load(self._database)]
        from moby_tui.engine.resources.networks.filters import matches

        wanted = filters
        used = await self._used() if "dangling" in wanted else set()
        return [n.shown() for n in store.load(self._database) if matches(n, wanted, used=n.name in used or n.id in used)]

    async def inspect(self, ref: str) -> Network:
        """Raises ``NotFound``, and ``InvalidArgument`` where an id's prefix fits several."""
        network = self._find(ref).shown()
        containers = await self.list_containers() if self.list_containers else []
        for container in containers:
            endpoint = container.network_settings.networks.get(network.name)
            if endpoint is not None and endpoint.endpoint_id:
                network.containers[container.id] = _as_member(container.names[0].removeprefix("/"), endpoint)
        return network

    async def create(self, asked: NetworkCreate) -> NetworkCreated:
        """Makes a network, on the host too. Raises ``Conflict`` where the name is taken, and what can be wrong with options and subnets."""
        from moby_tui.engine.resources.networks import creation

        network = creation.new_network(asked)
        network.options = self.options().default_network_options.get(network.driver, {}) | network.options
        driver = self._driver(network.driver)
        driver.check(network)
        # the default network has the first pool, whoever comes first
        await self._settled(self._find("bridge"))
        if driver.has_addresses:
            routes = await in_thread(_routes)
            store.insert(self._database, lambda others: self._with_subnets(network, others, routes))
        else:
            store.insert(self._database, lambda _: network)
        fault.point("networks.row written")
        try:
            await _uninterrupted(lambda: driver.create(network))
        except BaseException:
            store.delete(self._database, network.id)
            raise
        fault.point("networks.made")
        stored = store.update(self._database, network.id, lambda row: row.options.update(network.options))
        record_files.keep_network(self._data_root, network.id, encode(stored))
        fault.point("networks.record kept")
        self._tell("create", network)
        return NetworkCreated(id=network.id)

    async def remove(self, ref: str) -> None:
        """Raises ``Forbidden`` for a network that every engine has, and for one that containers are in."""
        await self._remove(self._find(ref))

    async def prune(self, *, filters: Filters | None = None) -> NetworksPruned:
        """Removes the networks of users that no running container is in; one that cannot be removed is logged and left out."""
        from moby_tui.engine.resources.networks.filters import matches

        gone = []
        used = await self._used()
        for network in store.load(self._database):
            if network.name in store.PREDEFINED or network.name in used or network.id in used:
                continue
            if matches(network, filters or {}):
                try:
                    await self._remove(network)
                except (MobyError, OSError) as error:
                    log.warning("network %s could not be removed: %s", network.name, error)
                else:
                    gone.append(network.name)
        return NetworksPruned(networks_deleted=gone or None)

    async def _remove(self, network: Network) -> None:
        if network.name in store.PREDEFINED:
            raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
        if members := await self._members(network):
            told = ", ".join(f'name:"{name}" id:"{ident[:12]}"' for ident, name in members.items())
            raise Forbidden(f"error while removing network: network {network.name} has active endpoints ({told})")
        await _uninterrupted(lambda: self._driver(network.driver).delete(network))
        fault.point("networks.unmade")
        self._folders.leases(network.id).remove()
        from moby_tui.engine.resources.networks.names import zone

        zone.remove(self._folders.zones, network.id)
        fault.point("networks.leases removed")
        record_files.drop_network(self._data_root, network.id)
        fault.point("networks.record dropped")
        if store.delete(self._database, network.id):
            self._tell("destroy", network)

    async def _used(self) -> set[str]:
        containers = await self.list_containers() if self.list_containers else []
        return {name for container in containers for name in container.network_settings.networks}

    async def _members(self, network: Network) -> dict[str, str]:
        """The containers that are in a network, by id. Those that have just ended are waited for: their monitors are undoing it."""
        deadline = time.monotonic() + _ENDING_SECONDS
        while members := self._folders.members(network.id):
            running = await self.list_containers() if self.list_containers else []
            names = {container.id: container.names[0].removeprefix("/") for container in running}
            if self.list_containers is None or any(member in names for member in members) or time.monotonic() > deadline:
                return {member: names.get(member, member) for member in members}
            await self.reconcile()
            await asyncio.sleep(_LOOK_SECONDS)
        return {}

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
        linked_hosts: str = "",
        create: Callable[[], int] | None = None,
    ) -> Sandbox:
        """Makes and wires the network of a container that is about to start. ``mode`` is its ``NetworkMode``, ``asked`` what it asks of its
        places by the networks' names or ids, None where the mode's is the only one; ``linked_hosts`` are the lines of those that it
        links to; ``create`` makes the namespace, or hands over one that is there.

        Raises ``MobyError`` where a port is taken or no address is free, ``InvalidArgument`` for what the network does not
        have, and ``NotFound`` for an unknown one; nothing is left behind then. Costs a few milliseconds.
        """
        try:
            places = await self._places(mode, asked)
        except NotFound as error:
            raise NotFound(f"failed to set up container networking: {error}") from error
        first = places[0].network if places else self._find("none")
        namespace = self._pool.take if create is None else partial(_with_loopback, create)
        called = Called(container_id, name, hostname)
        served = any(endpoints.is_user_defined(place.network) for place in places)
        own_namespace = first.name not in ("host", "none")
        resolv_conf = (
            files.served_resolv_conf(dns, dns_search, dns_options)
            if served
            else files.resolv_conf(dns, dns_search, dns_options, own_namespace=own_namespace, shared=first.name == "host")
        )
        made: builtins.list[Endpoint] = []
        if first.name == "host":
            prepared = Sandbox(hosts=files.host_hosts() + files.extra_hosts(extra_hosts, self._host_gateways([LOOPBACK])))
        elif first.name == "none":
            hosts = files.hosts(files.extra_hosts(extra_hosts, self._host_gateways([])))
            at_once = create is None and self._pool.ready
            prepared = await _made(lambda: Sandbox(netns_fd=namespace(), hosts=hosts), at_once=at_once)
        else:
            for place in places:
                endpoints.check(place)
            wanted, unpublished = _ports(places, ports or {}, exposed, publish_all=publish_all)
            extra = files.extra_hosts(extra_hosts, self._host_gateways(_gateways(places))) + linked_hosts
            prepared, made = await self._attach(called, places, wanted, namespace)
            prepared.ports |= dict.fromkeys(unpublished)
            names = files.host_names(hostname, domainname)
            addresses = [str(address.ip) for endpoint in made for address in endpoint.addresses]
            prepared.hosts = files.hosts(extra, names, addresses)
            prepared.servers = files.forwarders(dns) if endpoints.gateway_of(places) else []
            prepared.interfaces = {place.network.name: endpoint.interface for place, endpoint in zip(places, made, strict=True)}
        prepared.resolv_conf = resolv_conf
        for position, place in enumerate(places):
            prepared.endpoints[place.network.name] = _settings(place, made[position : position + 1], called)
            self.tell("connect", place.network, container_id)
        return prepared

    async def _attach(
        self, called: Called, places: Sequence[Place], ports: builtins.list[PortRequest], namespace: Callable[[], int]
    ) -> tuple[Sandbox, builtins.list[Endpoint]]:
        return await self._patiently(lambda: _attached(lambda: self._attaching.attach(called, places, ports, namespace)))

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Ports of containers that have just ended are waited for: their monitors give them back, and may have by the time of a look."""
        deadline = time.monotonic() + _ENDING_SECONDS
        is_last = False
        while True:
            try:
                return await work()
            except PortTaken:
                if is_last or time.monotonic() > deadline:
                    raise
            is_last = not await self._is_giving_back()
            if not is_last:
                await self.reconcile()
                await asyncio.sleep(_LOOK_SECONDS)

    async def _is_giving_back(self) -> bool:
        """Whether there are published ports of a container that does not run, be it the last run of the one that starts."""
        holders = set(self._folders.publishers())
        running = await self.list_containers() if holders and self.list_containers else []
        return self.list_containers is not None and bool(holders - {container.id for container in running})

    def _host_gateways(self, own: Sequence[IPv4Address]) -> builtins.list[IPv4Address | IPv6Address]:
        """What ``host-gateway`` stands for: what the engine's options say, or the host's ``own`` address for this container."""
        return [*map(ip_address, self.options().host_gateway_ips)] or [*own]

    async def connect(self, ref: str, called: Called, namespace: int, asked: EndpointSettings) -> Connection:
        """One more place for a container that runs; its holding is the caller's. Raises ``NotFound``, ``InvalidArgument``, ``MobyError``."""
        place = Place(await self._settled(self._find_for(ref)), asked)
        endpoints.check(place)
        holding, endpoint = await in_thread(lambda: self._attaching.attach_live(called, place, namespace))
        return Connection(place=place, holding=holding, endpoint=endpoint)

    def is_member(self, container_id: str, network_id: str) -> bool:
        """True if there is a record of the container's place in the network, whichever process holds it."""
        return self._folders.is_member(container_id, network_id)

    def bound(self, container_id: str) -> dict[str, HostPort | None]:
        """The published ports of a running container, by the names of their holdings."""
        return self._folders.bound(container_id)

    async def publish(
        self, called: Called, given: Mapping[str, EndpointSettings], asked: Mapping[str, Sequence[PortBinding] | None]
    ) -> tuple[builtins.list[Holding], dict[str, builtins.list[PortBinding] | None]]:
        """Publishes ports of a running container at the place of its default route; their holdings are the caller's.

        Raises ``InvalidArgument`` where that is no bridge network, and ``MobyError``.
        """
        places = [Place(self._find(settings.network_id), settings) for settings in given.values()]
        place = endpoints.gateway_of(places)
        if place is None or place.network.driver != "bridge":
            raise InvalidArgument("no port can be published: the container's default route leads through no bridge network")
        wanted, _ = _ports(places, asked, (), publish_all=False)
        endpoint = endpoints.of_settings(called.id, place.asked)
        made = await self._patiently(lambda: in_thread(lambda: self._live(called, place, endpoint, wanted)))
        return [published.holding for published in made], port_settings(published.port for published in made)

    def _live(
        self, called: Called, place: Place, endpoint: Endpoint, wanted: builtins.list[PortRequest]
    ) -> builtins.list[Published]:
        return self._attaching.publish_live(called, place.network, endpoint, wanted)

    async def lead_out(
        self, namespace: int, places: Sequence[Place], given: Mapping[str, EndpointSettings], interfaces: Mapping[str, str]
    ) -> None:
        """Has the default route of a running container lead through the right one of its networks. Raises ``MobyError``."""
        place = endpoints.gateway_of(places)
        settings = given[place.network.name] if place else EndpointSettings()
        interface = interfaces.get(place.network.name, "") if place else ""
        gateways = [ip_address(text) for text in (settings.gateway, settings.ipv6_gateway) if text]
        await in_thread(lambda: self._attaching.lead_out(namespace, interface, gateways))

    def rename(self, network_id: str, called: Called, given: EndpointSettings) -> builtins.list[str]:
        """Gives a running container's place the names that it has now; they are answered from the next question on."""
        network = self._find(network_id)
        names = endpoints.names_of(Place(network, given), called)
        if names:
            from moby_tui.engine.resources.networks.names import zone

            addresses = [ip_address(text) for text in (given.ip_address, given.global_ipv6_address) if text]
            links = endpoints.links_of(Place(network, given))
            zone.write(self._folders.zones, network.id, called.id, network.name, names, addresses, links)
        return names

    def name_service(self, container_id: str, servers: Sequence[str]) -> NameService:
        """What a monitor has to know to have the container's questions answered."""
        from moby_tui.engine.resources.networks.names import program as name_server

        frozen = getattr(sys, "frozen", False)
        program = [sys.executable, name_server.COMMAND] if frozen else [sys.executable, "-P", "-m", name_server.MODULE]
        folder = str(self._folders.zones)
        return NameService(container=container_id, servers=[*servers], forwards=bool(servers), folder=folder, program=program)

    async def serve_names(self, namespace: int) -> builtins.list[int]:
        """Sockets of the name service in a running container's namespace."""
        from moby_tui.engine.resources.networks.names import sockets as name_sockets

        return await in_thread(lambda: name_sockets.open_in(namespace))

    async def remove_interface(self, namespace: int, interface: str) -> None:
        """Deletes an interface of a running container; one that is gone already is no error."""
        await in_thread(lambda: self._attaching.remove_interface(namespace, interface))

    def check_asked(self, asked: Mapping[str, EndpointSettings | None]) -> None:
        """What a new container asks of its places, as far as their networks are there. Raises ``InvalidArgument``."""
        for ref, settings in asked.items():
            try:
                network = self._find(ref)
            except NotFound:
                continue
            try:
                endpoints.check(Place(network, settings or EndpointSettings()))
            except InvalidArgument as error:
                raise InvalidArgument(f"invalid config for network {ref}: {error}") from error

    def find(self, ref: str) -> Network:
        """A network by its name, id or a prefix of it. Raises ``NotFound``, ``InvalidArgument``."""
        return self._find(ref)

    def tell(self, action: str, network: Network, container_id: str) -> None:
        """Publishes that a container was connected or disconnected."""
        self._publish("network", action, network.id, {"container": container_id, "name": network.name, "type": network.driver})

    def mend(self) -> None:
        """Puts the nftables tables right where another program changed them. Blocks; what cannot be done is logged."""
        try:
            if self._folders.is_anybody_in():
                self._bridges.mend()
        except MobyError as error:
            # of the database or the records: whatever is done with the engine tells of it
            log.debug("the nftables tables were not looked at: %s", error)
        except OSError as error:
            log.warning("the nftables tables could not be looked at: %s", error.strerror or error)

    async def examine(self) -> builtins.list[Finding]:
        """What blocks or breaks the traffic of the networks on this host. Raises ``MobyError`` where the kernel does not let one look."""
        from moby_tui.engine.resources.networks.operation.doctor import examine

        try:
            return await in_thread(lambda: examine(self._ward()))
        except OSError as error:
            raise MobyError(f"cannot look at the host's networks: {(error.strerror or str(error)).lower()}") from error

    def _ward(self) -> Ward:
        from moby_tui.engine.resources.networks.operation.doctor import Ward

        networks = store.load(self._database)
        members = {network.id: self._folders.members(network.id) for network in networks}
        wrong = self._bridges.wrong() if any(members.values()) else []
        return Ward(networks=networks, members=members, table=self._bridges.table, tables=wrong)

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

    # ---- finding

    async def _places(self, mode: str, asked: Mapping[str, EndpointSettings | None] | None) -> builtins.list[Place]:
        """The container's networks: those of higher priority first, then that of its mode, then the others by name."""
        first = self._find_for(mode)
        if asked is None or first.name in ("host", "none"):
            return [Place(await self._settled(first), (asked or {}).get(mode) or EndpointSettings())]
        places = [Place(self._find_for(ref), settings or EndpointSettings()) for ref, settings in asked.items()]
        places.sort(key=lambda place: (-place.asked.gw_priority, place.network.id != first.id, place.network.name))
        return [Place(await self._settled(place.network), place.asked) for place in places]

    def _driver(self, name: str) -> Driver:
        """The driver of this name; what few networks have is imported when it is asked for. Raises ``NotFound``."""
        if name == self._bridges.name:
            return self._bridges
        from moby_tui.engine.resources.networks.drivers.null import HostDriver, NullDriver
        from moby_tui.engine.resources.networks.drivers.sublink import IpvlanDriver, MacvlanDriver

        for driver in (HostDriver(), NullDriver(), MacvlanDriver(), IpvlanDriver()):
            if driver.name == name:
                return driver
        raise NotFound(f'plugin "{name}" not found')

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
            raise InvalidArgument(f"network {ref} is ambiguous ({len(found)} matches found based on ID prefix)")
        return found[0]

    def _find_for(self, mode: str) -> Network:
        return self._find("bridge" if mode in ("", "default") else mode)

    def _bridge_networks(self) -> builtins.list[Network]:
        """Those that have something on the host."""
        return [network for network in store.load(self._database) if network.driver == "bridge" and network.ipam.config]

    async def _settled(self, network: Network) -> Network:
        """The default bridge network gets its subnet when it is first used, and keeps it unless the engine's options want another one."""
        if network.name != "bridge" or (network.ipam.config and not await self._is_undone(network)):
            return network
        taken = await in_thread(_routes)
        others = [other for other in store.load(self._database) if other.id != network.id]
        return store.update(self._database, network.id, lambda row: self._settle(row, others, taken))

    async def settle_default(self) -> None:
        """Has the default bridge network be as the engine's options want it. Raises ``InvalidArgument``, ``Forbidden``, ``MobyError``."""
        await self._settled(self._find("bridge"))

    async def _is_undone(self, network: Network) -> bool:
        """Whether the default bridge was other than the engine's options want it, and nobody was in it: then it is no more."""
        if not self.options().configures_bridge:
            # whatever another engine of this data root has made of it
            return False
        from moby_tui.engine.resources.networks import default_bridge

        if default_bridge.fits(network, self.options(), self._bridge_name):
            return False
        if members := self._folders.members(network.id):
            if not self._told_of_bridge:
                log.warning("network bridge stays as it is while %d containers are in it", len(members))
            self._told_of_bridge = True
            return False
        await _uninterrupted(lambda: self._bridges.delete(network))
        self._folders.leases(network.id).remove()
        store.update(self._database, network.id, _forget_pools)
        return True

    def restore(self, ids: Mapping[str, str], subnet: Subnet | None) -> None:
        """Makes the rows anew as running containers know the networks: the ids of those, and the subnet of the bridge."""
        store.restore(self._database, ids)
        if subnet is not None:
            known = [IpamPool(subnet=str(subnet))]
            store.update(self._database, self._find("bridge").id, lambda row: self._settle(row, [], [], known))

    def _settle(
        self,
        network: Network,
        others: builtins.list[Network],
        taken: builtins.list[Subnet],
        known: builtins.list[IpamPool] | None = None,
    ) -> None:
        if network.ipam.config:
            return
        # once for each data root
        from moby_tui.engine.resources.networks import default_bridge

        network.ipam.config = known
        default_bridge.configure(network, self.options(), self._bridge_name)
        self._with_subnets(network, others, taken)

    def _with_subnets(self, network: Network, others: Sequence[Network], taken: Sequence[Subnet]) -> Network:
        from moby_tui.engine.resources.networks import creation
        from moby_tui.engine.resources.networks.pools import DEFAULT_POOLS, read_pools

        creation.give_subnets(
            network, taken, others, read_pools(self.options().default_address_pools) or DEFAULT_POOLS, self._seed
        )
        return network

    def _tell(self, action: str, network: Network) -> None:
        self._publish("network", action, network.id, {"name": network.name, "type": network.driver})


def _forget_pools(network: Network) -> None:
    network.ipam.config = None


def _routes() -> list[Subnet]:
    """Where the host's routes lead."""
    from moby_tui.engine.resources.networks import host

    return [route.destination for route in host.routes()]


def _settings(place: Place, made: list[Endpoint], called: Called) -> EndpointSettings:
    names = endpoints.names_of(place, called)
    if made:
        return endpoints.settings(place, made[0], names)
    asked = place.asked
    return msgspec.structs.replace(asked, network_id=place.network.id, endpoint_id=os.urandom(32).hex())


def _gateways(places: Sequence[Place]) -> list[IPv4Address]:
    """The host's address in the network of the default route, if it has one there."""
    place = endpoints.gateway_of(places)
    pools = place.network.ipam.config or [] if place else []
    found = [ip_interface(pool.any_gateway).ip for pool in pools if pool.any_gateway]
    return [address for address in found if isinstance(address, IPv4Address)][:1]


def _ports(
    places: Sequence[Place], asked: Mapping[str, Sequence[PortBinding] | None], exposed: Sequence[str], *, publish_all: bool
) -> tuple[list[PortRequest], list[str]]:
    """What is published, and what is exposed only, by the network of the default route; as in Docker nothing where that is no bridge."""
    place = endpoints.gateway_of(places)
    if place is None or place.network.driver != "bridge":
        return [], []
    network = place.network
    versions = [version for version, has in ((4, network.enable_ipv4), (6, network.enable_ipv6)) if has]
    return port_requests(asked, exposed, publish_all, bridge_options.read(network).host_binding, versions)


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


def _as_member(name: str, endpoint: ShownEndpoint) -> NetworkContainer:
    six = endpoint.global_ipv6_address
    return NetworkContainer(
        name=name,
        endpoint_id=endpoint.endpoint_id,
        mac_address=endpoint.mac_address,
        ipv4_address=f"{endpoint.ip_address}/{endpoint.ip_prefix_len}" if endpoint.ip_address else "",
        ipv6_address=f"{six}/{endpoint.global_ipv6_prefix_len}" if six else "",
    )
