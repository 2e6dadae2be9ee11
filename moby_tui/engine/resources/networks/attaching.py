"""Puts a container into its networks, all of them or none: namespace, places, published ports. Blocks; call it on a thread."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from itertools import count
from typing import NamedTuple

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.network import netns
from moby_tui.engine.kernel.network.netlink import NETLINK_NETFILTER, NETLINK_ROUTE, send
from moby_tui.engine.kernel.network.rtnetlink import delete_link
from moby_tui.engine.protocol.network import Forward, HostPort, TeardownStep
from moby_tui.engine.resources.networks import bridge_options, endpoints
from moby_tui.engine.resources.networks.drivers.bridge import lead_out
from moby_tui.engine.resources.networks.drivers.driver import Address, Driver, Endpoint
from moby_tui.engine.resources.networks.endpoints import Called, Place
from moby_tui.engine.resources.networks.firewall import Firewall, Publication
from moby_tui.engine.resources.networks.ports import BoundPort, PortRequest, bind_port, port_settings
from moby_tui.engine.resources.networks.sandbox import PORTS, Folders, Holding, Sandbox
from moby_tui.engine.store.records.networks import NetworkRecord
from moby_tui.errors import MobyError

#: Closes the socket, which stands behind the record: only then may the port be found free.
_CLOSING = TeardownStep(close=1)


class Published(NamedTuple):
    """A port that is taken, and the holding that has it."""

    holding: Holding
    port: BoundPort


class Attaching:
    """What puts containers into networks, for one engine."""

    def __init__(self, folders: Folders, firewall: Firewall, driver: Callable[[str], Driver]) -> None:
        self._folders = folders
        self._firewall = firewall
        self._driver = driver

    def attach(
        self, called: Called, places: Sequence[Place], ports: list[PortRequest], create: Callable[[], int]
    ) -> tuple[Sandbox, list[Endpoint]]:
        """Ports first, as they are what most often fails, and nothing has been changed then. Raises ``MobyError``.

        ``create`` makes a namespace with its loopback up, or hands one over. The endpoints are those of the places, in their order.
        """
        sandbox = Sandbox()
        try:
            bound = self._take_ports(sandbox, called, ports)
            self._restore([place.network for place in places])
            sandbox.netns_fd = create()
            fault.point("network.namespace made")
            made = self._attach_all(sandbox, called, places)
            self._publish(places, made, bound)
            if any(endpoints.is_user_defined(place.network) for place in places):
                # not for containers of the default network, which has no names
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

    def _take_ports(self, sandbox: Sandbox, called: Called, wanted: list[PortRequest]) -> list[Published]:
        bound: list[Published] = []
        for number, request in enumerate(wanted):
            holding = self._folders.claim(called.id, f"{PORTS}-{number}" if number else PORTS)
            sandbox.holdings.append(holding)
            bound.append(_take_port(holding, called, request))
        sandbox.ports = port_settings(published.port for published in bound)
        return bound

    def _restore(self, networks: Sequence[NetworkRecord]) -> None:
        for name in {network.driver for network in networks}:
            self._driver(name).restore([network for network in networks if network.driver == name])
        fault.point("network.bridge there")

    def _attach_all(self, sandbox: Sandbox, called: Called, places: Sequence[Place]) -> list[Endpoint]:
        gateway = endpoints.gateway_of(places)
        made: list[Endpoint] = []
        for number, place in enumerate(places):
            holding, endpoint = self.attach_one(called, place, number, sandbox.netns_fd, is_gateway=place is gateway)
            sandbox.holdings.append(holding)
            made.append(endpoint)
        return made

    def attach_one(
        self, called: Called, place: Place, number: int, namespace: int | None, *, is_gateway: bool
    ) -> tuple[Holding, Endpoint]:
        """One place. Nothing is left of it where this raises."""
        network = place.network
        assert namespace is not None
        driver = self._driver(network.driver)
        holding = self._folders.claim(called.id, network.id[:12])
        try:
            fault.point("network.record claimed")
            endpoint = endpoints.make(place, called.id, number, is_gateway=is_gateway)
            leases = self._folders.leases(network.id)
            # before the first address is taken: whoever finds this record frees what nobody has
            holding.write([])
            if driver.has_addresses:
                endpoints.lease_addresses(place, endpoint, leases, f"{called.id}/{holding.name}")
            fault.point("network.address leased")
            given_back = [TeardownStep(unlink=str(leases.path(address.ip))) for address in endpoint.addresses]
            if names := endpoints.names_of(place, called):
                from moby_tui.engine.resources.networks.names import zone

                given_back.append(TeardownStep(unlink=str(zone.path_of(self._folders.zones, network.id, called.id))))
            holding.write([*driver.undoing(network, endpoint), *given_back])
            fault.point("network.record written")
            if names:
                addresses = [address.ip for address in endpoint.addresses]
                zone.write(self._folders.zones, network.id, called.id, network.name, names, addresses, endpoints.links_of(place))
                fault.point("network.names written")
            driver.attach(network, endpoint, namespace)
            fault.point("network.wired")
        except BaseException:
            holding.release()
            self._folders.free_leases()
            raise
        return holding, endpoint

    def attach_live(self, called: Called, place: Place, namespace: int) -> tuple[Holding, Endpoint]:
        """One more place for a container that runs, without a default route. Raises ``MobyError``."""
        network = place.network
        try:
            self._restore([network])
            taken = netns.call(namespace, lambda: {name for _, name in socket.if_nameindex()})
            number = next(number for number in count() if endpoints.interface_name(place, number) not in taken)
            return self.attach_one(called, place, number, namespace, is_gateway=False)
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

    def lead_out(self, namespace: int, interface: str, gateways: Sequence[Address]) -> None:
        """Has the default routes of a running container lead over other gateways. Raises ``MobyError``."""
        try:
            netns.call(namespace, lambda: lead_out(interface, gateways))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise MobyError(f"cannot change the container's default route: {reason}") from error

    def _publish(self, places: Sequence[Place], made: list[Endpoint], bound: list[Published]) -> None:
        """The ports lead to the container's address in the network of its default route, as in Docker."""
        network, endpoint = next(
            ((place.network, endpoint) for place, endpoint in zip(places, made, strict=True) if endpoint.is_gateway), (None, None)
        )
        if bound and network is not None and endpoint is not None and network.driver == "bridge":
            self._lead(network, endpoint, bound)

    def _lead(self, network: NetworkRecord, endpoint: Endpoint, bound: list[Published]) -> None:
        """Has the ports lead to an endpoint of a bridge network."""
        everything: list[Publication] = []
        for holding, port in bound:
            publications = self.publications(network, endpoint, port)
            withdrawing = (
                [TeardownStep(netlink=NETLINK_NETFILTER, data=self._firewall.withdrawing(publications).hex())]
                if publications
                else []
            )
            holding.write([*withdrawing, _CLOSING], self._firewall.publishing(publications), _told(port))
            holding.forwards = _forwards(endpoint, port)
            everything += publications
        self._publish_over(everything)
        fault.point("network.published")

    def publish_live(
        self, called: Called, network: NetworkRecord, endpoint: Endpoint, wanted: list[PortRequest]
    ) -> list[Published]:
        """More ports of a container that runs, all of them or none. Raises ``MobyError``."""
        bound: list[Published] = []
        numbers = (number for number in count(1) if f"{PORTS}-{number}" not in self._folders.bound(called.id))
        try:
            self._restore([network])
            for request in wanted:
                bound.append(_take_port(self._folders.claim(called.id, f"{PORTS}-{next(numbers)}"), called, request))
            self._lead(network, endpoint, bound)
        except BaseException as error:
            for holding, _ in bound:
                holding.release()
            if isinstance(error, OSError):
                raise MobyError(f"cannot publish ports of the container: {(error.strerror or str(error)).lower()}") from error
            raise
        return bound

    def publications(self, network: NetworkRecord, endpoint: Endpoint, port: BoundPort) -> list[Publication]:
        """How a bound port leads to an endpoint of a bridge network."""
        options = bridge_options.read(network)
        publications = []
        for host in port.hosts:
            address = endpoint.address(host.version)
            if address is not None and not _is_loopback_of_ipv6(host):
                to = None if options.mode(address.version) == "routed" else host
                publications.append(Publication(port.protocol, to, port.host_port, address.ip, port.container_port))
        return publications

    def _publish_over(self, publications: list[Publication]) -> None:
        """An entry in the way is left over from a container whose monitor was killed, as the ports are ours."""
        try:
            self._firewall.publish(publications)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.EBUSY):
                raise
            self._folders.reconcile()
            self._firewall.drop(publications)
            self._firewall.publish(publications)


