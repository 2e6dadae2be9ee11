"""Brings the networks of a request into one form: an endpoint for each network, by the network's name, with its hardware address."""

from __future__ import annotations

import msgspec

from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import ContainerCreate, EndpointSettings, NetworkingConfig

_DEFAULT = "bridge"
_WITHOUT_OWN = ("host", "container", "none")


def settle(asked: ContainerCreate) -> NetworkingConfig | None:
    """The endpoints of a request; None without one.

    The network ``default`` is ``bridge``. As with dockerd, the network of the network mode is not among them unless the request has an
    endpoint there, or a hardware address of the whole container, which is that of this endpoint. Raises ``InvalidArgument``.
    """
    given = (asked.networking_config and asked.networking_config.endpoints_config) or {}
    endpoints = {_name(name): endpoint for name, endpoint in given.items()}
    mode = _name(asked.host_config.network_mode)
    first = endpoints.get(mode)
    alone = mode.partition(":")[0] in _WITHOUT_OWN
    if alone and (asked.mac_address or (first and first.mac_address)):
        raise InvalidArgument("conflicting options: mac-address and the network mode")
    if others := [name for name in endpoints if alone and name != mode]:
        raise InvalidArgument(
            f"conflicting options: network {others[0]} and network mode {mode}: a container that shares a network namespace, or has none, "
            "joins no other network"
        )
    if asked.mac_address:
        endpoints[mode] = _with_address(first or EndpointSettings(), asked.mac_address)
    return NetworkingConfig(endpoints_config=endpoints) if endpoints else None


def _name(mode: str) -> str:
    return _DEFAULT if mode in ("", "default") else mode


def _with_address(endpoint: EndpointSettings, address: str) -> EndpointSettings:
    if endpoint.mac_address not in ("", address):
        raise InvalidArgument(
            "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty"
        )
    return msgspec.structs.replace(endpoint, mac_address=address)
