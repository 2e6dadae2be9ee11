"""The options of the bridge driver (docs: "Bridge network driver", com.docker.network.*), read once into plain values."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

import msgspec

from moby_tui.engine.store.records.networks import NetworkRecord
from moby_tui.errors import InvalidArgument

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network

_BRIDGE = "com.docker.network.bridge."
_MTU = "com.docker.network.driver.mtu"
_SOURCE = "com.docker.network.host_ipv"
_PREFIX = "com.docker.network.container_iface_prefix"
_MODES = ("nat", "nat-unprotected", "routed", "isolated")
_NAME = r"[^\s/:]{1,15}"
#: As Go's ``strconv.ParseBool`` has them.
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")
#: linux/if_ether.h, ETH_MIN_MTU and what a bridge takes at the most
_LEAST_MTU, _MOST_MTU = 68, 65535


class BridgeOptions(msgspec.Struct, kw_only=True, frozen=True):
    """One bridge network. ``modes`` has how containers are reached (``gateway_mode``) for each IP version."""

    interface: str
    subnets: tuple[Subnet, ...] = ()
    gateways: dict[int, Address] = {}
    modes: dict[int, str] = {}
    internal: bool = False
    icc: bool = True
    masquerade: bool = True
    host_binding: str = ""
    mtu: int = 0
    prefix: str = "eth"
    trusted: tuple[str, ...] = ()
    #: the bridge itself gets no IPv4 address
    inhibit_ipv4: bool = False
    #: for an IP version the host's address that what leaves bears; without one it is that of the interface by which it leaves
    sources: dict[int, Address] = {}

    def mode(self, version: int) -> str:
        return self.modes.get(version, "nat")

    def masquerades(self, version: int) -> bool:
        return self.masquerade and not self.internal and self.mode(version) in ("nat", "nat-unprotected")


def read(network: NetworkRecord) -> BridgeOptions:
    """The options of a network. Raises ``InvalidArgument`` with the option's name."""
    options = network.options
    return BridgeOptions(
        interface=_read(options, _BRIDGE + "name", _interface_name) or f"br-{network.id[:12]}",
        subnets=_subnets(network),
        gateways=_gateways(network),
        modes=_modes(network),
        internal=network.internal,
        icc=_boolean(options, _BRIDGE + "enable_icc", True),
        masquerade=_boolean(options, _BRIDGE + "enable_ip_masquerade", True),
        host_binding=_read(options, _BRIDGE + "host_binding_ipv4", _address) or "",
        mtu=_read(options, _MTU, _mtu) or 0,
        prefix=_read(options, _PREFIX, _interface_name) or "eth",
        trusted=tuple(name for name in options.get(_BRIDGE + "trusted_host_interfaces", "").split(":") if name),
        inhibit_ipv4=_boolean(options, _BRIDGE + "inhibit_ipv4", False),
        sources=_sources(options),
    )


def _subnets(network: NetworkRecord) -> tuple[Subnet, ...]:
    """Those of the IP versions that the network has: as with dockerd a pool of the other is kept, and not used."""
    versions = [version for version, enabled in ((4, network.enable_ipv4), (6, network.enable_ipv6)) if enabled]
    subnets = [ipaddress.ip_network(pool.subnet, strict=False) for pool in network.ipam.config or [] if pool.subnet]
    return tuple(subnet for subnet in subnets if subnet.version in versions)


def _sources(options: dict[str, str]) -> dict[int, Address]:
    sources: dict[int, Address] = {}
    for version in (4, 6):
        key = f"{_SOURCE}{version}"
        if text := _read(options, key, _address):
            address = ipaddress.ip_address(text)
            if address.version != version or address.is_unspecified:
                raise _unreadable(key, text, f"expected an IPv{version} address of this host")
            sources[version] = address
    return sources


def _modes(network: NetworkRecord) -> dict[int, str]:
    modes = {}
    for version in (4, 6):
        key = f"{_BRIDGE}gateway_mode_ipv{version}"
        mode = network.options.get(key, "")
        if mode and mode not in _MODES:
            raise _unreadable(key, mode, f"unknown gateway mode {mode}; expected one of {', '.join(_MODES)}")
        if mode == "isolated" and not network.internal:
            raise InvalidArgument("gateway mode 'isolated' can only be used for an internal network")
        if mode:
            modes[version] = mode
    return modes


def _gateways(network: NetworkRecord) -> dict[int, Address]:
    """The first gateway of each IP version."""
    gateways: dict[int, Address] = {}
    for pool in network.ipam.config or []:
        if pool.any_gateway:
            address = ipaddress.ip_interface(pool.any_gateway).ip
            gateways.setdefault(address.version, address)
    return gateways


def _read(options: dict[str, str], key: str, read: Callable[[str], object]):  # type: ignore[no-untyped-def]
    value = options.get(key)
    if value is None or value == "":
        return None
    try:
        return read(value)
    except ValueError as error:
        raise _unreadable(key, value, str(error)) from error


def _unreadable(key: str, value: str, why: str) -> InvalidArgument:
    return InvalidArgument(f"failed to parse {key} value: {value} ({why})")


def _boolean(options: dict[str, str], key: str, default: bool) -> bool:
    value = options.get(key)
    if value is None or value == "":
        return default
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise _unreadable(key, value, "expected true or false")


def _interface_name(value: str) -> str:
    if not re.fullmatch(_NAME, value) or value in (".", ".."):
        raise ValueError("expected the name of an interface, at most 15 bytes without blanks and slashes")
    return value


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("expected an IP address") from None


def _mtu(value: str) -> int:
    try:
        mtu = int(value)
    except ValueError:
        raise ValueError("expected a number") from None
    if mtu < 0:
        raise InvalidArgument(f"invalid MTU number: {mtu}")
    if not _LEAST_MTU <= mtu <= _MOST_MTU:
        raise ValueError(f"expected {_LEAST_MTU} to {_MOST_MTU}")
    return mtu
