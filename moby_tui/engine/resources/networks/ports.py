"""Published ports: what was asked, and the sockets that keep the host's ports taken.

A socket of ours is bound (TCP and SCTP: and listens) on every published port for as long as the container lives, one for IPv4 and IPv6
together where both are published, so that they have the same port. It is there so that the port is taken for everybody, also for programs
that know nothing of us. Packets that the firewall translates never reach it; what it cannot translate, from IPv6 to a container that has
IPv4 alone and from [::1], does, and is forwarded by the monitor (``runtime.monitor.forwarding``).
"""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import msgspec

from moby_tui.engine.resources.networks.firewall import PROTOCOLS
from moby_tui.engine.store.records.containers import PortBinding
from moby_tui.errors import InvalidArgument, MobyError

Address = IPv4Address | IPv6Address

_EVERY: dict[int, Address] = {4: IPv4Address("0.0.0.0"), 6: IPv6Address("::")}
#: Connections from [::1] that wait for the monitor.
_BACKLOG = 128
_PORT = re.compile(r"(\d{1,5})(?:/([a-z]+))?")
_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


class PortTaken(MobyError):
    """A port of the host is somebody's."""


class BoundPort(msgspec.Struct, frozen=True):
    """A host port that is ours on one address or on all of both IP versions, and the container's port it is for."""

    name: str
    protocol: str
    container_port: int
    hosts: tuple[Address, ...]
    host_port: int
    socket: socket.socket


class PortRequest(msgspec.Struct, frozen=True):
    """``hosts`` is one address, or all of IPv4 and all of IPv6. ``host_ports`` is empty where the kernel shall choose one."""

    name: str
    protocol: str
    container_port: int
    hosts: tuple[Address, ...]
    host_ports: range


def port_requests(
    bindings: Mapping[str, Sequence[PortBinding] | None],
    exposed: Iterable[str],
    publish_all: bool,
    host: str = "",
    versions: Collection[int] = (4,),
) -> tuple[list[PortRequest], list[str]]:
    """What is to be published, and which ports are exposed only. ``host`` is the host's address of those that name none (empty: all);
    ``versions`` are the IP versions of which the container has addresses.

    Raises ``InvalidArgument``.
    """
    wanted: list[PortRequest] = []
    for port, choices in bindings.items():
        wanted += [_request(port, choice, host, versions) for choice in choices or [PortBinding()]]
    published = {request.name for request in wanted}
    rest = sorted({_name(*_parse_port(port)) for port in exposed} - published, key=lambda name: _parse_port(name))
    if publish_all:
        return wanted + [_request(port, PortBinding(), host, versions) for port in rest], []
    return wanted, rest


def port_settings(bound: Iterable[BoundPort]) -> dict[str, list[PortBinding] | None]:
    """The ports as ``NetworkSettings.Ports`` shows them."""
    settings: dict[str, list[PortBinding] | None] = {}
    for port in bound:
        given = settings.get(port.name) or []
        settings[port.name] = [
            *given,
            *(PortBinding(host_ip=str(host), host_port=str(port.host_port)) for host in port.hosts),
        ]
    return settings


def _request(port: str, binding: PortBinding, host: str, versions: Collection[int]) -> PortRequest:
    number, protocol = _parse_port(port)
    hosts = _hosts(_parse_host(binding.host_ip), _parse_host(host), versions, protocol)
    if protocol == "sctp" and not {address.version for address in hosts} <= set(versions):
        raise InvalidArgument(
            f"cannot publish {port} at {hosts[0]}: SCTP reaches a container at an address of the same IP version only"
        )
    return PortRequest(_name(number, protocol), protocol, number, hosts, _parse_range(binding.host_port))


def _hosts(asked: Address | None, default: Address | None, versions: Collection[int], protocol: str) -> tuple[Address, ...]:
    """Where a port is bound. One that names no address is on all of IPv4, if the container has that, and of IPv6, if the host has it."""
    if asked is not None:
        return (asked,)
    if default is not None and not default.is_unspecified:
        return (default,)
    four = 4 in versions
    six = 6 in versions or (protocol != "sctp" and _has_ipv6())
    return tuple(_EVERY[version] for version, is_bound in ((4, four), (6, six)) if is_bound)


def _has_ipv6() -> bool:
    """Whether the host has IPv6, as dockerd finds it: something can be bound to [::1]."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _name(number: int, protocol: str) -> str:
    return f"{number}/{protocol}"


def _parse_port(port: str) -> tuple[int, str]:
    match = _PORT.fullmatch(port.lower())
    number, protocol = (int(match[1]), match[2] or "tcp") if match else (0, "")
    if protocol not in PROTOCOLS or not 0 < number < 65536:
        raise InvalidArgument(f"invalid container port {port!r}; write it as 80/tcp or 53/udp")
    return number, protocol


def _parse_host(host: str) -> Address | None:
    """None where no address is named. An IPv4 address in IPv6's form (``::ffff:127.0.0.1``) is the IPv4 one."""
    if not host:
        return None
    try:
        address = ip_address(host)
    except ValueError as error:
        raise InvalidArgument(f"invalid host address {host!r} of a published port; give an IP address") from error
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _parse_range(ports: str) -> range:
    match = _RANGE.fullmatch(ports or "0")
    first = int(match[1]) if match else -1
    last = int(match[2]) if match and match[2] else first
    if last == first == 0:
        return range(0)
    if not 0 < first <= last < 65536:
        raise InvalidArgument(f"invalid host port {ports!r}; give a port or a range such as 8000-8010")
    return range(first, last + 1)


def bind_port(request: PortRequest) -> BoundPort:
    """Takes a port, of several the first that is free. Raises ``PortTaken`` and ``MobyError``, with Docker's words."""
    for number in request.host_ports or (0,):
        held = _bind_one(request, number)
        if held is not None:
            return BoundPort(request.name, request.protocol, request.container_port, request.hosts, held.getsockname()[1], held)
    wish = (
        str(request.host_ports.start)
        if len(request.host_ports) == 1
        else f"{request.host_ports.start}-{request.host_ports.stop - 1}"
    )
    raise PortTaken(f"Bind for {request.hosts[0]}:{wish} failed: port is already allocated")


def _bind_one(request: PortRequest, number: int) -> socket.socket | None:
    """The socket on one port; None where it is taken."""
    stream = request.protocol != "udp"
    six = request.hosts[-1].version == 6
    held = _socket(request, socket.AF_INET6 if six else socket.AF_INET)
    try:
        # Connections that have just ended on the port do not matter; one that listens does, and listening finds it.
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
    """Raises ``MobyError`` where the kernel does not have the protocol."""
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
