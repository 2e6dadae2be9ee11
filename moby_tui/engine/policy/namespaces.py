"""Checks which namespaces a request shares, and which options exclude that. The error texts are the Docker Engine's."""

from __future__ import annotations

from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import ContainerCreate

#: The modes without an argument; those that take ``container:NAME``; what Docker calls the mode.
_MODES: tuple[tuple[str, frozenset[str], bool, str], ...] = (
    ("cgroupns_mode", frozenset({"", "private", "host"}), False, "cgroup namespace"),
    ("ipc_mode", frozenset({"", "none", "private", "shareable", "host"}), True, "IPC"),
    ("pid_mode", frozenset({"", "private", "host"}), True, "PID"),
    ("uts_mode", frozenset({"", "private", "host"}), False, "UTS"),
)
_CONTAINER = "container:"


def check(asked: ContainerCreate) -> None:
    """Raises ``InvalidArgument``."""
    host = asked.host_config
    for field, plain, joinable, name in _MODES:
        mode: str = getattr(host, field)
        if mode not in plain and not (joinable and _names_container(mode)):
            raise InvalidArgument(f"invalid {name} mode: {mode}")
    if host.userns_mode not in ("", "host"):
        # few containers have one
        from moby_tui.engine.policy import user_namespaces

        user_namespaces.parse(host.userns_mode)
    if host.network_mode.startswith(_CONTAINER):
        _check_joined_network(asked)


def _names_container(mode: str) -> bool:
    return mode.startswith(_CONTAINER) and len(mode) > len(_CONTAINER)


def _check_joined_network(asked: ContainerCreate) -> None:
    """A container that joins another's network namespace can set neither addresses, ports nor names."""
    host = asked.host_config
    if not _names_container(host.network_mode):
        raise InvalidArgument("invalid network mode: invalid container format container:<name|id>")
    conflicts = (
        (asked.hostname, "hostname and the network mode"),
        (host.links, "container type network can't be used with links. This would result in undefined behavior"),
        (host.dns, "dns and the network mode"),
        (host.extra_hosts, "custom host-to-IP mapping and the network mode"),
        (asked.mac_address, "mac-address and the network mode"),
        (any(host.port_bindings or {}) or host.publish_all_ports, "port publishing and the container type network mode"),
        (asked.exposed_ports, "port exposing and the container type network mode"),
    )
    for given, text in conflicts:
        if given:
            raise InvalidArgument(f"conflicting options: {text}")
