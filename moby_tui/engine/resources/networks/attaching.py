"""Connects a container to all of its networks or none: namespace, interfaces, published ports. The functions block: call them on a thread."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING

from msgspec import Struct

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.network import netns
from moby_tui.engine.kernel.network.netlink import NETLINK_NETFILTER, NETLINK_ROUTE, send
from moby_tui.engine.kernel.network.rtnetlink import delete_link
from moby_tui.engine.protocol.network import Forward, HostPort, TeardownStep
from moby_tui.engine.resources.networks import endpoints
from moby_tui.engine.resources.networks.drivers.bridge import set_default_routes
from moby_tui.engine.resources.networks.drivers.driver import Address, Driver, Endpoint
from moby_tui.engine.resources.networks.endpoints import ContainerNames, Place
from moby_tui.engine.resources.networks.sandbox import PORTS, Folders, Holding, Sandbox
from moby_tui.engine.store.records.networks import NetworkRecord
from moby_tui.errors import MobyError, NotFound, Unavailable

if TYPE_CHECKING:
    from moby_tui.engine.resources.networks.firewall import Firewall, Publication
    from moby_tui.engine.resources.networks.ports import BoundPort, PortRequest

#: Closes the socket of a published port (position 1, behind the record): the last step, so that no process takes the port before.
_CLOSING = TeardownStep(close=1)


class Published(Struct, frozen=True):
    """A bound port of the host, and its holding."""

    holding: Holding
    port: BoundPort


#: The beginning of the error of a start whose networks cannot be made (the Docker Engine's).
FAILED = "failed to set up container networking"


class Attaching:
    """Connects the containers of one engine to networks.

    ``firewall`` opens the engine's nftables tables: it is called when the first port is published. ``driver`` returns the network driver of a
    name, ``current`` the row of a network as it is now.
    """

    def __init__(
        self,
        folders: Folders,
        firewall: Callable[[], Firewall],
        driver: Callable[[str], Driver],
        current: Callable[[str], NetworkRecord | None],
    ) -> None:
        self._folders = folders
        self._open_firewall = firewall
        self._driver = driver
        self._current = current

    @cached_property
    def _firewall(self) -> Firewall:
        return self._open_firewall()

    def attach(
        self, container_names: ContainerNames, places: Sequence[Place], ports: list[PortRequest], create: Callable[[], int]
    ) -> tuple[Sandbox, list[Endpoint]]:
        """Makes the sandbox of a container: binds its ports, makes its namespace, and connects it to each network.

        ``create`` returns the descriptor of a namespace whose loopback interface is up. The endpoints are in the order of ``places``. The
        ports are bound first, since this fails most often. Raises ``MobyError``; after an error nothing is left.
        """
        sandbox = Sandbox()
        try:
            bound = self._take_ports(sandbox, container_names, ports)
            with self._joining([place.network for place in places]):
                sandbox.netns_fd = create()
                fault.point("network.namespace made")
                made = self._attach_all(sandbox, container_names, places)
            self._publish(places, made, bound)
            if any(endpoints.is_user_defined(place.network) for place in places):
                # the default network has no name service
                from moby_tui.engine.resources.networks.names import sockets

                sandbox.name_sockets = sockets.open_in(sandbox.netns_fd)
                fault.point("network.names served")
        except BaseException as error:
            sandbox.release()
            if isinstance(error, OSError):
                names = ", ".join(place.network.name for place in places)
                reason = (error.strerror or str(error)).lower()
                raise MobyError(f"cannot connect the container to network {names}: {reason}") from error
            raise
        return sandbox, made

    def _take_ports(self, sandbox: Sandbox, container_names: ContainerNames, wanted: list[PortRequest]) -> list[Published]:
        if not wanted:
            return []
        # imported here, since many containers publish no ports
        from moby_tui.engine.resources.networks.ports import port_settings

        bound: list[Published] = []
        for number, request in enumerate(wanted):
            holding = self._folders.claim(container_names.id, f"{PORTS}-{number}" if number else PORTS)
            sandbox.holdings.append(holding)
            bound.append(_take_port(holding, container_names, request))
        sandbox.ports = port_settings(published.port for published in bound)
        return bound

    @contextmanager
    def _joining(self, networks: Sequence[NetworkRecord]) -> Iterator[None]:
        """Makes what networks lack on the host, and keeps every process from removing them during the block: then the container's records
        keep them.

        Raises ``NotFound`` if a network was removed since its row was read, ``Unavailable`` if it has other subnets since.
        """
        with self._folders.locked([network.id for network in networks], shared=True):
            for network in networks:
                current = self._current(network.id)
                if current is None:
                    raise NotFound(f"network {network.name} not found")
                if current.ipam != network.ipam:
                    raise Unavailable(f"network {network.name} was given other subnets meanwhile; try again")
            self._restore(networks)
            yield

    def _restore(self, networks: Sequence[NetworkRecord]) -> None:
        for name in {network.driver for network in networks}:
            self._driver(name).restore([network for network in networks if network.driver == name])
        fault.point("network.bridge there")

    def _attach_all(self, sandbox: Sandbox, container_names: ContainerNames, places: Sequence[Place]) -> list[Endpoint]:
        gateways = endpoints.gateways_of(places)
        made: list[Endpoint] = []
        for number, place in zip(endpoints.interface_numbers(places), places, strict=True):
            default_routes = [version for version, gateway in gateways.items() if gateway is place]
            holding, endpoint = self.attach_one(container_names, place, number, sandbox.netns_fd, default_routes)
            sandbox.holdings.append(holding)
            made.append(endpoint)
        return made

    def attach_one(
        self, container_names: ContainerNames, place: Place, number: int, namespace: int | None, default_routes: Collection[int]
    ) -> tuple[Holding, Endpoint]:
        """Connects a container to one network. After an error nothing is left. ``number`` and ``default_routes`` are as for
        ``endpoints.make``.

        Raises ``MobyError``, ``OSError``.
        """
        network = place.network
        assert namespace is not None
        driver = self._driver(network.driver)
        holding = self._folders.claim(container_names.id, network.id[:12])
        try:
            fault.point("network.record claimed")
            endpoint = endpoints.make(place, container_names.id, number, default_routes)
            leases = self._folders.leases(network.id)
            # written before the first lease: if this process is killed, the one that finds the record ends the lease
            holding.write([])
            if driver.has_addresses:
                owner = f"{container_names.id}/{holding.name}"
                endpoints.lease_addresses(place, endpoint, leases, owner, has_ipv6=container_names.has_ipv6)
            fault.point("network.address leased")
            ending_leases = [TeardownStep(unlink=str(leases.path(address.ip))) for address in endpoint.addresses]
            if names := endpoints.names_of(place, container_names):
                from moby_tui.engine.resources.networks.names import zone

                ending_leases.append(TeardownStep(unlink=str(zone.path_of(self._folders.zones, network.id, container_names.id))))
            holding.write([*driver.teardown_of(network, endpoint), *ending_leases])
            fault.point("network.record written")
            if names:
                addresses = [address.ip for address in endpoint.addresses]
                zone.write(
                    self._folders.zones, network.id, container_names.id, network.name, names, addresses, endpoints.links_of(place)
                )
                fault.point("network.names written")
            driver.attach(network, endpoint, namespace)
            fault.point("network.wired")
        except BaseException:
            holding.release()
            self._folders.free_leases()
            raise
        return holding, endpoint

    def attach_live(self, container_names: ContainerNames, place: Place, namespace: int) -> tuple[Holding, Endpoint]:
        """Connects a running container to one more network, without changing its default route. Raises ``MobyError``."""
        network = place.network
        try:
            with self._joining([network]):
                taken = netns.call(namespace, lambda: {name for _, name in socket.if_nameindex()})
                number = endpoints.free_interface(place, taken)
                return self.attach_one(container_names, place, number, namespace, default_routes=())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise MobyError(f"cannot connect the container to network {network.name}: {reason}") from error

    def remove_interface(self, namespace: int, interface: str) -> None:
        """Deletes an interface inside a container's namespace. Raises ``MobyError``."""
        try:
            netns.call(namespace, lambda: send(NETLINK_ROUTE, delete_link(interface)))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise MobyError(
                    f"cannot remove interface {interface} of the container: {(error.strerror or '').lower()}"
                ) from error

    def set_default_routes(self, namespace: int, routes: Sequence[tuple[str, Address]]) -> None:
        """Replaces the default routes of a running container. Raises ``MobyError``."""
        try:
            netns.call(namespace, lambda: set_default_routes(routes))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise MobyError(f"cannot change the container's default route: {reason}") from error

    def _publish(self, places: Sequence[Place], made: list[Endpoint], bound: list[Published]) -> None:
        """Publishes the ports, at the container's address in the network of its default route, as Docker does."""
        gateway = endpoints.gateway_of(places)
        for place, endpoint in zip(places, made, strict=True):
            if bound and place is gateway and place.network.driver == "bridge":
                self._lead(place.network, endpoint, bound)

    def _lead(self, network: NetworkRecord, endpoint: Endpoint, bound: list[Published]) -> None:
        """Writes the records of the ports, and has the firewall send their traffic to an endpoint of a bridge network. Raises ``OSError``."""
        everything: list[Publication] = []
        for published in bound:
            holding, port = published.holding, published.port
            publications = self.publications(endpoint, port)
            withdrawing = (
                [TeardownStep(netlink=NETLINK_NETFILTER, data=self._firewall.withdrawing(publications).hex())]
                if publications
                else []
            )
            closing = [_CLOSING] if holding.sockets else []
            holding.write([*withdrawing, *closing], self._firewall.publishing(publications), _host_port(port))
            holding.forwards = _forwards(endpoint, port)
            everything += publications
        self._publish_over(everything)
        fault.point("network.published")

    def publish_live(
        self, container_names: ContainerNames, network: NetworkRecord, endpoint: Endpoint, wanted: list[PortRequest]
    ) -> list[Published]:
        """Publishes more ports of a running container, all of them or none. Raises ``MobyError``."""
        bound: list[Published] = []
        numbers = (number for number in count(1) if f"{PORTS}-{number}" not in self._folders.bound(container_names.id))
        try:
            self._restore([network])
            for request in wanted:
                bound.append(
                    _take_port(self._folders.claim(container_names.id, f"{PORTS}-{next(numbers)}"), container_names, request)
                )
            self._lead(network, endpoint, bound)
        except BaseException as error:
            for published in bound:
                published.holding.release()
            if isinstance(error, OSError):
                raise MobyError(f"cannot publish ports of the container: {(error.strerror or str(error)).lower()}") from error
            raise
        return bound

    def publications(self, endpoint: Endpoint, port: BoundPort) -> list[Publication]:
        """The firewall's entries for a bound port of an endpoint of a bridge network."""
        # imported here, since many containers publish no ports
        from moby_tui.engine.resources.networks.firewall import Publication

        wanted = [(host.version, host) for host in port.hosts if not _is_loopback_of_ipv6(host)]
        publications = []
        for version, host in [*wanted, *((version, None) for version in port.routed)]:
            if (address := endpoint.address(version)) is not None:
                publications.append(Publication(port.protocol, host, port.host_port, address.ip, port.container_port))
        return publications

    def _publish_over(self, publications: list[Publication]) -> None:
        """Adds the entries to the firewall. An entry that exists already was left by a killed monitor, since this process has bound the
        ports: it is replaced. Raises ``OSError``."""
        try:
            self._firewall.publish(publications)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.EBUSY):
                raise
            self._folders.reconcile()
            self._firewall.drop(publications)
            self._firewall.publish(publications)


