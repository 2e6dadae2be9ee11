"""Published ports: reads the requests, and binds the sockets that keep the host's ports.

For as long as the container runs, a socket is bound to each of its published ports; those of TCP and SCTP listen. Thus no program can take
the port. A port that is published for IPv4 and IPv6 has one socket for both, so that the number is the same. Packets that the firewall
translates do not reach the socket. What it cannot translate (from IPv6 to a container that has only IPv4, and from [::1]) does, and the
monitor forwards it (``runtime.monitor.forwarding``).
"""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import msgspec

from moby_tui.engine.resources.networks.leases import InUse
from moby_tui.engine.store.records.containers import PortBinding
from moby_tui.errors import InvalidArgument, MobyError

Address = IPv4Address | IPv6Address

#: The number of each protocol whose ports can be published.
PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP, "sctp": socket.IPPROTO_SCTP}
_EVERY: dict[int, Address] = {4: IPv4Address("0.0.0.0"), 6: IPv6Address("::")}
#: The number of connections from [::1] that can wait for the monitor (listen(2)).
_BACKLOG = 128
_PORT = r"(\d{1,5})(?:/([a-z]+))?"
_RANGE = r"(\d{1,5})(?:-(\d{1,5}))?"


class PortTaken(InUse):
    """Another process has the port of the host."""


class BoundPort(msgspec.Struct, frozen=True):
    """A port of the host that this process has bound for a port of a container: at one address, or at all of IPv4, of IPv6, or of both.

    At the container's own address of the IP versions ``routed`` the port is reached as it is. If that is all, nothing is bound: ``hosts`` is
    empty, ``socket`` None, and ``host_port`` what was asked for, or 0.
    """

    name: str
    protocol: str
    container_port: int
    hosts: tuple[Address, ...]
    host_port: int
    socket: socket.socket | None
    routed: tuple[int, ...] = ()


class PortRequest(msgspec.Struct, frozen=True):
    """A port to publish. ``name`` is the container's port (``80/tcp``).

    ``hosts`` is one address, or the unspecified ones of IPv4, of IPv6, or of both. ``host_ports`` are the ports to try; if it is empty, the
    kernel chooses one. ``routed`` are the IP versions of which the container's own address is reached instead of the host's.
    """

    name: str
    protocol: str
    container_port: int
    hosts: tuple[Address, ...]
    host_ports: range
    routed: tuple[int, ...] = ()


def port_requests(
    bindings: Mapping[str, Sequence[PortBinding] | None],
    exposed: Iterable[str],
    publish_all: bool,
    host: str = "",
    versions: Collection[int] = (4,),
    routed: Collection[int] = (),
) -> tuple[list[PortRequest], list[str]]:
    """The ports to publish, and the names of the ports that are only exposed.

    ``host`` is the host's address for bindings that name none, and empty for all addresses. ``versions`` are the IP versions of the
    container's addresses, ``routed`` those in which they are reached themselves. Raises ``InvalidArgument``.
    """
    wanted: list[PortRequest] = []
    for port, choices in bindings.items():
        wanted += [_request(port, choice, host, versions, routed) for choice in choices or [PortBinding()]]
    published = {request.name for request in wanted}
    rest = sorted({_name(*_parse_port(port)) for port in exposed} - published, key=lambda name: _parse_port(name))
    if publish_all:
        return wanted + [_request(port, PortBinding(), host, versions, routed) for port in rest], []
    return wanted, rest


def port_settings(bound: Iterable[BoundPort]) -> dict[str, list[PortBinding] | None]:
    """The ports as ``NetworkSettings.Ports`` shows them: one that is reached at the container's own address without a port of the host."""
    settings: dict[str, list[PortBinding] | None] = {}
    for port in bound:
        shown = [(str(host), str(port.host_port)) for host in port.hosts] + [
            (str(_EVERY[version]), "") for version in port.routed
        ]
        shown.sort(key=lambda one: ":" in one[0])
        settings[port.name] = [*(settings.get(port.name) or []), *(PortBinding(host_ip=ip, host_port=n) for ip, n in shown)]
    return settings


def _request(port: str, binding: PortBinding, host: str, versions: Collection[int], routed: Collection[int]) -> PortRequest:
    number, protocol = _parse_port(port)
    all_hosts = _hosts(_parse_host(binding.host_ip), _parse_host(host), versions, protocol)
    hosts = tuple(address for address in all_hosts if address.version not in routed)
    if protocol == "sctp" and not {address.version for address in hosts} <= set(versions):
        raise InvalidArgument(
            f"cannot publish {port} at {hosts[0]}: SCTP reaches a container at an address of the same IP version only"
        )
    own = tuple(address.version for address in all_hosts if address.version in routed)
    return PortRequest(_name(number, protocol), protocol, number, hosts, _parse_range(binding.host_port), own)


