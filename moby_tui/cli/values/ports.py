"""Published and exposed ports: ``-p [ip:][host[-end]:]container[-end][/protocol]`` and ``--expose``."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import PortBinding

_PROTOCOLS = ("tcp", "udp", "sctp")
_LONG_KEYS = ("published", "target", "protocol", "mode", "host_ip")


def _range(text: str, spec: str) -> range:
    first, dash, last = text.partition("-")
    if not (first.isascii() and first.isdigit()) or (dash and not (last.isascii() and last.isdigit())):
        raise InvalidArgument(f"invalid port {text!r} in {spec!r}")
    start, end = int(first), int(last) if dash else int(first)
    if not 0 <= start <= 65535 or not 0 <= end <= 65535:
        raise InvalidArgument(f"port {text!r} in {spec!r} is out of range: 1 to 65535")
    if end < start:
        raise InvalidArgument(f"invalid port range {text!r} in {spec!r}: it ends before it begins")
    return range(start, end + 1)


def _container_ports(text: str, spec: str) -> range:
    ports = _range(text, spec)
    if ports.start == 0:
        raise InvalidArgument(f"invalid container port 0 in {spec!r}")
    return ports


def _protocol(text: str, spec: str) -> str:
    protocol = text.lower()
    if protocol not in _PROTOCOLS:
        raise InvalidArgument(f"invalid protocol {text!r} in {spec!r}: use tcp, udp or sctp")
    return protocol


def _address(text: str, spec: str) -> str:
    if not text:
        return ""
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise InvalidArgument(f"invalid address {text!r} in {spec!r}: an IP address is needed") from None


def _short_form(spec: str) -> str:
    """The long form ``published=8080,target=80`` in short notation; the short form as it is."""
    if "=" not in spec:
        return spec
    parts: dict[str, str] = {}
    for item in spec.split(","):
        key, separator, value = item.partition("=")
        if not separator or key not in _LONG_KEYS or key in parts:
            raise InvalidArgument(f"invalid port {spec!r}: keys are {', '.join(_LONG_KEYS)}, each once")
        parts[key] = value
    if "target" not in parts:
        raise InvalidArgument(f"invalid port {spec!r}: target= is missing")
    address = parts.get("host_ip", "")
    address = f"[{address}]" if ":" in address else address
    return f"{address}:{parts.get('published', '')}:{parts['target']}/{parts.get('protocol', 'tcp')}"


def parse_port(spec: str) -> list[tuple[str, PortBinding]]:
    """One ``-p``: pairs of ``80/tcp`` and where it is bound; an empty host port means any free one.

    A range of host ports for a single container port stays a range: the engine takes the first that is free.
    Raises ``InvalidArgument``.
    """
    address_and_ports, slash, protocol = _short_form(spec).partition("/")
    protocol = _protocol(protocol, spec) if slash else "tcp"
    host_part, _, container = address_and_ports.rpartition(":")
    address, _, host = host_part.rpartition(":")
    address = _address(address, spec)
    ports = _container_ports(container, spec)
    if not host:
        return [(f"{port}/{protocol}", PortBinding(host_ip=address)) for port in ports]
    host_ports = _range(host, spec)
    if len(ports) == 1 and len(host_ports) > 1:
        return [(f"{ports.start}/{protocol}", PortBinding(host_ip=address, host_port=f"{host_ports.start}-{host_ports[-1]}"))]
    if len(ports) != len(host_ports):
        raise InvalidArgument(f"invalid ranges in {spec!r}: {len(host_ports)} host ports for {len(ports)} container ports")
    return [
        (f"{port}/{protocol}", PortBinding(host_ip=address, host_port=str(host_port)))
        for port, host_port in zip(ports, host_ports, strict=True)
    ]


def port_bindings(specs: Iterable[str]) -> dict[str, list[PortBinding] | None]:
    """The values of all ``-p`` together, in the shape of ``HostConfig.PortBindings``."""
    bindings: dict[str, list[PortBinding] | None] = {}
    for spec in specs:
        for port, binding in parse_port(spec):
            entries = bindings.setdefault(port, [])
            if entries is not None and binding not in entries:
                entries.append(binding)
    return bindings


def exposed_ports(exposed: Iterable[str], published: Iterable[str]) -> dict[str, dict[str, str]]:
    """``--expose`` and everything published, in the shape of ``Config.ExposedPorts``."""
    ports: dict[str, dict[str, str]] = {port: {} for port in published}
    for spec in exposed:
        text, slash, protocol = spec.partition("/")
        protocol = _protocol(protocol, spec) if slash else "tcp"
        ports.update({f"{port}/{protocol}": {} for port in _container_ports(text, spec)})
    return ports
