"""The request that makes a container again as it was made, straight from what inspect says of it: no option of ``run`` is between."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import structs

from moby_tui.schema.container import (
    ContainerConfig,
    ContainerCreate,
    ContainerInspect,
    EndpointSettings,
    HostConfig,
    Mount,
    NetworkingConfig,
)
from moby_tui.screens.forms.request import RunRequest

#: Network modes that have no endpoints of their own.
_WITHOUT_ENDPOINTS = re.compile(r"(host|none|container:.*)", re.DOTALL)
#: Those that take the name of the host or of another container, which inspect has as their own (dockerd 28.5).
_WITHOUT_HOSTNAME = re.compile(r"(host|container:.*)", re.DOTALL)
#: What an image presets as a whole, and what is taken where a request does not say.
_PRESET = ("working_dir", "user", "healthcheck", "stop_signal", "shell", "stop_timeout")


@dataclass(frozen=True, slots=True)
class Now:
    """What is different now: the configuration of the image of which the container was made, labels that get another value, and the ids
    that took the place of others (by the old ones).
    """

    preset: ContainerConfig | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    replaced: Mapping[str, str] = field(default_factory=dict)


def request_of(old: ContainerInspect, now: Now) -> RunRequest:
    """The same name, labels, networks with their aliases and addresses, and volumes, also those without a name.

    What the image presets is left to the image, which may be another by now.
    """
    config = _config(old, now)
    fields = {name: getattr(config, name) for name in ContainerConfig.__struct_fields__}
    created = ContainerCreate(**fields, host_config=_host(old, now.replaced), networking_config=_endpoints(old))
    return RunRequest(old.name.removeprefix("/"), created)


def _config(old: ContainerInspect, now: Now) -> ContainerConfig:
    config, preset = old.config, now.preset or ContainerConfig()
    changes: dict[str, object] = {
        name: getattr(ContainerConfig(), name) for name in _PRESET if getattr(config, name) == getattr(preset, name)
    }
    if config.hostname == old.id[:12] or _WITHOUT_HOSTNAME.fullmatch(old.host_config.network_mode):
        changes["hostname"] = ""
    changes["env"] = [entry for entry in config.env or [] if entry not in (preset.env or [])] or None
    for name in ("exposed_ports", "volumes"):
        changes[name] = {
            key: value for key, value in (getattr(config, name) or {}).items() if key not in (getattr(preset, name) or {})
        }
    labels = {key: value for key, value in (config.labels or {}).items() if (preset.labels or {}).get(key) != value}
    changes["labels"] = labels | {key: value for key, value in now.labels.items() if key in labels}
    if config.entrypoint == preset.entrypoint:
        changes["entrypoint"] = None
        changes["cmd"] = None if config.cmd == preset.cmd else config.cmd
    return structs.replace(config, **changes)


def _host(old: ContainerInspect, replaced: Mapping[str, str]) -> HostConfig:
    host = old.host_config
    return structs.replace(
        host,
        binds=[*(host.binds or []), *_unnamed(old)] or None,
        mounts=[_named(one, old) for one in host.mounts or []] or None,
        container_id_file="",
        links=[_link(one) for one in host.links or []] or None,
        volumes_from=[_exchanged(one, replaced) for one in host.volumes_from or []] or None,
        **{name: _mode(getattr(host, name), replaced) for name in ("network_mode", "pid_mode", "ipc_mode")},
    )


def _unnamed(old: ContainerInspect) -> list[str]:
    """The volumes that nobody named: of the image, or of ``-v /path``."""
    host = old.host_config
    targets = {bind.split(":")[1] for bind in host.binds or [] if ":" in bind} | {mount.target for mount in host.mounts or []}
    return [
        f"{point.name}:{point.destination}{'' if point.rw else ':ro'}"
        for point in old.mounts
        if point.type == "volume" and point.name and point.destination not in targets
    ]


def _named(mount: Mount, old: ContainerInspect) -> Mount:
    """A mount of a volume without a name, with the name that the engine gave it."""
    if mount.type != "volume" or mount.source:
        return mount
    name = next((one.name for one in old.mounts if one.destination == mount.target and one.type == "volume"), "")
    return structs.replace(mount, source=name)


def _link(said: str) -> str:
    """``/db:/web/alias``, as inspect has it, to ``db:alias``."""
    target, _, alias = said.partition(":")
    return f"{target.removeprefix('/')}:{alias.rpartition('/')[2]}"


def _exchanged(said: str, replaced: Mapping[str, str]) -> str:
    """``ID`` or ``ID:ro``."""
    identifier, colon, rest = said.partition(":")
    return f"{replaced.get(identifier, identifier)}{colon}{rest}"


def _mode(said: str, replaced: Mapping[str, str]) -> str:
    kind, colon, identifier = said.partition(":")
    return f"{kind}:{replaced.get(identifier, identifier)}" if colon and kind == "container" else said


def shared_with(old: ContainerInspect) -> set[str]:
    """The ids of the containers whose namespaces or volumes a container uses: made anew, they leave it behind."""
    host = old.host_config
    modes = (mode.partition(":") for mode in (host.network_mode, host.pid_mode, host.ipc_mode))
    return {rest for kind, _, rest in modes if kind == "container"} | {one.partition(":")[0] for one in host.volumes_from or []}


def _endpoints(old: ContainerInspect) -> NetworkingConfig | None:
    joined = old.network_settings.networks
    if _WITHOUT_ENDPOINTS.fullmatch(old.host_config.network_mode) or not joined:
        return None
    return NetworkingConfig(endpoints_config={name: _endpoint(one, old.id) for name, one in joined.items()})


def _endpoint(one: EndpointSettings, identifier: str) -> EndpointSettings:
    """What was asked of a network; an address that the engine chose is chosen anew."""
    return EndpointSettings(
        ipam_config=one.ipam_config,
        links=one.links,
        aliases=[alias for alias in one.aliases or [] if alias != identifier[:12]] or None,
        driver_opts=one.driver_opts,
        gw_priority=one.gw_priority,
    )
