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
_TRUSTED = f"{_BRIDGE}trusted_host_interfaces"
_MODES = ("nat", "nat-unprotected", "routed", "isolated")
_NAME = r"[^\s/:]{1,15}"
#: The longest prefix to which a number can be added.
_LONGEST_PREFIX = 13
#: The options that cannot be empty.
_WITH_VALUE = (
    *(f"{_BRIDGE}{name}" for name in ("enable_icc", "enable_ip_masquerade", "host_binding_ipv4", "inhibit_ipv4")),
    *(f"{_BRIDGE}gateway_mode_ipv{version}" for version in (4, 6)),
    _MTU,
)
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
        """``nat``, ``nat-unprotected``, ``routed`` or ``isolated``: how packets of an IP version pass between the network and others."""
        return self.modes.get(version, "nat")

    def masquerades(self, version: int) -> bool:
        return self.masquerade and not self.internal and self.mode(version) in ("nat", "nat-unprotected")


def read(network: NetworkRecord) -> BridgeOptions:
    """The options of a network. Raises ``InvalidArgument`` with the option's name."""
    options = network.options
    return BridgeOptions(
        interface=_read(options, _BRIDGE + "name", interface_name) or f"br-{network.id[:12]}",
        subnets=_subnets(network),
        gateways=_gateways(network),
        modes=_modes(network),
        internal=network.internal,
        icc=_boolean(options, _BRIDGE + "enable_icc", True),
        masquerade=_boolean(options, _BRIDGE + "enable_ip_masquerade", True),
        host_binding=_read(options, _BRIDGE + "host_binding_ipv4", _address) or "",
        mtu=_read(options, _MTU, _mtu) or 0,
        prefix=_read(options, _PREFIX, _prefix) or "eth",
        trusted=_read(options, _TRUSTED, _interface_names) or (),
        inhibit_ipv4=_boolean(options, _BRIDGE + "inhibit_ipv4", False),
        sources=_sources(options),
    )


def check_values(network: NetworkRecord) -> None:
    """Raises ``InvalidArgument`` for an option of a new network that has no value. Networks that were made with one keep the default."""
    for key in _WITH_VALUE:
        if network.options.get(key) == "":
            raise _unreadable(key, "", "expected a value")


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
            raise _unreadable(key, mode, f"unknown gateway mode {mode}")
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
    try:
        return parse_boolean(value)
    except ValueError as error:
        raise _unreadable(key, value, str(error)) from error


def parse_boolean(value: str) -> bool:
    """As Go's ``strconv.ParseBool`` reads it. Raises ``ValueError``."""
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise ValueError("expected true or false")


def interface_name(value: str) -> str:
    """``value``, if an interface can be called so. Raises ``ValueError``."""
    if not re.fullmatch(_NAME, value) or len(value.encode()) > 15 or value in (".", ".."):
        raise ValueError("expected the name of an interface, at most 15 bytes without blanks and slashes")
    return value


def _prefix(value: str) -> str:
    if len(value.encode()) > _LONGEST_PREFIX:
        raise ValueError(f"expected at most {_LONGEST_PREFIX} bytes, since a number is added")
    return interface_name(value)


def _interface_names(value: str) -> tuple[str, ...]:
    return tuple(interface_name(name) for name in value.split(":") if name)


def _address(value: str) -> str:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("expected an IP address") from None
    if address.version == 6 and address.scope_id:
        raise ValueError("expected an IP address without the name of an interface")
    return str(address)


def _mtu(value: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", value):
        raise ValueError(f'strconv.Atoi: parsing "{value}": invalid syntax')
    mtu = int(value)
    if mtu < 0:
        raise InvalidArgument(f"invalid MTU number: {mtu}")
    # 0 is the MTU that the network would have without the option
    if mtu and not _LEAST_MTU <= mtu <= _MOST_MTU:
        raise ValueError(f"expected {_LEAST_MTU} to {_MOST_MTU}")
    return mtu
