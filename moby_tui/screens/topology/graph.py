"""The networks of an engine, the containers in them with their addresses, and which container reaches which, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from moby_tui.schema.container import ContainerSummary, EndpointSettings
from moby_tui.schema.network import Network
from moby_tui.screens import text

_ICC = "com.docker.network.bridge.enable_icc"
_MODE = "com.docker.network.bridge.gateway_mode_ipv"
#: As Go's ``strconv.ParseBool`` has false.
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
#: Addresses of the host by which a published port is reached by its own processes alone.
_LOOPBACK = ("127.", "::1")
#: Drivers whose containers are on the wire that the host is on.
_ON_THE_WIRE = frozenset({"macvlan", "ipvlan"})


@dataclass(frozen=True, slots=True)
class Published:
    """A port of the host that leads to a container. ``address`` empty: each address of the host."""

    address: str
    port: int
    target: int
    protocol: str

    @property
    def is_local(self) -> bool:
        """True if only the host itself reaches it."""
        return self.address.startswith(_LOOPBACK)

    def __str__(self) -> str:
        where = f"[{self.address}]:" if ":" in self.address else f"{self.address}:" if self.address else ""
        protocol = "" if self.protocol == "tcp" else f"/{self.protocol}"
        return f"{where}{self.port}→{self.target}{protocol}"


@dataclass(frozen=True, slots=True)
class Member:
    """A container in one network; of one that does not run the addresses are empty."""

    container: str
    network: str
    name: str
    running: bool
    ipv4: str = ""
    ipv6: str = ""
    aliases: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()
    #: Names of the other networks that it is in.
    others: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        return self.ipv4 or self.ipv6


@dataclass(frozen=True, slots=True)
class Net:
    """A network. ``icc`` false: its containers may not speak to each other."""

    id: str
    name: str
    driver: str
    subnets: tuple[str, ...] = ()
    gateway: str = ""
    internal: bool = False
    icc: bool = True
    routed: bool = False
    members: tuple[Member, ...] = ()

    @property
    def leaves(self) -> bool:
        """True if its containers reach what is outside of the host."""
        return not self.internal and self.driver not in ("none", "null")


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether one container reaches another. ``at`` is by which address or port."""

    reached: bool
    why: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """Networks with most containers first; those without any last."""

    networks: tuple[Net, ...] = ()
    _places: Mapping[str, tuple[Member, ...]] = field(default_factory=dict)

    def network(self, identifier: str) -> Net | None:
        return next((one for one in self.networks if one.id == identifier), None)

    def places(self, container: str) -> tuple[Member, ...]:
        """What a container is in, one member for each network."""
        return self._places.get(container, ())

    @property
    def containers(self) -> list[str]:
        """The ids of all containers that are in a network, by name."""
        return sorted(self._places, key=lambda one: self._places[one][0].name)

    def reach(self, source: str, target: str) -> Reach:
        """Whether processes of one container reach those of another, as bridge networks of Docker treat them.

        Rules that somebody added to the host's firewall are not known here.
        """
        ours, theirs = self.places(source), self.places(target)
        if not ours or not theirs:
            return Reach(False, "in no network")
        if not theirs[0].running or not ours[0].running:
            return Reach(False, f"{(theirs if ours[0].running else ours)[0].name} does not run")
        nets = {one.id: one for one in self.networks}
        shared = [(nets[one.network], one) for one in theirs if one.network in {ours_in.network for ours_in in ours}]
        for net, place in shared:
            if net.driver == "host":
                return Reach(True, "both use the host's network", "localhost")
            if net.icc and net.driver != "null":
                return Reach(True, f"both are in {net.name}", place.address)
        drivers = {nets[one.network].driver for one in ours}
        return self._from_elsewhere(drivers, [nets[one.network] for one in ours], theirs, nets, [net for net, _ in shared])

    def _from_elsewhere(
        self, drivers: set[str], ours: list[Net], theirs: Sequence[Member], nets: Mapping[str, Net], shared: list[Net]
    ) -> Reach:
        if "null" in drivers or any(nets[one.network].driver == "null" for one in theirs):
            return Reach(False, "one of them is in the network none: it has its loopback alone")
        if "host" in drivers:
            bridged = next((one for one in theirs if nets[one.network].driver == "bridge" and one.address), None)
            if bridged:
                return Reach(True, "the host reaches each of its bridges", bridged.address)
        if any(nets[one.network].driver == "host" for one in theirs):
            gateway = next((net.gateway for net in ours if net.driver == "bridge" and net.gateway), "")
            if gateway:
                return Reach(True, f"{theirs[0].name} uses the host's network: by the gateway's address", gateway)
        if any(net.leaves for net in ours) and (port := next((one for one in theirs[0].published if not one.is_local), None)):
            return Reach(True, "by the host, at a published port", f"{port.address or 'host'}:{port.port}")
        if shared:
            return Reach(False, f"{shared[0].name} has icc=false: its containers reach none but published ports")
        if all(not net.leaves for net in ours):
            return Reach(False, f"{ours[0].name} is internal: nothing leaves it, and {theirs[0].name} is not in it")
        where = ", ".join(nets[one.network].name for one in theirs)
        return Reach(
            False, f"{theirs[0].name} is in {where} alone: bridges do not forward to each other, and it publishes no port"
        )


