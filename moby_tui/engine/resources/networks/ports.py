"""Published ports: what was asked, and the sockets that keep the host's ports taken.

A socket of ours is bound (TCP: and listens) on every published port for as long as the container lives. Packets never reach
it, as they are translated before; it is there so that the port is taken for everybody, also for programs that know nothing of us.
"""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import msgspec

from moby_tui.engine.resources.networks.firewall import PROTOCOLS
from moby_tui.errors import InvalidArgument, MobyError, NotImplementedYet
from moby_tui.schema.container import PortBinding

_EVERY_ADDRESS = IPv4Address("0.0.0.0")
_PORT = re.compile(r"(\d{1,5})(?:/([a-z]+))?")
_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


class BoundPort(msgspec.Struct, frozen=True):
    """A host port that is ours, and the container's port it is for."""

    name: str
    protocol: str
    container_port: int
    host: IPv4Address
    host_port: int
    socket: socket.socket


class PortRequest(msgspec.Struct, frozen=True):
    """``host_ports`` is empty where the kernel shall choose one."""

    name: str
    protocol: str
    container_port: int
    host: IPv4Address
    host_ports: range


def port_requests(
    bindings: Mapping[str, Sequence[PortBinding] | None], exposed: Iterable[str], publish_all: bool, host: str = ""
) -> tuple[list[PortRequest], list[str]]:
    """What is to be published, and which ports are exposed only. ``host`` is the host's address of those that name none (empty: all).

    Raises ``InvalidArgument``, ``NotImplementedYet``.
    """
    wanted: list[PortRequest] = []
    for port, choices in bindings.items():
        wanted += [_request(port, choice, host) for choice in choices or [PortBinding()]]
    published = {request.name for request in wanted}
    rest = sorted({_name(*_parse_port(port)) for port in exposed} - published, key=lambda name: _parse_port(name))
    if publish_all:
        return wanted + [_request(port, PortBinding(), host) for port in rest], []
    return wanted, rest


def bind_ports(wanted: Iterable[PortRequest]) -> list[BoundPort]:
    """Takes every port, or none: raises ``MobyError`` with Docker's words where one is not to be had."""
    bound: list[BoundPort] = []
    try:
        for request in wanted:
            bound.append(_bind_first(request))
    except BaseException:
        for port in bound:
            port.socket.close()
        raise
    return bound


def port_settings(bound: Iterable[BoundPort]) -> dict[str, list[PortBinding] | None]:
    """The ports as ``NetworkSettings.Ports`` shows them."""
    settings: dict[str, list[PortBinding] | None] = {}
    for port in bound:
        given = settings.get(port.name) or []
        settings[port.name] = [*given, PortBinding(host_ip=str(port.host), host_port=str(port.host_port))]
    return settings


def _request(port: str, binding: PortBinding, host: str) -> PortRequest:
    number, protocol = _parse_port(port)
    if protocol == "sctp":
        raise NotImplementedYet(f"publishing an SCTP port ({port})")
    address = _parse_host(binding.host_ip or host)
    return PortRequest(_name(number, protocol), protocol, number, address, _parse_range(binding.host_port))


def _name(number: int, protocol: str) -> str:
    return f"{number}/{protocol}"


def _parse_port(port: str) -> tuple[int, str]:
    match = _PORT.fullmatch(port.lower())
    number, protocol = (int(match[1]), match[2] or "tcp") if match else (0, "")
    if protocol not in PROTOCOLS or not 0 < number < 65536:
        raise InvalidArgument(f"invalid container port {port!r}; write it as 80/tcp or 53/udp")
    return number, protocol


def _parse_host(host: str) -> IPv4Address:
    if not host:
        return _EVERY_ADDRESS
    try:
        address = ip_address(host)
    except ValueError as error:
        raise InvalidArgument(f"invalid host address {host!r} of a published port; give an IPv4 address") from error
    if isinstance(address, IPv6Address):
        raise NotImplementedYet(f"publishing a port on an IPv6 address ({host})")
    return address


def _parse_range(ports: str) -> range:
    match = _RANGE.fullmatch(ports or "0")
    first = int(match[1]) if match else -1
    last = int(match[2]) if match and match[2] else first
    if last == first == 0:
        return range(0)
    if not 0 < first <= last < 65536:
        raise InvalidArgument(f"invalid host port {ports!r}; give a port or a range such as 8000-8010")
    return range(first, last + 1)


def _bind_first(request: PortRequest) -> BoundPort:
    for number in request.host_ports or (0,):
        held = _bind_one(request, number)
        if held is not None:
            return BoundPort(request.name, request.protocol, request.container_port, request.host, held.getsockname()[1], held)
    wish = (
        str(request.host_ports.start)
        if len(request.host_ports) == 1
        else f"{request.host_ports.start}-{request.host_ports.stop - 1}"
    )
    raise MobyError(
        f"driver failed programming external connectivity: Bind for {request.host}:{wish} failed: port is already allocated"
    )


def _bind_one(request: PortRequest, number: int) -> socket.socket | None:
    """The socket on one port; None where it is taken."""
    stream = request.protocol == "tcp"
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
    try:
        # Connections that have just ended on the port do not matter; one that listens does, and listening finds it.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(stream and number != 0))
        held.bind((str(request.host), number))
        if stream:
            held.listen(0)
        return held
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise MobyError(
            f"driver failed programming external connectivity: Bind for {request.host}:{number} failed: "
            f"{os.strerror(error.errno or 0).lower()}"
        ) from error
