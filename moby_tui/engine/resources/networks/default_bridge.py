"""Configures the network ``bridge`` by the engine's options: dockerd's ``--bip``, ``--fixed-cidr``, ``--mtu``, ``--icc`` and the like."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from moby_tui.engine.resources.networks import bridge_options
from moby_tui.engine.resources.networks.endpoints import DEFAULT_GATEWAY
from moby_tui.engine.store.records.networks import IpamPool, NetworkRecord
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.engine_options import EngineOptions

_BRIDGE = "com.docker.network.bridge."
_MTU = "com.docker.network.driver.mtu"


def configure(network: NetworkRecord, options: EngineOptions, interface: str) -> None:
    """Writes the options and the pools of the engine's options into the record. The caller chooses a subnet if the options name none."""
    network.options = _driver_options(options, interface)
    network.enable_ipv6 = options.ipv6
    network.ipam.config = network.ipam.config or pools(options) or None


def fits(network: NetworkRecord, options: EngineOptions, interface: str) -> bool:
    """True if the record, which has its subnets, is as the engine's options configure it."""
    wanted = _driver_options(options, interface)
    known = network.ipam.config or []
    if network.enable_ipv6 != options.ipv6 or {key: network.options.get(key) for key in (*wanted, _MTU)} != {_MTU: None} | wanted:
        return False
    return all(any(_covers(pool, other) for other in known) for pool in pools(options))


def _covers(wanted: IpamPool, known: IpamPool) -> bool:
    return (wanted.subnet, wanted.ip_range, wanted.auxiliary_addresses) == (
        known.subnet,
        known.ip_range,
        known.auxiliary_addresses,
    ) and wanted.gateway in ("", known.any_gateway)


def _driver_options(options: EngineOptions, interface: str) -> dict[str, str]:
    return {
        f"{_BRIDGE}default_bridge": "true",
        f"{_BRIDGE}enable_icc": "true" if options.icc else "false",
        f"{_BRIDGE}enable_ip_masquerade": "true" if options.ip_masq else "false",
        f"{_BRIDGE}host_binding_ipv4": options.ip,
        f"{_BRIDGE}name": interface,
        **({_MTU: str(options.mtu)} if options.mtu else {}),
    }


def pools(options: EngineOptions) -> list[IpamPool]:
    """The pools of the engine's options, as dockerd makes them. Raises ``InvalidArgument``."""
    four = _pool(4, "bip", options.bip, "fixed-cidr", options.fixed_cidr)
    six = _pool(6, "bip6", options.bip6, "fixed-cidr-v6", options.fixed_cidr_v6) if options.ipv6 else None
    if options.default_gateway:
        _lead(four, 4, "default-gateway", options.default_gateway)
    if options.default_gateway_v6:
        _lead(six, 6, "default-gateway-v6", options.default_gateway_v6)
    return [pool for pool in (four, six) if pool is not None]


def _lead(pool: IpamPool | None, version: int, name: str, address: str) -> None:
    """Makes ``address`` the gateway of the pool's containers. Raises ``InvalidArgument``."""
    try:
        gateway = ipaddress.ip_address(address)
    except ValueError:
        raise InvalidArgument(f"invalid IP address: {address}") from None
    if pool is None or gateway not in ipaddress.ip_network(pool.subnet):
        raise InvalidArgument(
            f"{name} {address} is in no subnet of the default bridge: set {'bip' if version == 4 else 'bip6'}, too"
        )
    pool.auxiliary_addresses = {f"{DEFAULT_GATEWAY}{version}": address}


def _pool(version: int, address_name: str, address: str, range_name: str, given_range: str) -> IpamPool | None:
    pool = IpamPool()
    if address:
        try:
            own = ipaddress.ip_interface(address)
        except ValueError:
            own = None
        if own is None or "/" not in address or own.version != version:
            raise InvalidArgument(f"parse {address_name} failed: invalid CIDR address: {address}")
        if own.network.num_addresses > 2 and own.ip in (own.network.network_address, own.network.broadcast_address):
            raise InvalidArgument(f"{address_name} {address} is the address of a network: give the bridge's own, as 10.10.0.1/24")
        pool.subnet, pool.gateway = str(own.network), str(own.ip)
    if given_range:
        try:
            within = ipaddress.ip_network(given_range, strict=False)
        except ValueError:
            within = None
        if within is None or "/" not in given_range or within.version != version:
            raise InvalidArgument(f"parse {range_name} failed: invalid CIDR address: {given_range}")
        pool.subnet, pool.ip_range = pool.subnet or str(within), str(within)
        subnet = ipaddress.ip_network(pool.subnet)
        if int(within[0]) < int(subnet[0]) or int(within[-1]) > int(subnet[-1]):
            raise InvalidArgument(f"{range_name} {given_range} is not within {address_name} {address}")
    return pool if pool.subnet else None


def check(options: EngineOptions) -> None:
    """Raises ``InvalidArgument``."""
    for name, value in (("fixed-cidr-v6", options.fixed_cidr_v6), ("bip6", options.bip6)):
        if value and not options.ipv6:
            raise InvalidArgument(f"{name} needs ipv6: the default bridge has no IPv6 without it")
    if options.mtu < 0:
        raise InvalidArgument(f"invalid default MTU: {options.mtu}")
    try:
        ipaddress.IPv4Address(options.ip)
    except ValueError:
        raise InvalidArgument(f"invalid IP address: {options.ip}") from None
    network = NetworkRecord(name="bridge", id="")
    configure(network, options, "bridge")
    bridge_options.read(network)
