"""Networks: the predefined ones (bridge, host, none), and the network of a container from before its start to after its end."""

from __future__ import annotations

import asyncio
import builtins
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv4Network

from moby_tui.engine.resources.networks import addresses, files, host
from moby_tui.engine.resources.networks.bridge import set_loopback_up
from moby_tui.engine.resources.networks.bridge_network import BridgeNetwork
from moby_tui.engine.resources.networks.filters import matches
from moby_tui.engine.resources.networks.pool import NamespacePool
from moby_tui.engine.resources.networks.ports import port_requests
from moby_tui.engine.resources.networks.sandbox import Folders, Sandbox
from moby_tui.engine.store import networks as store
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.paths import Paths
from moby_tui.errors import InvalidArgument, NotFound, NotImplementedYet
from moby_tui.schema.base import Filters
from moby_tui.schema.container import ContainerSummary, EndpointSettings, PortBinding
from moby_tui.schema.network import IpamPool, Network, NetworkContainer

LOOPBACK = IPv4Address("127.0.0.1")
#: ``publish(type, action, id, attributes)``
Publish = Callable[[str, str, str, dict[str, str]], object]


class NetworkManager:
    """Implements the client protocol's ``Networks``. ``list_containers`` is set by the engine: the running containers."""

    def __init__(self, paths: Paths, database: Database, publish: Publish) -> None:
        self._paths = paths
        self._database = database
        self._publish = publish
        self._instance = f"moby-{paths.instance}" if paths.instance else "moby"
        self._bridge_name = self._instance if paths.instance else "moby0"
        self._folders = Folders(paths.networks)
        self._pool = NamespacePool()
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

    # ---- the engine's side

    async def prepare(
        self,
        container_id: str,
        mode: str,
        *,
        hostname: str = "",
        domainname: str = "",
        endpoint: EndpointSettings | None = None,
        ports: Mapping[str, Sequence[PortBinding] | None] | None = None,
        exposed: Sequence[str] = (),
        publish_all: bool = False,
        dns: Sequence[str] = (),
        dns_search: Sequence[str] = (),
        dns_options: Sequence[str] = (),
        extra_hosts: Sequence[str] = (),
        create: Callable[[], int] | None = None,
    ) -> Sandbox:
        """Makes and wires the network of a container that is about to start. ``mode`` is its ``NetworkMode``; ``create`` makes the
        namespace, or hands over one that is there.

        Raises ``MobyError`` where a port is taken or no address is free, ``InvalidArgument`` for what the network does not
        have, and ``NotFound`` for an unknown one; nothing is left behind then. Costs a few milliseconds.
        """
        network = self._find_for(mode)
        asked = endpoint or EndpointSettings()
        namespace = self._pool.take if create is None else partial(_with_loopback, create)
        resolv_conf = files.resolv_conf(dns, dns_search, dns_options, own_namespace=network.name == "bridge")
        if network.name == "host":
            prepared = Sandbox(hosts=files.host_hosts() + files.extra_hosts(extra_hosts, LOOPBACK))
        elif network.name == "none":
            hosts = files.hosts(files.extra_hosts(extra_hosts, None))
            at_once = create is None and self._pool.ready
            prepared = await _uninterrupted(lambda: Sandbox(netns_fd=namespace(), hosts=hosts), at_once=at_once)
        else:
            names = files.host_names(hostname, domainname)
            mac = _check_endpoint(asked)
            wanted, unpublished = port_requests(ports or {}, exposed, publish_all)
            network, subnet = await self._with_subnet(network)
            gateway = addresses.gateway(subnet)
            extra = files.extra_hosts(extra_hosts, gateway)
            bridge = BridgeNetwork(self._folders, subnet, bridge=self._bridge_name, table=self._instance)
            prepared = await _uninterrupted(lambda: bridge.attach(container_id, mac, wanted, namespace))
            prepared.ports |= dict.fromkeys(unpublished)
            prepared.hosts = files.hosts(extra, names, prepared.endpoints["bridge"].ip_address)
        prepared.resolv_conf = resolv_conf
        given = prepared.endpoints.get(network.name, EndpointSettings())
        given.network_id, given.endpoint_id = network.id, os.urandom(32).hex()
        given.ipam_config, given.driver_opts, given.links = asked.ipam_config, asked.driver_opts, asked.links
        prepared.endpoints = {network.name: given}
        self._publish("network", "connect", network.id, {"container": container_id, "name": network.name, "type": network.driver})
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

    def _find(self, ref: str) -> Network:
        networks = store.load(self._database)
        found = [n for n in networks if ref in (n.id, n.name)] or [n for n in networks if ref and n.id.startswith(ref)]
        if not found:
            raise NotFound(f"network {ref} not found")
        if len(found) > 1:
            raise InvalidArgument(f"network {ref} is ambiguous ({len(found)} matches found on id); give more of it")
        return found[0]

    def _find_for(self, mode: str) -> Network:
        if mode.startswith("container:"):
            raise NotImplementedYet("network mode container:NAME")
        return self._find("bridge" if mode in ("", "default") else mode)

    async def _with_subnet(self, network: Network) -> tuple[Network, IPv4Network]:
        """The bridge network, its subnet chosen for good when it is first used."""
        if not network.ipam.config:
            network = await self._choose_subnet(network)
        return network, IPv4Network((network.ipam.config or [])[0].subnet)

    async def _choose_subnet(self, network: Network) -> Network:
        taken = [route for route, _ in await asyncio.to_thread(host.routes)]
        return store.update(self._database, network.id, lambda row: self._settle(row, taken))

    def _settle(self, network: Network, taken: builtins.list[IPv4Network]) -> None:
        if network.ipam.config:
            return
        subnet = addresses.choose_subnet(taken)
        network.ipam.config = [IpamPool(subnet=str(subnet), gateway=str(addresses.gateway(subnet)))]
        network.options = {
            "com.docker.network.bridge.default_bridge": "true",
            "com.docker.network.bridge.enable_icc": "true",
            "com.docker.network.bridge.enable_ip_masquerade": "true",
            "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
            "com.docker.network.bridge.name": self._bridge_name,
        }


