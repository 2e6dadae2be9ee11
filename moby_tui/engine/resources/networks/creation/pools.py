"""Chooses the subnet of a network whose request names none: the first of the default pools that nothing else uses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from moby_tui.errors import InvalidArgument, MobyError

if TYPE_CHECKING:
    from moby_tui.schema.system import AddressPool

Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network


class PoolsUsedUp(MobyError):
    """No subnet of the pools is free."""


class Pool(NamedTuple):
    """A range that is cut into subnets of one prefix length (``--default-address-pool base=...,size=...``)."""

    base: Subnet
    size: int


#: Docker's default pools (moby, daemon/libnetwork/ipamutils).
DEFAULT_POOLS = (
    *(Pool(ipaddress.ip_network(f"172.{second}.0.0/16"), 16) for second in range(17, 32)),
    Pool(ipaddress.ip_network("192.168.0.0/16"), 20),
)
_ULA_BITS, _SUBNET_SIZE = 48, 64


def read_pools(given: Iterable[AddressPool]) -> list[Pool]:
    """The values of ``--default-address-pool``, sorted by IP version and address, as dockerd uses them. Raises ``InvalidArgument``."""
    return sorted(
        map(_read_pool, given), key=lambda pool: (pool.base.version, int(pool.base.network_address), pool.base.prefixlen)
    )


def _read_pool(given: AddressPool) -> Pool:
    text = f"base={given.base},size={given.size}"
    try:
        base = ipaddress.ip_network(given.base)
    except ValueError as error:
        raise InvalidArgument(f"invalid address pool {text!r}; write it as base=10.10.0.0/16,size=24") from error
    if not base.prefixlen <= given.size <= base.max_prefixlen:
        raise InvalidArgument(
            f"invalid address pool {text!r}: size is a prefix length between /{base.prefixlen} and /{base.max_prefixlen}"
        )
    return Pool(base, given.size)


def unique_local_pool(seed: bytes) -> Pool:
    """A pool of unique local IPv6 addresses; its 40 random bits are the first five bytes of ``seed`` (RFC 4193)."""
    base = int.from_bytes(b"\xfd" + seed[:5], "big") << (128 - _ULA_BITS)
    return Pool(ipaddress.IPv6Network((base, _ULA_BITS)), _SUBNET_SIZE)


def choose(version: int, pools: Iterable[Pool], taken: Iterable[Subnet]) -> Subnet:
    """The first subnet of the pools that overlaps none of ``taken``, of which a default route does not count.

    Raises ``PoolsUsedUp`` with Docker's text if there is none.
    """
    used = [subnet for subnet in taken if subnet.version == version and subnet.prefixlen]
    for pool in pools:
        if pool.base.version == version:
            for subnet in pool.base.subnets(new_prefix=pool.size):
                if not any(subnet.overlaps(other) for other in used):
                    return subnet
    raise PoolsUsedUp("all predefined address pools have been fully subnetted")


def overlaps(destination: Subnet, base: Subnet) -> bool:
    """True if the destination of a route, other than a default route, is in a pool."""
    return bool(destination.prefixlen) and destination.version == base.version and destination.overlaps(base)