def _take_port(holding: Holding, container_names: ContainerNames, request: PortRequest) -> Published:
    """Binds a port and writes its record. After an error nothing is left. Raises ``MobyError``, ``OSError``."""
    try:
        fault.point("network.ports claimed")
        holding.write([])
        port = _bind_for(container_names, request)
        fault.point("network.ports bound")
        if port.socket is not None:
            holding.sockets = [port.socket.detach()]
        holding.write([_CLOSING] if holding.sockets else [], port=_host_port(port))
    except BaseException:
        holding.release()
        raise
    return Published(holding, port)


def _host_port(port: BoundPort) -> HostPort:
    """A bound port as its record has it."""
    hosts = [str(host) for host in port.hosts] or ["0.0.0.0" if version == 4 else "::" for version in port.routed]
    return HostPort(protocol=port.protocol, port=port.host_port, hosts=hosts, name=port.name)


def _bind_for(container_names: ContainerNames, request: PortRequest) -> BoundPort:
    """As ``bind_port``, with the container's name in the errors, as Docker writes them."""
    from moby_tui.engine.resources.networks.ports import bind_port

    try:
        return bind_port(request)
    except MobyError as error:
        text = f"{FAILED}: driver failed programming external connectivity on endpoint"
        raise type(error)(f"{text} {container_names.name or container_names.id[:12]}: {error}") from error


def _is_loopback_of_ipv6(host: Address) -> bool:
    """True for [::1]. The firewall cannot send its packets to a bridge: IPv6 has no counterpart of ``route_localnet``."""
    return host.version == 6 and host.is_loopback


def _forwards(endpoint: Endpoint, port: BoundPort) -> list[Forward]:
    """What the monitor forwards in place of the firewall.

    That is traffic from [::1], and traffic of one IP version to a container that has only the other.
    """
    if not port.hosts:
        return []
    last = port.hosts[-1]
    address = endpoint.address(last.version) or endpoint.address(10 - last.version)
    if address is None or port.protocol == "sctp" or (last.version == 4 and address.version == 4):
        return []
    return [Forward(position=1, protocol=port.protocol, address=str(address.ip), port=port.container_port)]