async def _uninterrupted(make: Callable[[], Sandbox], *, at_once: bool = False) -> Sandbox:
    """Makes a sandbox on a thread, or here where that is done ``at_once``; if the caller is cancelled meanwhile, it is undone."""
    if at_once:
        return make()
    making = asyncio.ensure_future(asyncio.to_thread(make))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        making.add_done_callback(_discard)
        raise


def _discard(making: asyncio.Future[Sandbox]) -> None:
    if not making.cancelled() and making.exception() is None:
        making.result().release()


def _with_loopback(create: Callable[[], int]) -> int:
    namespace = create()
    set_loopback_up(namespace)
    return namespace


def _check_endpoint(asked: EndpointSettings) -> bytes | None:
    """The hardware address asked for, if any. Raises ``InvalidArgument`` for what only user-defined networks have."""
    ipam = asked.ipam_config
    if ipam is not None and (ipam.ipv4_address or ipam.ipv6_address):
        raise InvalidArgument("user specified IP address is supported on user defined networks only")
    if asked.aliases:
        raise InvalidArgument("network-scoped aliases are only supported for user-defined networks")
    if ipam is not None and ipam.link_local_ips:
        raise NotImplementedYet("a link-local address (--link-local-ip)")
    if asked.links:
        raise NotImplementedYet("linking containers (--link)")
    return addresses.parse_mac(asked.mac_address) if asked.mac_address else None


def _as_member(name: str, endpoint: EndpointSettings) -> NetworkContainer:
    return NetworkContainer(
        name=name,
        endpoint_id=endpoint.endpoint_id,
        mac_address=endpoint.mac_address,
        ipv4_address=f"{endpoint.ip_address}/{endpoint.ip_prefix_len}" if endpoint.ip_address else "",
    )
