"""Networks between the Engine API (``schema/network.py``) and what is kept on disk (``store/records/networks.py``)."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import to_builtins

from moby_tui.engine.store.records import converted
from moby_tui.engine.store.records.networks import NOTE, NetworkRecord
from moby_tui.engine.store.records.networks import IpamPool as KeptPool
from moby_tui.schema.container import EndpointSettings
from moby_tui.schema.network import IpamPool, Network, NetworkContainer


def pools_to_keep(pools: Iterable[IpamPool]) -> list[KeptPool]:
    """The subnets of a request. Raises ``InvalidArgument`` for a value of another type than its field has."""
    return [converted(pool, KeptPool, "network configuration") for pool in pools]


def checked(record: NetworkRecord) -> NetworkRecord:
    """The record of a request. Raises ``InvalidArgument`` for a value of another type than its field has."""
    return converted(to_builtins(record), NetworkRecord, "network configuration")


def options_to_keep(options: dict[str, str]) -> dict[str, str]:
    """The options of a request, without those that would read as a driver's notes."""
    return {key: value for key, value in options.items() if not key.startswith(NOTE)}


def network_to_show(record: NetworkRecord) -> Network:
    """The network without its containers, and without what the engine and the drivers have noted for themselves."""
    network = converted(record, Network, "network")
    network.options = options_to_keep(record.options)
    # dockerd shows a network of a user without subnets with an empty list, and the networks host and none with null
    network.ipam.config = network.ipam.config or (None if record.driver in ("host", "null") else [])
    return network


def member_to_show(name: str, endpoint: EndpointSettings) -> NetworkContainer:
    """A container in a network, by its name and its place there."""
    six = endpoint.global_ipv6_address
    return NetworkContainer(
        name=name,
        endpoint_id=endpoint.endpoint_id,
        mac_address=endpoint.mac_address,
        ipv4_address=f"{endpoint.ip_address}/{endpoint.ip_prefix_len}" if endpoint.ip_address else "",
        ipv6_address=f"{six}/{endpoint.global_ipv6_prefix_len}" if six else "",
    )