def build(networks: Iterable[Network], containers: Iterable[ContainerSummary]) -> Graph:
    """The graph of what the engine lists. Texts are cleaned.

    Podman lists neither ``host`` nor ``none``, and calls its default network ``bridge`` in the list and ``podman`` in a container.
    """
    listed, containers = list(networks), list(containers)
    listed += _unlisted(listed, containers)
    by_name = {one.name: one.id for one in listed}
    by_id = {one.id: one.name for one in listed}
    members: dict[str, list[Member]] = {one.id: [] for one in listed}
    places: dict[str, tuple[Member, ...]] = {}
    for container in containers:
        memberships = _members(container, by_name, by_id)
        for one in memberships:
            if one.network in members:
                members[one.network].append(one)
        if memberships := [one for one in memberships if one.network in members]:
            places[container.id] = tuple(memberships)
    nets = [_net(one, members[one.id]) for one in listed]
    return Graph(tuple(sorted(nets, key=lambda net: (not net.members, -len(net.members), net.name))), places)


def _unlisted(listed: Iterable[Network], containers: Iterable[ContainerSummary]) -> list[Network]:
    """The networks of the host and of nothing, where containers are in them and the engine lists them not."""
    there = {one.name for one in listed}
    used = {name for container in containers for name in container.network_settings.networks}
    drivers = {"host": "host", "none": "null"}
    return [Network(name=name, id=name, driver=driver) for name, driver in drivers.items() if name in used - there]


def _members(container: ContainerSummary, by_name: Mapping[str, str], by_id: Mapping[str, str]) -> list[Member]:
    names = [name.lstrip("/") for name in container.names]
    name = text.clean(next((one for one in names if one and "/" not in one), "")) or text.short_id(container.id)
    running = container.state in ("running", "paused")
    published = _published(container)
    settings = container.network_settings.networks
    if not settings and container.host_config.network_mode in ("host", "none"):
        settings = {container.host_config.network_mode: EndpointSettings()}
    return [
        Member(
            container=container.id,
            network=endpoint.network_id or by_name.get(network, network),
            name=name,
            running=running,
            ipv4=text.clean(endpoint.ip_address),
            ipv6=text.clean(endpoint.global_ipv6_address),
            aliases=tuple(text.clean(alias) for alias in endpoint.aliases or []),
            published=published,
            others=tuple(text.clean(by_id.get(place.network_id, other)) for other, place in settings.items() if other != network),
        )
        for network, endpoint in settings.items()
    ]


def _published(container: ContainerSummary) -> tuple[Published, ...]:
    """Each once, though it is listed for IPv4 and IPv6."""
    ports: dict[Published, None] = {}
    for port in sorted(container.ports, key=lambda one: (one.public_port or 0, one.private_port)):
        if port.public_port:
            address = "" if port.ip in (None, "", "0.0.0.0", "::") else text.clean(port.ip or "")
            ports[Published(address, port.public_port, port.private_port, text.clean(port.type))] = None
    return tuple(ports)


def _net(network: Network, members: list[Member]) -> Net:
    pools = [pool for pool in network.ipam.config or [] if pool.subnet]
    return Net(
        id=network.id,
        name=text.clean(network.name),
        driver=text.clean(network.driver),
        subnets=tuple(text.clean(pool.subnet) for pool in pools),
        gateway=text.clean(pools[0].gateway.partition("/")[0]) if pools else "",
        internal=network.internal,
        icc=network.options.get(_ICC, "true") not in _FALSE,
        routed=any(network.options.get(f"{_MODE}{version}") == "routed" for version in (4, 6)),
        members=tuple(sorted(members, key=lambda one: (not one.running, one.name))),
    )


def on_the_wire(net: Net) -> bool:
    """True if its containers have addresses beside the host's, on the host's own wire."""
    return net.driver in _ON_THE_WIRE
