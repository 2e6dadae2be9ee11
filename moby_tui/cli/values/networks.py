"""``--network``, short (``bridge``) and long (``name=backend,alias=db,ip=10.0.0.2``)."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import combinations

from moby_tui.cli.values import comma
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import EndpointIpamConfig, EndpointSettings
from moby_tui.schema.network import Ipam, IpamPool


def ipam(
    driver: str,
    options: dict[str, str],
    subnets: Sequence[str],
    ranges: Sequence[str],
    gateways: Sequence[str],
    auxiliary: dict[str, str],
) -> Ipam:
    """The address pools of ``network create``: ranges, gateways and auxiliary addresses go to the subnet that they lie in.

    Raises ``InvalidArgument`` for what lies in none, or in one that has it already. The texts are docker's.
    """
    if len(subnets) < len(ranges) or len(subnets) < len(gateways):
        raise InvalidArgument("every ip-range or gateway must have a corresponding subnet")
    if any(_overlap(one, other) for one, other in combinations(subnets, 2)):
        raise InvalidArgument("multiple overlapping subnet configuration is not supported")
    pools = {subnet: IpamPool(subnet=subnet) for subnet in subnets}
    for wanted in ranges:
        if _network(wanted) is None or "/" not in wanted:
            raise InvalidArgument(f"invalid CIDR address: {wanted}")
        pool = _pool_of(pools, wanted, f"no matching subnet for range {wanted}")
        if pool.ip_range:
            raise InvalidArgument(
                f"cannot configure multiple ranges ({wanted}, {pool.ip_range}) on the same subnet ({pool.subnet})"
            )
        pool.ip_range = wanted
    for gateway in gateways:
        pool = _pool_of(pools, gateway, f"no matching subnet for gateway {gateway}")
        if pool.gateway:
            raise InvalidArgument(
                f"cannot configure multiple gateways ({gateway}, {pool.gateway}) for the same subnet ({pool.subnet})"
            )
        pool.gateway = gateway
    for name, address in auxiliary.items():
        pool = _pool_of(pools, address, f"no matching subnet for aux-address {address}")
        pool.auxiliary_addresses = {**(pool.auxiliary_addresses or {}), name: address}
    return Ipam(driver=driver, options=options, config=list(pools.values()))


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _overlap(one: str, other: str) -> bool:
    first, second = _network(one), _network(other)
    # networks of two versions are never compared
    return first is not None and second is not None and first.version == second.version and first.overlaps(second)


def _pool_of(pools: dict[str, IpamPool], wanted: str, lost: str) -> IpamPool:
    try:
        first = ip_network(wanted, strict=False).network_address
        return next(pool for subnet, pool in pools.items() if first in ip_network(subnet, strict=False))
    except (ValueError, StopIteration) as error:
        raise InvalidArgument(lost) from error


#: What can be said of a network, by the keys of the long form.
KEYS = ("name", "alias", "ip", "ip6", "link-local-ip", "mac-address", "driver-opt", "gw-priority")


def _set(endpoint: EndpointSettings, key: str, value: str) -> None:
    if key in ("ip", "ip6", "link-local-ip"):
        ipam = endpoint.ipam_config = endpoint.ipam_config or EndpointIpamConfig()
        if key == "ip":
            ipam.ipv4_address = value
        elif key == "ip6":
            ipam.ipv6_address = value
        else:
            ipam.link_local_ips = [*(ipam.link_local_ips or []), value]
    elif key == "alias":
        endpoint.aliases = [*(endpoint.aliases or []), value]
    elif key == "mac-address":
        endpoint.mac_address = value
    elif key == "driver-opt":
        name, _, text = value.partition("=")
        endpoint.driver_opts = {**(endpoint.driver_opts or {}), name: text}
    elif key == "gw-priority":
        if not value.removeprefix("-").isdecimal():
            raise InvalidArgument(f"invalid gw-priority: {value!r}; a whole number is needed")
        endpoint.gw_priority = int(value)
    else:
        raise InvalidArgument(f"unknown key {key!r} in --network")


def parse_network(spec: str) -> tuple[str, EndpointSettings | None]:
    """The network's name or mode, and what is asked of it. Raises ``InvalidArgument``."""
    if not spec:
        raise InvalidArgument("no name set for network: give --network a name")
    if "=" not in spec:
        return spec, None
    endpoint, name = EndpointSettings(), ""
    for key, _, value in comma.fields("--network", spec):
        if key == "name":
            name = value
        else:
            _set(endpoint, key, value)
    if not name:
        raise InvalidArgument(f"invalid --network {spec!r}: name= is missing")
    return name, endpoint


def networks(specs: Sequence[str], **shared: Sequence[str]) -> tuple[str, dict[str, EndpointSettings | None]]:
    """All ``--network``: the network mode, and the endpoints. ``shared`` (``alias=…``, ``ip=…``) belong to the first one.

    Raises ``InvalidArgument`` if a network comes twice.
    """
    endpoints: dict[str, EndpointSettings | None] = {}
    for spec in specs:
        name, endpoint = parse_network(spec)
        if name in endpoints:
            raise InvalidArgument(f"network {name!r} is given twice")
        endpoints[name] = endpoint
    mode = next(iter(endpoints), "")
    for key, values in shared.items():
        for value in values:
            mode = mode or "default"
            first = endpoints[mode] = endpoints.get(mode) or EndpointSettings()
            _set(first, key.replace("_", "-"), value)
    return mode, {name: endpoint for name, endpoint in endpoints.items() if endpoint is not None or len(endpoints) > 1}


def link(mode: str, endpoints: dict[str, EndpointSettings | None], links: Sequence[str]) -> None:
    """Adds the values of ``--link`` to the endpoint in the container's first network, if that is a network of users.

    On the default bridge links belong to the container, not to an endpoint.
    """
    if mode not in ("", "default", "bridge", "host", "none") and not mode.startswith("container:"):
        first = endpoints[mode] = endpoints.get(mode) or EndpointSettings()
        first.links = [*links]
