"""Networks that are only a configuration (``--config-only``), and networks that have the configuration of one (``--config-from``).

A configuration has subnets, options and labels; no interface and no container belongs to it. It is copied into each network that is made from
it, and stays until the last of them is removed. The texts of errors are the Docker Engine's.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

from moby_tui.engine.store.records.networks import NetworkRecord
from moby_tui.errors import Forbidden, NotFound
from moby_tui.schema.network import Ipam, NetworkCreate


def check(request: NetworkCreate) -> None:
    """Raises ``Forbidden`` if a request has what a configuration, or a network made from one, cannot have of its own."""
    if request.config_only and (request.scope or request.ingress or request.internal or request.attachable):
        raise Forbidden(
            "configuration network can only contain network specific fields. Network operator fields like "
            "[ ingress | internal | attachable | scope ] are not supported."
        )
    if request.config_from is None or not request.config_from.network:
        return
    if request.config_only:
        raise Forbidden("a configuration network cannot depend on another configuration network")
    ipam = request.ipam or Ipam()
    has_addresses = ipam.driver not in ("", "default") or ipam.options or ipam.config
    if has_addresses or request.labels or request.enable_ipv4 is False or request.enable_ipv6:
        raise Forbidden("user specified configurations are not supported if the network depends on a configuration network")
    if request.options:
        raise Forbidden("network driver options are not supported if the network depends on a configuration network")


def apply(network: NetworkRecord, others: Iterable[NetworkRecord]) -> None:
    """Copies into ``network`` the configuration that it names, which is one of ``others``. Raises ``NotFound``."""
    configuration = _find(network.config_from.network, others)
    network.enable_ipv4, network.enable_ipv6 = configuration.enable_ipv4, configuration.enable_ipv6
    network.ipam = deepcopy(configuration.ipam)
    network.options, network.labels = dict(configuration.options), dict(configuration.labels)


def check_there(network: NetworkRecord, others: Iterable[NetworkRecord]) -> None:
    """Raises ``NotFound`` if ``network`` was made from a configuration that is not one of ``others``, since a process has removed it."""
    if network.config_from.network:
        _find(network.config_from.network, others)


def check_unused(configuration: NetworkRecord, others: Iterable[NetworkRecord]) -> None:
    """Raises ``Forbidden`` if one of the networks ``others`` was made from this configuration."""
    if any(other.config_from.network == configuration.name for other in others):
        raise Forbidden(f'error while removing network: configuration network "{configuration.name}" is in use')


def _find(name: str, networks: Iterable[NetworkRecord]) -> NetworkRecord:
    configuration = next((network for network in networks if network.config_only and network.name == name), None)
    if configuration is None:
        raise NotFound(f'configuration network "{name}" does not exist')
    return configuration