def _take_port(holding: Holding, called: Called, request: PortRequest) -> Published:
    """Nothing is left of it where this raises."""
    try:
        fault.point("network.ports claimed")
        holding.write([])
        port = _bind_for(called, request)
        fault.point("network.ports bound")
        holding.sockets = [port.socket.detach()]
        holding.write([_CLOSING], port=_told(port))
    except BaseException:
        holding.release()
        raise
    return Published(holding, port)


def _told(port: BoundPort) -> HostPort:
    """What the record says of a port."""
    return HostPort(protocol=port.protocol, port=port.host_port, hosts=[str(host) for host in port.hosts])


def _bind_for(called: Called, request: PortRequest) -> BoundPort:
    """As ``bind_port``; its errors say, in Docker's words, whose port it is."""
    try:
        return bind_port(request)
    except MobyError as error:
        text = "failed to set up container networking: driver failed programming external connectivity on endpoint"
        raise type(error)(f"{text} {called.name or called.id[:12]}: {error}") from error


def _is_loopback_of_ipv6(host: Address) -> bool:
    """Its packets cannot leave the host, however they are translated: IPv6 has nothing like ``route_localnet``."""
    return host.version == 6 and host.is_loopback


def _forwards(endpoint: Endpoint, port: BoundPort) -> list[Forward]:
    """What the firewall cannot translate: from [::1], and from one IP version to a container that has the other alone."""
    last = port.hosts[-1]
    address = endpoint.address(last.version) or endpoint.address(10 - last.version)
    if address is None or port.protocol == "sctp" or (last.version == 4 and address.version == 4):
        return []
    return [Forward(position=1, protocol=port.protocol, address=str(address.ip), port=port.container_port)]
