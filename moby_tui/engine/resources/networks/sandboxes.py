"""The networks of containers: made before a start, changed while the container runs, undone when its monitor was killed."""

from __future__ import annotations

import asyncio
import builtins
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from typing import TYPE_CHECKING, TypeVar

import msgspec

from moby_tui.engine.kernel.network import netns
from moby_tui.engine.protocol.network import HostPort, NameService
from moby_tui.engine.resources.networks import bridge_options, endpoints, files
from moby_tui.engine.resources.networks.attaching import FAILED, Attaching, Published
from moby_tui.engine.resources.networks.drivers.bridge import set_loopback_up
from moby_tui.engine.resources.networks.drivers.driver import Endpoint
from moby_tui.engine.resources.networks.endpoints import ContainerNames, Place
from moby_tui.engine.resources.networks.leases import InUse
from moby_tui.engine.resources.networks.pool import NamespacePool
from moby_tui.engine.resources.networks.sandbox import Folders, Holding, Sandbox
from moby_tui.engine.store.records.containers import EndpointSettings, PortBinding
from moby_tui.engine.store.records.networks import NetworkRecord
from moby_tui.engine.tasks import in_own_thread, in_thread
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import Forbidden, InvalidArgument, MobyError, NotFound
from moby_tui.schema.container import ContainerSummary

if TYPE_CHECKING:
    from typing import Protocol

    from moby_tui.engine.resources.networks.ports import PortRequest

    class Networks(Protocol):
        """The part of ``manager.NetworkManager`` that this module calls."""

        list_containers: Callable[[], Awaitable[list[ContainerSummary]]] | None

        def find(self, ref: str) -> NetworkRecord: ...
        def find_for(self, mode: str) -> NetworkRecord: ...
        async def ready(self, network: NetworkRecord) -> NetworkRecord: ...
        def publish_connection(self, action: str, network: NetworkRecord, container_id: str) -> None: ...


T = TypeVar("T")
#: How long the monitors of containers that have ended are waited for, and between looks.
ENDING_SECONDS, LOOK_SECONDS = 10.0, 0.01


class Connection(msgspec.Struct):
    """A place in a network that a running container has just got. The owner of ``holding`` undoes it."""

    place: Place
    holding: Holding
    endpoint: Endpoint


class SandboxRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The network settings of a container that is about to start.

    ``mode`` is its ``NetworkMode``. ``endpoints`` are the settings of its places by names or ids of networks; None if the network of
    ``mode`` is the only one. ``linked_hosts`` are lines of /etc/hosts for linked containers. ``create`` returns the descriptor of the
    network namespace to use; without it one is made.
    """

    names: ContainerNames
    mode: str
    domainname: str = ""
    endpoints: Mapping[str, EndpointSettings | None] | None = None
    ports: Mapping[str, Sequence[PortBinding] | None] = {}
    exposed: Sequence[str] = ()
    publish_all: bool = False
    dns: Sequence[str] = ()
    dns_search: Sequence[str] = ()
    dns_options: Sequence[str] = ()
    extra_hosts: Sequence[str] = ()
    linked_hosts: str = ""
    create: Callable[[], int] | None = None


class Sandboxes:
    """The networks of one engine's containers."""

    def __init__(self, networks: Networks, folders: Folders, attaching: Attaching, options: Callable[[], EngineOptions]) -> None:
        self._networks, self._folders, self._attaching, self._options = networks, folders, attaching, options
        self._pool = NamespacePool()

    async def prepare(self, request: SandboxRequest) -> Sandbox:
        """Makes the network of a container that is about to start: namespace, interfaces, published ports, contents of files.

        Raises ``MobyError`` if a port is taken or no address is free, ``InvalidArgument`` for settings that the network cannot give, and
        ``NotFound`` for an unknown network. After an error nothing is left.
        """
        try:
            places = await self._places(request.mode, request.endpoints)
            for place in places:
                endpoints.check_takes_containers(place.network)
        except (NotFound, Forbidden) as error:
            raise type(error)(f"{FAILED}: {error}") from error
        first = places[0].network if places else self._networks.find("none")
        namespace = self._pool.take if request.create is None else partial(_with_loopback, request.create)
        resolv_conf = _resolv_conf(request, places, first.name)
        extra = files.extra_hosts(request.extra_hosts, await self._host_gateways(request.extra_hosts))
        made: builtins.list[Endpoint] = []
        if first.name == "host":
            prepared = Sandbox(hosts=files.host_hosts() + extra)
        elif first.name == "none":
            hosts = files.hosts(extra)
            at_once = request.create is None and self._pool.ready
            prepared = await _made(lambda: Sandbox(netns_fd=namespace(), hosts=hosts), at_once=at_once)
        else:
            prepared, made = await self._wire(request, places, namespace, extra)
        prepared.resolv_conf = resolv_conf
        for position, place in enumerate(places):
            prepared.endpoints[place.network.name] = _settings(place, made[position : position + 1], request.names)
            self._networks.publish_connection("connect", place.network, request.names.id)
        return prepared

    async def _wire(
        self, request: SandboxRequest, places: Sequence[Place], namespace: Callable[[], int], extra: str
    ) -> tuple[Sandbox, builtins.list[Endpoint]]:
        """The sandbox of a container with interfaces in the networks of ``places``, and its endpoints there. Raises as ``prepare``.

        ``extra`` are lines of its hosts file.
        """
        for place in places:
            endpoints.check(place)
        wanted, unpublished = _ports(places, request.ports, request.exposed, publish_all=request.publish_all)
        prepared, made = await self._attach(request.names, places, wanted, namespace)
        prepared.ports |= dict.fromkeys(unpublished)
        names = files.host_names(request.names.hostname, request.domainname)
        addresses = [str(address.ip) for endpoint in made for address in endpoint.addresses]
        prepared.hosts = files.hosts(extra + request.linked_hosts, names, addresses)
        prepared.servers = files.forwarders(request.dns) if endpoints.gateway_of(places) else []
        prepared.interfaces = {place.network.name: endpoint.interface for place, endpoint in zip(places, made, strict=True)}
        return prepared, made

    async def _attach(
        self,
        container_names: ContainerNames,
        places: Sequence[Place],
        ports: builtins.list[PortRequest],
        namespace: Callable[[], int],
    ) -> tuple[Sandbox, builtins.list[Endpoint]]:
        try:
            return await self._waiting_for_release(
                lambda: _attached(lambda: self._attaching.attach(container_names, places, ports, namespace))
            )
        except MobyError as error:
            raise error if str(error).startswith(FAILED) else type(error)(f"{FAILED}: {error}") from error

    async def _waiting_for_release(self, work: Callable[[], Awaitable[T]]) -> T:
        """Does ``work``, and again if a port or an address is taken while the monitor of an ended container releases what it held, for at
        most ten seconds.

        There is one more try after the last monitor, since it may have released it between the try and the look.
        """
        deadline = time.monotonic() + ENDING_SECONDS
        is_last = False
        while True:
            try:
                return await work()
            except InUse:
                if is_last or time.monotonic() > deadline:
                    raise
            is_last = not await self._is_releasing()
            if not is_last:
                await self.reconcile()
                await asyncio.sleep(LOOK_SECONDS)

    async def _is_releasing(self) -> bool:
        """True if a container that does not run still holds ports or addresses. It can be the last run of the container that starts."""
        holders = self._folders.holders()
        running = await self._networks.list_containers() if holders and self._networks.list_containers else []
        return self._networks.list_containers is not None and bool(holders - {container.id for container in running})

    async def _host_gateways(self, extra_hosts: Sequence[str]) -> builtins.list[IPv4Address | IPv6Address]:
        """The addresses of ``host-gateway``, if a line asks for it: the options', else the host's on the default bridge, which
        is made for it. Raises ``MobyError``."""
        if not any(line.endswith(f":{files.HOST_GATEWAY}") for line in extra_hosts):
            return []
        if configured := self._options().host_gateway_ips:
            return [*map(ip_address, configured)]
        bridge = await self._networks.ready(self._networks.find("bridge"))
        return [ip_interface(pool.any_gateway).ip for pool in bridge.ipam.config or [] if pool.any_gateway]

    async def connect(
        self, network: NetworkRecord, container_names: ContainerNames, namespace: int, requested: EndpointSettings
    ) -> Connection:
        """Puts a running container into one more network. The caller owns the holding.

        Raises ``NotFound``, ``InvalidArgument``, ``MobyError``.
        """
        place = Place(await self._networks.ready(network), requested)
        endpoints.check_takes_containers(place.network)
        endpoints.check(place)
        holding, endpoint = await self._waiting_for_release(
            lambda: in_own_thread(netns.roaming, lambda: self._attaching.attach_live(container_names, place, namespace))
        )
        return Connection(place=place, holding=holding, endpoint=endpoint)

    def is_member(self, container_id: str, network_id: str) -> bool:
        """True if there is a record of the container's place in the network, whichever process holds it."""
        return self._folders.is_member(container_id, network_id)

    def bound(self, container_id: str) -> dict[str, HostPort | None]:
        """The published ports of a running container, by the names of their holdings."""
        return self._folders.bound(container_id)

    async def publish(
        self,
        container_names: ContainerNames,
        given: Mapping[str, EndpointSettings],
        requested: Mapping[str, Sequence[PortBinding] | None],
        exposed: Sequence[str] = (),
    ) -> tuple[builtins.list[Holding], dict[str, builtins.list[PortBinding] | None]]:
        """Publishes ports of a running container, in the network of its default route: the requested and the exposed ones. The caller owns
        the holdings.

        ``given`` are the container's places as they are now. Raises ``InvalidArgument`` if that network is no bridge network, and
        ``MobyError``.
        """
        places = [Place(self._networks.find(settings.network_id), settings) for settings in given.values()]
        place = endpoints.gateway_of(places)
        if place is None or place.network.driver != "bridge":
            raise InvalidArgument("no port can be published: the container's default route leads through no bridge network")
        wanted, _ = _ports(places, requested, exposed, publish_all=bool(exposed))
        endpoint = endpoints.endpoint_of(container_names.id, place.requested)
        made = await self._waiting_for_release(lambda: in_thread(lambda: self._live(container_names, place, endpoint, wanted)))
        # imported here, since few running containers publish more ports
        from moby_tui.engine.resources.networks.ports import port_settings

        return [published.holding for published in made], port_settings(published.port for published in made)

    def _live(
        self, container_names: ContainerNames, place: Place, endpoint: Endpoint, wanted: builtins.list[PortRequest]
    ) -> builtins.list[Published]:
        return self._attaching.publish_live(container_names, place.network, endpoint, wanted)

    async def set_default_routes(
        self, namespace: int, places: Sequence[Place], given: Mapping[str, EndpointSettings], interfaces: Mapping[str, str]
    ) -> None:
        """Sets the default routes of a running container to the gateways of the networks that ``places`` imply. Raises ``MobyError``."""
        routes = []
        for version, place in endpoints.gateways_of(places).items():
            settings = given[place.network.name]
            if gateway := settings.gateway if version == 4 else settings.ipv6_gateway:
                routes.append((interfaces.get(place.network.name, ""), ip_address(gateway)))
        await in_thread(lambda: self._attaching.set_default_routes(namespace, routes))

    def rename(self, network_id: str, container_names: ContainerNames, given: EndpointSettings) -> builtins.list[str]:
        """Writes the current names of a running container for the name server, and returns them. The server's next answer has them."""
        network = self._networks.find(network_id)
        names = endpoints.names_of(Place(network, given), container_names)
        if names:
            from moby_tui.engine.resources.networks.names import zone

            addresses = [ip_address(text) for text in (given.ip_address, given.global_ipv6_address) if text]
            links = endpoints.links_of(Place(network, given))
            zone.write(self._folders.zones, network.id, container_names.id, network.name, names, addresses, links)
        return names

    def name_service(self, container_id: str, servers: Sequence[str]) -> NameService:
        """The settings by which a monitor connects the container to the name server, or starts that.

        ``servers`` are those to which the name server forwards questions.
        """
        from moby_tui.engine.resources.networks.names import program as name_server

        frozen = getattr(sys, "frozen", False)
        program = [sys.executable, name_server.COMMAND] if frozen else [sys.executable, "-P", "-m", name_server.MODULE]
        folder = str(self._folders.zones)
        return NameService(container=container_id, servers=[*servers], forwards=bool(servers), folder=folder, program=program)

    async def serve_names(self, namespace: int) -> builtins.list[int]:
        """Opens the sockets of the name service in a running container's namespace. Raises ``OSError``."""
        from moby_tui.engine.resources.networks.names import sockets as name_sockets

        return await in_thread(lambda: name_sockets.open_in(namespace))

    async def remove_interface(self, namespace: int, interface: str) -> None:
        """Deletes an interface of a running container, if it exists. Raises ``MobyError``."""
        await in_thread(lambda: self._attaching.remove_interface(namespace, interface))

    def check_requested(self, requested: Mapping[str, EndpointSettings | None]) -> None:
        """Checks the settings of a new container's places in those networks that exist. Raises ``InvalidArgument``."""
        for ref, settings in requested.items():
            try:
                network = self._networks.find_for(ref)
            except NotFound:
                continue
            try:
                endpoints.check(Place(network, settings or EndpointSettings()))
            except InvalidArgument as error:
                named = network.name if ref == "default" else ref
                raise InvalidArgument(f"invalid config for network {named}: {error}") from error

    def prepare_next(self) -> None:
        """Makes the namespace of the next start. To be called after each start."""
        self._pool.refill()

    async def release(self, prepared: Sandbox) -> None:
        """Undoes ``prepare`` after a start that failed. Raises ``OSError``."""
        await in_thread(prepared.release)

    async def reconcile(self) -> None:
        """Undoes the networks of containers whose monitor was killed. Locks show which monitors live, so this is safe at any time."""
        await in_thread(self._folders.reconcile)

    async def _places(self, mode: str, requested: Mapping[str, EndpointSettings | None] | None) -> builtins.list[Place]:
        """The places of a container, sorted by priority, then that of ``mode`` first, then by the networks' names.

        The network of ``mode`` may be gone if the container was disconnected from it. Raises as ``prepare``.
        """
        first = self._first(mode, requested)
        if first is not None and (requested is None or first.name == "host" or (first.name == "none" and mode in requested)):
            return [Place(await self._networks.ready(first), (requested or {}).get(mode) or EndpointSettings())]
        assert requested is not None
        places = [Place(self._networks.find_for(ref), settings or EndpointSettings()) for ref, settings in requested.items()]
        places.sort(
            key=lambda place: (-place.requested.gw_priority, first is None or place.network.id != first.id, place.network.name)
        )
        return [Place(await self._networks.ready(place.network), place.requested) for place in places]

    def _first(self, mode: str, requested: Mapping[str, EndpointSettings | None] | None) -> NetworkRecord | None:
        """The network of ``mode``; None if it is gone, but the container has places of its own. Raises ``NotFound``."""
        try:
            return self._networks.find_for(mode)
        except NotFound:
            if requested is None or mode in requested:
                raise
            return None

    def close(self) -> None:
        self._pool.close()


