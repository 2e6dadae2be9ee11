"""Checks a request for a new network, and makes its record: options, subnets, gateways. The texts of errors are the Docker Engine's."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from moby_tui.engine.resources.networks import wire
from moby_tui.engine.resources.networks.bridge_options import parse_boolean
from moby_tui.engine.resources.networks.creation import configurations, pools
from moby_tui.engine.resources.networks.creation.pools import Pool
from moby_tui.engine.resources.networks.drivers.driver import Subnet
from moby_tui.engine.resources.networks.endpoints import one_or_list
from moby_tui.engine.resources.networks.leases import hosts
from moby_tui.engine.store.networks import PREDEFINED
from moby_tui.engine.store.records.networks import ConfigReference, Ipam, IpamPool, NetworkRecord
from moby_tui.errors import Forbidden, InvalidArgument, MobyError, NotFound
from moby_tui.schema import network as api

_PREFIX_LENGTH = r"0|[1-9][0-9]{0,2}"
_ENABLE_IPV4, _ENABLE_IPV6 = "com.docker.network.enable_ipv4", "com.docker.network.enable_ipv6"
_INHIBIT_IPV4 = "com.docker.network.bridge.inhibit_ipv4"
_LINK_LOCAL = ipaddress.IPv6Network("fe80::/64")


def new_network(request: api.NetworkCreate, defaults: Mapping[str, str]) -> NetworkRecord:
    """The record of a requested network, with a new id, and with the subnets of the request only.

    ``defaults`` are the engine's options for networks of its driver. Raises ``InvalidArgument``, ``Forbidden``.
    """
    name = request.name.strip()
    if not name:
        raise InvalidArgument("invalid name: name is empty")
    if name in (*PREDEFINED, "default"):
        raise Forbidden(f"operation is not permitted on predefined {name} network")
    if name.startswith("container:"):
        raise InvalidArgument(f"invalid network name {name}: it names a container's network")
    configurations.check(request)
    options = _default_options(request, defaults) | (request.options or {})
    if request.scope == "swarm" or request.driver == "overlay":
        raise Forbidden("cannot create a swarm scoped network when swarm is not active")
    if request.ingress:
        raise Forbidden("Ingress network can only be global scope network")
    ipam = request.ipam or api.Ipam()
    subnets = wire.pools_to_keep(ipam.config or [])
    check_pools(subnets)
    record = NetworkRecord(
        name=name,
        id=os.urandom(32).hex(),
        created=datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        driver="null" if request.config_only else request.driver or "bridge",
        enable_ipv4=_is_enabled(request.enable_ipv4, options, _ENABLE_IPV4, True),
        enable_ipv6=_is_enabled(request.enable_ipv6, options, _ENABLE_IPV6, False),
        ipam=Ipam(driver=ipam.driver or "default", options=ipam.options, config=subnets),
        internal=request.internal,
        attachable=request.attachable,
        config_only=request.config_only,
        config_from=ConfigReference(network=request.config_from.network if request.config_from else ""),
        options=wire.options_to_keep(options),
        labels=request.labels or {},
    )
    return wire.checked(record)


def check_complete(network: NetworkRecord) -> None:
    """Checks what a network must have that is more than a configuration. Raises ``NotFound``, ``InvalidArgument``."""
    if network.ipam.driver not in ("default", "null"):
        raise NotFound(f'plugin "{network.ipam.driver}" not found')
    if not network.enable_ipv4 and not network.enable_ipv6:
        raise InvalidArgument("IPv4 or IPv6 must be enabled")


def _default_options(request: api.NetworkCreate, defaults: Mapping[str, str]) -> dict[str, str]:
    """The engine's default options, without those in whose place the request has a field."""
    fields = {_ENABLE_IPV4: request.enable_ipv4, _ENABLE_IPV6: request.enable_ipv6}
    return {name: text for name, text in defaults.items() if fields.get(name) is None}


