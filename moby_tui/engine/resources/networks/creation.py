"""What ``network create`` asks for, checked and completed into the network that is kept. The texts are the Docker Engine's."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from moby_tui.engine.resources.networks import pools
from moby_tui.engine.resources.networks.drivers.driver import Subnet
from moby_tui.engine.resources.networks.pools import Pool
from moby_tui.engine.store.networks import PREDEFINED
from moby_tui.errors import Forbidden, InvalidArgument, NotImplementedYet
from moby_tui.schema.network import Ipam, IpamPool, Network, NetworkCreate

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_ENABLE_IPV6 = "com.docker.network.enable_ipv6"


def new_network(asked: NetworkCreate) -> Network:
    """A network with an id and without subnets. Raises ``InvalidArgument``, ``Forbidden``, ``NotImplementedYet``."""
    name = asked.name.strip()
    if not name:
        raise InvalidArgument("network name is required")
    if name in (*PREDEFINED, "default"):
        raise Forbidden(f"operation is not permitted on predefined {name} network")
    if name.startswith("container:"):
        raise InvalidArgument(f"invalid network name {name}: it names a container's network")
    if asked.config_only or asked.config_from is not None or asked.ingress or asked.scope == "swarm":
        raise NotImplementedYet("a network of a cluster (--config-only, --config-from, --ingress, --scope swarm)")
    ipam = asked.ipam or Ipam()
    if ipam.driver not in ("", "default", "null"):
        raise InvalidArgument(f"could not find plugin {ipam.driver} in v1 plugin registry: plugin not found")
    return Network(
        name=name,
        id=os.urandom(32).hex(),
        created=datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        driver=asked.driver or "bridge",
        enable_ipv4=asked.enable_ipv4 is not False,
        enable_ipv6=bool(asked.enable_ipv6),
        ipam=Ipam(driver=ipam.driver or "default", options=ipam.options, config=[*map(_checked, ipam.config or [])]),
        internal=asked.internal,
        attachable=asked.attachable,
        options=asked.options or {},
        labels=asked.labels or {},
    )


def give_subnets(
    network: Network, taken: Iterable[Subnet], others: Iterable[Network], defaults: Iterable[Pool], seed: bytes
) -> None:
    """Completes the pools: a subnet for each IP version that has none, a gateway for each subnet.

    ``taken`` are the host's routes, which only a subnet that we choose avoids; ``others`` the networks that there are.
    Raises ``Forbidden`` where a subnet overlaps another network's, ``MobyError`` where no subnet is free.
    """
    if network.ipam.driver == "null":
        return
    config = network.ipam.config or []
    used = [ipaddress.ip_network(p.subnet, strict=False) for n in others for p in n.ipam.config or [] if p.subnet]
    asked = [ipaddress.ip_network(p.subnet, strict=False) for p in config if p.subnet]
    for subnet in asked:
        if any(subnet.version == other.version and subnet.overlaps(other) for other in used):
            raise Forbidden("invalid pool request: Pool overlaps with other one on this address space")
    versions = {subnet.version for subnet in asked}
    for version, enabled in ((4, network.enable_ipv4), (6, network.enable_ipv6)):
        if enabled and version not in versions:
            source = (
                [*defaults]
                if version == 4
                else [pool for pool in defaults if pool.base.version == 6] or [pools.unique_local_pool(seed)]
            )
            subnet = pools.choose(version, source, [*used, *asked, *taken])
            config.append(IpamPool(subnet=str(subnet)))
    for pool in config:
        if not pool.gateway and not _has_no_gateway(network):
            pool.gateway = str(_first_host(pool))
    network.ipam.config = config


def _has_no_gateway(network: Network) -> bool:
    return network.options.get("com.docker.network.bridge.gateway_mode_ipv4") == "isolated"


def _first_host(pool: IpamPool) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The first address that is not auxiliary."""
    subnet = ipaddress.ip_network(pool.ip_range or pool.subnet, strict=False)
    kept = set((pool.auxiliary_addresses or {}).values())
    whole = ipaddress.ip_network(pool.subnet, strict=False)
    first = subnet.network_address
    while str(first) in kept or (first == whole.network_address and whole.num_addresses > 2):
        first += 1
    return first


def _checked(pool: IpamPool) -> IpamPool:
    """One line of the IPAM configuration. Raises ``InvalidArgument``."""
    try:
        subnet = ipaddress.ip_network(pool.subnet)
    except ValueError as error:
        raise InvalidArgument(f"invalid network config:\ninvalid subnet {pool.subnet}: {_why(pool.subnet, error)}") from error
    if pool.ip_range:
        try:
            wanted = ipaddress.ip_network(pool.ip_range, strict=False)
        except ValueError as error:
            raise InvalidArgument(f"invalid network config:\ninvalid ip-range {pool.ip_range}: {error}") from error
        if wanted.version != subnet.version or not wanted.subnet_of(subnet):  # type: ignore[arg-type]
            raise InvalidArgument(
                f"invalid network config:\ninvalid ip-range {pool.ip_range}: parent subnet {pool.subnet} doesn't contain ip-range"
            )
    for kind, text in (("gateway", pool.gateway), *(("auxiliary address", a) for a in (pool.auxiliary_addresses or {}).values())):
        if text:
            _check_address(kind, text, subnet)
    return pool


def _check_address(kind: str, text: str, subnet: Subnet) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise InvalidArgument(f"invalid network config:\ninvalid {kind} {text}: invalid address") from error
    if address not in subnet:
        raise InvalidArgument(
            f"invalid network config:\ninvalid {kind} {text}: parent subnet {subnet} doesn't contain this address"
        )


def _why(text: str, error: ValueError) -> str:
    if "host bits set" in str(error):
        return f"it should be {ipaddress.ip_network(text, strict=False)}"
    return "invalid CIDR block notation"
