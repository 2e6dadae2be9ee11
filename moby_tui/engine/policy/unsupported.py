"""The options of Docker that this engine does not have yet. Each is refused by its name, so that none is silently without effect.

A client sends every field; one with its zero value was not asked for.
"""

from __future__ import annotations

from moby_tui.errors import NotImplementedYet
from moby_tui.schema.container import ContainerCreate, EndpointSettings, HostConfig

#: For each field of the configuration that has no effect here, the option that sets it.
_HOST = {
    "cgroup": "--cgroup",
    "links": "--link",
}
_ENDPOINT = {
    "driver_opts": "--network driver-opt",
    "gw_priority": "--network gw-priority",
    "links": "--link",
}
_NETWORKS = frozenset({"", "default", "bridge", "host", "none"})


def refuse(asked: ContainerCreate) -> None:
    """Raises ``NotImplementedYet`` for the first option that was asked for and is not here."""
    host = asked.host_config
    _refuse_fields(host, _HOST)
    _refuse_networks(asked)


def _refuse_fields(holder: HostConfig | EndpointSettings, options: dict[str, str]) -> None:
    for name, option in options.items():
        if getattr(holder, name):
            raise _not_yet(option)


def _refuse_networks(asked: ContainerCreate) -> None:
    endpoints = (asked.networking_config and asked.networking_config.endpoints_config) or {}
    for name in (asked.host_config.network_mode, *endpoints):
        if name not in _NETWORKS and not name.startswith("container:"):
            raise _not_yet(f"--network {name}")
    for endpoint in endpoints.values():
        if endpoint is not None:
            _refuse_fields(endpoint, _ENDPOINT)
            if endpoint.ipam_config is not None and endpoint.ipam_config.link_local_ips:
                raise _not_yet("--link-local-ip")


def _not_yet(option: str) -> NotImplementedYet:
    return NotImplementedYet(f"option {option}")