def _is_enabled(field: bool | None, options: Mapping[str, str], option: str, default: bool) -> bool:
    """An IP version's field of the request, else its option in text, else ``default``. Raises ``InvalidArgument``."""
    text = options.get(option)
    if field is not None or text is None:
        return default if field is None else field
    try:
        return parse_boolean(text)
    except ValueError:
        raise InvalidArgument(f'driver-opt "{option}" is not a valid bool') from None


def give_subnets(
    network: NetworkRecord, taken: Iterable[Subnet], others: Iterable[NetworkRecord], defaults: Iterable[Pool], seed: bytes
) -> None:
    """Completes the subnets of a network: one for each of its IP versions, and a gateway for each.

    ``others`` are the existing networks, ``taken`` the host's routes, which only a chosen subnet must not overlap. ``defaults`` are the pools
    from which subnets are chosen; ``seed`` is for the one of IPv6, if ``defaults`` has none.
    Raises ``Forbidden`` if a requested subnet overlaps another network's, ``MobyError`` if no subnet is free.
    """
    config = network.ipam.config or []
    if network.ipam.driver == "null":
        if network.driver == "bridge" and config:
            raise InvalidArgument("null ipam driver does not handle specific address pool requests")
        if network.driver == "bridge":
            raise InvalidArgument("ipv4 pool is empty" if network.enable_ipv4 else "ipv6 pool is empty")
        return
    used = [
        ipaddress.ip_network(p.subnet, strict=False) for n in others if not n.config_only for p in n.ipam.config or [] if p.subnet
    ]
    requested = [ipaddress.ip_network(p.subnet, strict=False) for p in config if p.subnet]
    for subnet in requested:
        others_requested = [other for other in requested if other is not subnet]
        if any(subnet.version == other.version and subnet.overlaps(other) for other in (*used, *others_requested)):
            raise Forbidden("invalid pool request: Pool overlaps with other one on this address space")
    if network.driver == "bridge" and len(requested) > len({subnet.version for subnet in requested}):
        raise Forbidden("bridge driver doesn't support multiple subnets")
    versions = {subnet.version for subnet in requested}
    for version, enabled in ((4, network.enable_ipv4), (6, network.enable_ipv6)):
        if enabled and version not in versions:
            source = (
                [*defaults]
                if version == 4
                else [pool for pool in defaults if pool.base.version == 6] or [pools.unique_local_pool(seed)]
            )
            subnet = pools.choose(version, source, [*used, *requested, *taken])
            config.append(IpamPool(subnet=str(subnet), is_chosen=True))
    for pool in config:
        if not pool.gateway and not _has_no_gateway(network, pool):
            _choose_gateway(pool)
        if network.enable_ipv6 and network.driver == "bridge":
            _check_ipv6(pool)
        _check_addresses(pool)
    network.ipam.config = config


def _has_no_gateway(network: NetworkRecord, pool: IpamPool) -> bool:
    """True for a subnet in which only containers have addresses."""
    if network.driver != "bridge":
        return network.internal
    version = ipaddress.ip_network(pool.subnet, strict=False).version
    if network.internal and version == 4 and parse_boolean(network.options.get(_INHIBIT_IPV4, "false")):
        return True
    return network.options.get(f"com.docker.network.bridge.gateway_mode_ipv{version}") == "isolated"


def _check_ipv6(pool: IpamPool) -> None:
    """Raises ``InvalidArgument`` for a subnet of IPv6 whose addresses a bridge cannot have."""
    subnet = ipaddress.ip_network(pool.subnet, strict=False)
    if subnet.version != 6:
        return
    if subnet.is_multicast:
        raise InvalidArgument(f"multicast subnet '{pool.any_gateway}/{subnet.prefixlen}' is not allowed")
    if subnet.prefixlen == 0:
        raise InvalidArgument("ipv6 pool is empty")
    if subnet != _LINK_LOCAL and subnet.overlaps(_LINK_LOCAL):
        raise InvalidArgument(f"'{pool.any_gateway}/{subnet.prefixlen}' clashes with the Link-Local prefix '{_LINK_LOCAL}'")


