"""Containers between the Engine API (``schema/container.py``) and what is kept on disk (``store/records/containers.py``).

Each function makes a new value and shares nothing with the one that it is given. The structs of both sides are matched by the names of
their attributes; ``tests/store/test_wire.py`` holds them against each other, so that none of the API's is lost unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from moby_tui.engine.store.records import containers as kept
from moby_tui.engine.store.records import converted
from moby_tui.schema import container as api

if TYPE_CHECKING:
    from moby_tui.schema.exec import ExecCreate
    from moby_tui.schema.traffic import Shape

T = TypeVar("T")
Bindings = Mapping[str, list[api.PortBinding] | None]
KeptBindings = Mapping[str, list[kept.PortBinding] | None]


def _as(value: object, kind: type[T]) -> T:
    return converted(value, kind, "container configuration")


# ---- to what is kept


def config_to_keep(config: api.ContainerConfig) -> kept.ContainerConfig:
    action = config.healthcheck_on_failure_action
    return _as(replace(config, healthcheck_on_failure_action=action or ""), kept.ContainerConfig)


def host_to_keep(host: api.HostConfig) -> kept.HostConfig:
    return _as(host, kept.HostConfig)


def resources_to_keep(resources: api.Resources) -> kept.Resources:
    return _as(resources, kept.Resources)


def restart_policy_to_keep(policy: api.RestartPolicy) -> kept.RestartPolicy:
    return _as(policy, kept.RestartPolicy)


def networking_to_keep(networking: api.NetworkingConfig | None) -> kept.NetworkingConfig | None:
    return None if networking is None else _as(networking, kept.NetworkingConfig)


def endpoint_to_keep(endpoint: api.EndpointSettings) -> kept.EndpointSettings:
    return _as(endpoint, kept.EndpointSettings)


def ports_to_keep(ports: Bindings) -> dict[str, list[kept.PortBinding] | None]:
    return _as(ports, dict[str, list[kept.PortBinding] | None])


def shape_to_keep(shape: Shape) -> kept.Shape:
    return _as(shape, kept.Shape)


def exec_to_keep(config: ExecCreate) -> kept.ExecConfig:
    return converted(config, kept.ExecConfig, "exec configuration")


# ---- to what is shown


def config_to_show(config: kept.ContainerConfig) -> api.ContainerConfig:
    return replace(_as(config, api.ContainerConfig), healthcheck_on_failure_action=config.healthcheck_on_failure_action or UNSET)


def host_to_show(host: kept.HostConfig) -> api.HostConfig:
    return _as(host, api.HostConfig)


def endpoint_to_show(endpoint: kept.EndpointSettings) -> api.EndpointSettings:
    return _as(endpoint, api.EndpointSettings)


def ports_to_show(ports: KeptBindings) -> dict[str, list[api.PortBinding] | None]:
    return _as(ports, dict[str, list[api.PortBinding] | None])


def mount_to_show(mount: kept.MountPoint) -> api.MountPoint:
    """Without the words of ``views/view.py``: as it is kept."""
    return replace(_as(mount, api.MountPoint), subpath=mount.subpath or UNSET)


def shape_to_show(shape: kept.Shape) -> Shape:
    from moby_tui.schema.traffic import Shape

    return _as(shape, Shape)
