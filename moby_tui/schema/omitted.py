"""What Docker leaves out of an object's JSON where it is empty: clients written against it tell absent from empty.

The names are those of the fields that moby's ``api/types`` marks so (``omitempty``). The API's server, ``moby inspect`` and templates
share them. Functions change the built-in form of an object in place, unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from moby_tui.schema.base import to_builtins

Json = dict[str, Any]


class Fields(NamedTuple):
    """``empty`` are left out if they are empty, 0 or false; ``absent`` are pointers in Go, left out if they are null."""

    empty: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


#: By the names of our types.
FIELDS = {
    "ContainerConfig": Fields(
        ("ArgsEscaped", "ExposedPorts", "MacAddress", "NetworkDisabled", "Shell", "StopSignal"), ("Healthcheck", "StopTimeout")
    ),
    "HealthConfig": Fields(("Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")),
    "HostConfig": Fields(
        ("Annotations", "KernelMemoryTCP", "Mounts", "Runtime", "Secrets", "StorageOpt", "Sysctls", "Tmpfs", "Umask"), ("Init",)
    ),
    "Mount": Fields(
        ("Consistency", "IDMap", "ReadOnly", "Source"), ("BindOptions", "ImageOptions", "TmpfsOptions", "VolumeOptions")
    ),
    "BindOptions": Fields(("Propagation", "NonRecursive", "CreateMountpoint", "ReadOnlyNonRecursive", "ReadOnlyForceRecursive")),
    "ImageMountOptions": Fields(("Subpath",)),
    "TmpfsOptions": Fields(("SizeBytes", "Mode", "Options")),
    "VolumeOptions": Fields(("NoCopy", "Labels", "Subpath"), ("DriverConfig",)),
    "VolumeDriverConfig": Fields(("Name", "Options")),
    "MountPoint": Fields(("Type", "Name", "Driver")),
    "ContainerInspect": Fields((), ("SizeRw", "SizeRootFs")),
    "ContainerSummary": Fields(("SizeRw", "SizeRootFs")),
    "ExecProcess": Fields(("user",)),
    "ImageInspect": Fields(("Variant",)),
    "IpamPool": Fields(("Subnet", "IPRange", "Gateway", "AuxiliaryAddresses")),
    "Version": Fields(("Experimental",)),
}
_OPTIONS = {
    "BindOptions": "BindOptions",
    "ImageOptions": "ImageMountOptions",
    "TmpfsOptions": "TmpfsOptions",
    "VolumeOptions": "VolumeOptions",
}
_STATS = {
    "pids_stats": ("current", "limit"),
    "memory_stats": ("usage", "max_usage", "stats", "failcnt", "limit"),
    "cpu_stats": ("system_cpu_usage", "online_cpus"),
    "precpu_stats": ("system_cpu_usage", "online_cpus"),
}
#: Parts of a container's configuration that mean nothing in an image.
NOT_OF_IMAGES = frozenset(
    {
        "Hostname",
        "Domainname",
        "AttachStdin",
        "AttachStdout",
        "AttachStderr",
        "Tty",
        "OpenStdin",
        "StdinOnce",
        "Image",
        "NetworkDisabled",
        "MacAddress",
        "StopTimeout",
    }
)


def is_left_out(kind: str, name: str, value: object) -> bool:
    """Whether the JSON of an object of this type leaves a field out that has this value."""
    fields = FIELDS.get(kind, Fields())
    return (not value and name in fields.empty) or (value is None and name in fields.absent)


def drop(value: Json, kind: str) -> None:
    """Leaves out the fields of one object, whose type has the name ``kind``."""
    fields = FIELDS[kind]
    for name in fields.empty:
        if name in value and not value[name]:
            del value[name]
    for name in fields.absent:
        if name in value and value[name] is None:
            del value[name]


def of_config(config: Json) -> None:
    """Of a container's or an image's configuration."""
    drop(config, "ContainerConfig")
    if health := config.get("Healthcheck"):
        drop(health, "HealthConfig")


def of_inspect(container: Json) -> None:
    host = container["HostConfig"]
    of_config(container["Config"])
    drop(host, "HostConfig")
    host["LogConfig"]["Config"] = host["LogConfig"]["Config"] or {}
    for mount in host.get("Mounts", ()):
        drop(mount, "Mount")
        for name, kind in _OPTIONS.items():
            if options := mount.get(name):
                drop(options, kind)
                if driver := options.get("DriverConfig"):
                    drop(driver, "VolumeDriverConfig")
    of_mount_points(container)
    drop(container, "ContainerInspect")


def of_mount_points(container: Json) -> None:
    """Of the mounts of a container as it is listed or inspected."""
    for mount in container["Mounts"]:
        drop(mount, "MountPoint")


def of_stats(sample: Json) -> None:
    for name, inner in _STATS.items():
        _drop_empty(sample[name], inner)
    for name in ("cpu_stats", "precpu_stats"):
        _drop_empty(sample[name]["cpu_usage"], ("percpu_usage",))
    _drop_empty(sample, ("networks",))


def _drop_empty(value: Json, names: tuple[str, ...]) -> None:
    for name in names:
        if name in value and not value[name]:
            del value[name]


def container(value: object) -> Json:
    """Returns the JSON of an inspected container, as the newest version of the API has it."""
    result: Json = to_builtins(value)
    # since 1.52 an endpoint alone has one
    del result["Config"]["MacAddress"]
    of_inspect(result)
    return result


def image(value: object) -> Json:
    """Returns the JSON of an inspected image, as the newest version of the API has it."""
    result: Json = to_builtins(value)
    of_config(result["Config"])
    result["Config"] = {name: item for name, item in result["Config"].items() if item and name not in NOT_OF_IMAGES}
    drop(result, "ImageInspect")
    del result["Container"], result["DockerVersion"]
    return result


_SHOWN: dict[str, Callable[[object], Any]] = {"ContainerInspect": container, "ImageInspect": image}


def shown(value: object) -> Any:
    """Returns the JSON of an object, or of a list of objects, as the newest version of the API has it."""
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    return _SHOWN.get(type(value).__name__, to_builtins)(value)