def _hosts(requested: Address | None, default: Address | None, versions: Collection[int], protocol: str) -> tuple[Address, ...]:
    """The addresses at which a port is bound: that of the request, else the default.

    Without either, they are all of IPv4, if the container has IPv4, and all of IPv6, if the container or the host has IPv6.
    """
    if requested is not None:
        return (requested,)
    if default is not None and not default.is_unspecified:
        return (default,)
    four = 4 in versions
    six = 6 in versions or (protocol != "sctp" and _has_ipv6())
    return tuple(_EVERY[version] for version, is_bound in ((4, four), (6, six)) if is_bound)


def _has_ipv6() -> bool:
    """True if a socket can be bound to [::1]: so dockerd finds out whether the host has IPv6."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _name(number: int, protocol: str) -> str:
    return f"{number}/{protocol}"


def _parse_port(port: str) -> tuple[int, str]:
    match = re.fullmatch(_PORT, port.lower())
    number, protocol = (int(match[1]), match[2] or "tcp") if match else (0, "")
    if protocol not in PROTOCOLS or not 0 < number < 65536:
        raise InvalidArgument(f"invalid container port {port!r}; write it as 80/tcp or 53/udp")
    return number, protocol


def _parse_host(host: str) -> Address | None:
    """The address of a binding; None if it is empty. An IPv4-mapped address (``::ffff:127.0.0.1``) becomes the IPv4 address."""
    if not host:
        return None
    try:
        address = ip_address(host)
    except ValueError as error:
        raise InvalidArgument(f"invalid host address {host!r} of a published port; give an IP address") from error
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _parse_range(ports: str) -> range:
    match = re.fullmatch(_RANGE, ports or "0")
    first = int(match[1]) if match else -1
    last = int(match[2]) if match and match[2] else first
    if last == first == 0:
        return range(0)
    if not 0 < first <= last < 65536:
        raise InvalidArgument(f"invalid host port {ports!r}; give a port or a range such as 8000-8010")
    return range(first, last + 1)


def bind_port(request: PortRequest) -> BoundPort:
    """Binds the first of the request's ports that is free. Raises ``PortTaken`` and ``MobyError``, with Docker's texts."""
    name, protocol, container_port, hosts, numbers, routed = msgspec.structs.astuple(request)
    if not hosts:
        return BoundPort(name, protocol, container_port, (), numbers.start, None, routed)
    for number in request.host_ports or (0,):
        held = _bind_one(request, number)
        if held is not None:
            return BoundPort(name, protocol, container_port, hosts, held.getsockname()[1], held, routed)
    wish = (
        str(request.host_ports.start)
        if len(request.host_ports) == 1
        else f"{request.host_ports.start}-{request.host_ports.stop - 1}"
    )
    raise PortTaken(f"Bind for {request.hosts[0]}:{wish} failed: port is already allocated")


def _bind_one(request: PortRequest, number: int) -> socket.socket | None:
    """Binds one port; None if another process has it. Raises ``MobyError``."""
    stream = request.protocol != "udp"
    six = request.hosts[-1].version == 6
    held = _socket(request, socket.AF_INET6 if six else socket.AF_INET)
    try:
        # with this option bind(2) ignores ended connections of the port; listen(2) then fails if another process listens
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(stream and number != 0))
        if six:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(len(request.hosts) == 1))
        held.bind((str(request.hosts[-1]), number))
        if stream:
            held.listen(_BACKLOG)
        return held
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            return None
        reason = os.strerror(error.errno or 0).lower()
        raise MobyError(f"Bind for {request.hosts[0]}:{number} failed: {reason}") from error


def _socket(request: PortRequest, family: socket.AddressFamily) -> socket.socket:
    """A new socket of the request's protocol. Raises ``MobyError`` if the kernel has no SCTP."""
    kind = socket.SOCK_DGRAM if request.protocol == "udp" else socket.SOCK_STREAM
    try:
        return socket.socket(family, kind, PROTOCOLS[request.protocol])
    except OSError as error:
        if request.protocol != "sctp":
            raise
        raise MobyError(
            f"cannot publish {request.name}: the kernel has no SCTP ({os.strerror(error.errno or 0).lower()}); "
            "load its module on the host (modprobe sctp)"
        ) from error