def _choose_gateway(pool: IpamPool) -> None:
    """Gives a pool the first address of its range as the gateway. Raises ``MobyError`` if no host can have an address there."""
    subnet = ipaddress.ip_network(pool.subnet)
    wanted = ipaddress.ip_network(pool.ip_range) if pool.ip_range else subnet
    first = next(hosts(subnet, wanted), None)
    if first is None or (subnet.version == 6 and subnet.num_addresses == 1):
        raise MobyError("failed to allocate gateway (): no available addresses on this pool")
    if pool.is_chosen:
        pool.gateway = str(first)
    else:
        pool.chosen_gateway = str(first)


def _check_addresses(pool: IpamPool) -> None:
    """Raises ``MobyError`` if the gateway or an auxiliary address is used twice, or is an address that no host can have."""
    subnet = ipaddress.ip_network(pool.subnet)
    taken = set()
    if subnet.num_addresses > 2:
        taken.add(subnet.network_address)
        if subnet.version == 4:
            taken.add(subnet.broadcast_address)
    if pool.gateway and ipaddress.ip_address(pool.gateway) in taken:
        raise MobyError(f"failed to allocate gateway ({pool.gateway}): Address already in use")
    if pool.any_gateway:
        taken.add(ipaddress.ip_address(pool.any_gateway))
    for name, text in (pool.auxiliary_addresses or {}).items():
        address = ipaddress.ip_address(text)
        if address in taken:
            raise MobyError(f"failed to allocate secondary ip address ({name}:{text}): Address already in use")
        taken.add(address)


def check_pools(pools: Iterable[IpamPool]) -> None:
    """Raises ``InvalidArgument``, with all errors of the IPAM configuration."""
    faults = [fault for pool in pools for fault in _faults(pool)]
    if faults:
        raise InvalidArgument("invalid network config:\n" + one_or_list(faults))


def _faults(pool: IpamPool) -> list[str]:
    subnet, fault = _block(pool.subnet, "subnet")
    faults = [fault] if fault else []
    if subnet is None:
        return faults
    if pool.ip_range:
        wanted, fault = _block(pool.ip_range, "ip-range")
        faults += [fault] if fault else []
        if wanted is not None and (fault := _outside(wanted, subnet, pool.subnet)):
            faults.append(f"invalid ip-range {pool.ip_range}: {fault}")
    if pool.gateway and (fault := _misplaced(pool.gateway, subnet, pool.subnet)):
        faults.append(f"invalid gateway {pool.gateway}: {fault}")
    for name, text in (pool.auxiliary_addresses or {}).items():
        if fault := _misplaced(text, subnet, pool.subnet):
            faults.append(f"invalid auxiliary address {name}: {fault}")
    return faults


def _block(text: str, kind: str) -> tuple[Subnet | None, str]:
    """A subnet in text, and an error, which is empty if the text is right."""
    try:
        block = ipaddress.ip_network(text, strict=False)
    except ValueError:
        block = None
    if block is None or not re.fullmatch(_PREFIX_LENGTH, text.partition("/")[2]):
        return None, f"invalid {kind} {text}: invalid CIDR block notation"
    if isinstance(block.network_address, ipaddress.IPv6Address) and block.network_address.ipv4_mapped:
        return None, f"invalid {kind} {text}: an IPv4 block written as IPv6; write it as IPv4"
    if str(block.network_address) != str(ipaddress.ip_interface(text).ip):
        return block, f"invalid {kind} {text}: it should be {block}"
    return block, ""


def _outside(wanted: Subnet, subnet: Subnet, name: str) -> str:
    if wanted.version != subnet.version:
        return f"parent subnet is an IPv{subnet.version} block"
    if wanted.prefixlen < subnet.prefixlen:
        return f"CIDR block is bigger than its parent subnet {name}"
    return "" if wanted.network_address in subnet else f"parent subnet {name} doesn't contain ip-range"


def _misplaced(text: str, subnet: Subnet, name: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "invalid address"
    if address.version != subnet.version:
        return f"parent subnet is an IPv{subnet.version} block"
    return "" if address in subnet else f"parent subnet {name} doesn't contain this address"