def _resolv_conf(request: SandboxRequest, places: Sequence[Place], first: str) -> str:
    """/etc/resolv.conf of a container, the first of whose networks is ``first``. Raises ``InvalidArgument`` if a server is no address."""
    lines = request.dns, request.dns_search, request.dns_options
    if any(endpoints.is_user_defined(place.network) for place in places):
        return files.served_resolv_conf(*lines)
    return files.resolv_conf(*lines, own_namespace=first not in ("host", "none"), shared=first == "host")


def _settings(place: Place, made: list[Endpoint], container_names: ContainerNames) -> EndpointSettings:
    names = endpoints.names_of(place, container_names)
    if made:
        return endpoints.settings_of(place, made[0], names)
    requested = place.requested
    return msgspec.structs.replace(requested, network_id=place.network.id, endpoint_id=os.urandom(32).hex())


def _ports(
    places: Sequence[Place], requested: Mapping[str, Sequence[PortBinding] | None], exposed: Sequence[str], *, publish_all: bool
) -> tuple[list[PortRequest], list[str]]:
    """The ports to publish, and the names of ports that are only exposed. Both are empty if the network of the default route is no bridge
    network, as with Docker."""
    place = endpoints.gateway_of(places)
    if place is None or place.network.driver != "bridge" or not (requested or exposed):
        return [], []
    # imported here, since many containers neither publish nor expose ports
    from moby_tui.engine.resources.networks.ports import port_requests

    network = place.network
    versions = [version for version, has in ((4, network.enable_ipv4), (6, network.enable_ipv6)) if has]
    options = bridge_options.read(network)
    routed = [version for version in versions if options.mode(version) == "routed"]
    return port_requests(requested, exposed, publish_all, options.host_binding, versions, routed)


async def _attached(make: Callable[[], tuple[Sandbox, list[Endpoint]]]) -> tuple[Sandbox, list[Endpoint]]:
    """Makes a sandbox on a thread of its own, which enters the container's namespace.

    If the caller is cancelled meanwhile, the sandbox is undone once it is made.
    """
    making = asyncio.ensure_future(in_own_thread(netns.roaming, make))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        making.add_done_callback(_discard)
        raise


async def _made(make: Callable[[], Sandbox], *, at_once: bool) -> Sandbox:
    """As ``_attached``; without a thread if the work takes no time (``at_once``)."""
    if at_once:
        return make()
    sandbox, _ = await _attached(lambda: (make(), []))
    return sandbox


def _discard(making: asyncio.Future[tuple[Sandbox, list[Endpoint]]]) -> None:
    if not making.cancelled() and making.exception() is None:
        making.result()[0].release()


def _with_loopback(create: Callable[[], int]) -> int:
    namespace = create()
    set_loopback_up(namespace)
    return namespace
