"""Reading an OCI configuration, which may have been written by another: what is not of its kind is a ``ValueError``."""

from __future__ import annotations

from moby_tui.engine.runtime.plan.mount_options import MountOptions

Spec = dict[str, object]


def mount_options(mount: Spec) -> MountOptions:
    return MountOptions([str(option) for option in entries(mount, "options")])


def namespaces(spec: Spec) -> list[Spec]:
    return entries(section(spec, "linux"), "namespaces")


def section(parent: Spec, key: str) -> Spec:
    value = parent.get(key) or {}
    if not isinstance(value, dict):
        raise ValueError(f"configuration: {key} is not an object")
    return value


def entries(parent: Spec, key: str) -> list:  # type: ignore[type-arg]
    value = parent.get(key) or []
    if not isinstance(value, list):
        raise ValueError(f"configuration: {key} is not a list")
    return value
