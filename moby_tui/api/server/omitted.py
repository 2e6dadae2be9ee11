"""What Docker's server leaves out of an answer where it is empty: clients written against it tell absent from empty.

Each function changes the built-in form of an object in place. The names are those of moby's ``api/types`` that are marked so.
"""

from __future__ import annotations

from typing import Any

from moby_tui.api.server.versions import ApiVersion

Json = dict[str, Any]

_CONFIG = ("ArgsEscaped", "ExposedPorts", "Healthcheck", "MacAddress", "NetworkDisabled", "Shell", "StopSignal", "StopTimeout")
_HEALTHCHECK = ("Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
_HOST = ("Annotations", "Init", "Mounts", "Runtime", "Secrets", "StorageOpt", "Sysctls", "Tmpfs", "Umask")
_MOUNT = ("BindOptions", "Consistency", "IDMap", "ImageOptions", "ReadOnly", "Source", "TmpfsOptions", "VolumeOptions")
_MOUNT_OPTIONS = {
    "BindOptions": ("Propagation", "NonRecursive", "CreateMountpoint", "ReadOnlyNonRecursive", "ReadOnlyForceRecursive"),
    "ImageOptions": ("Subpath",),
    "TmpfsOptions": ("SizeBytes", "Mode", "Options"),
    "VolumeOptions": ("NoCopy", "Labels", "Subpath", "DriverConfig"),
}
_MOUNT_POINT = ("Type", "Name", "Driver")
_STATS = {
    "pids_stats": ("current", "limit"),
    "memory_stats": ("usage", "max_usage", "stats", "failcnt", "limit"),
    "cpu_stats": ("system_cpu_usage", "online_cpus"),
    "precpu_stats": ("system_cpu_usage", "online_cpus"),
}


def _drop(value: Json, names: tuple[str, ...]) -> None:
    for name in names:
        if name in value and not value[name]:
            del value[name]


def of_healthcheck(config: Json) -> None:
    _drop(config.get("Healthcheck") or {}, _HEALTHCHECK)


def of_inspect(container: Json, version: ApiVersion) -> None:
    config, host = container["Config"], container["HostConfig"]
    _drop(config, _CONFIG)
    of_healthcheck(config)
    _drop(host, _HOST)
    host["LogConfig"]["Config"] = host["LogConfig"]["Config"] or {}
    for mount in host.get("Mounts", ()):
        for name, inner in _MOUNT_OPTIONS.items():
            _drop(mount[name] or {}, inner)
        _drop(mount, _MOUNT)
    _of_both(container, version)


def of_summary(container: Json, version: ApiVersion) -> None:
    _drop(container, ("SizeRw", "SizeRootFs"))
    container["Ports"] = [{key: item for key, item in port.items() if item is not None} for port in container["Ports"]]
    if version < (1, 52):
        container.pop("Health", None)
    if version < (1, 46):
        container["HostConfig"].pop("Annotations", None)
    _of_both(container, version)


def _of_both(container: Json, version: ApiVersion) -> None:
    for mount in container["Mounts"]:
        _drop(mount, _MOUNT_POINT)


def of_exec(execution: Json) -> None:
    _drop(execution["ProcessConfig"], ("user",))


def of_stats(sample: Json) -> None:
    for name, inner in _STATS.items():
        _drop(sample[name], inner)
    for name in ("cpu_stats", "precpu_stats"):
        _drop(sample[name]["cpu_usage"], ("percpu_usage",))
    _drop(sample, ("networks",))
