"""The options of Docker that this engine does not have yet. Each is refused by its name, so that none is silently without effect.

A client sends every field; a field with its zero value was not set by the user.
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
    "links": "--link",
}


def refuse(asked: ContainerCreate) -> None:
    """Raises ``NotImplementedYet`` for the first option that the request sets and this engine lacks."""
    host = asked.host_config
    _refuse_fields(host, _HOST)
    _refuse_networks(asked)


def _refuse_fields(holder: HostConfig | EndpointSettings, options: dict[str, str]) -> None:
    for name, option in options.items():
        if getattr(holder, name):
            raise _not_yet(option)


def _refuse_networks(asked: ContainerCreate) -> None:
    endpoints = (asked.networking_config and asked.networking_config.endpoints_config) or {}
    for endpoint in endpoints.values():
        if endpoint is not None:
            _refuse_fields(endpoint, _ENDPOINT)


def _not_yet(option: str) -> NotImplementedYet:
    return NotImplementedYet(f"option {option}")
