"""The OCI runtime configuration of a container: the whole contract between the engine and whatever runs it.

Specification: opencontainers/runtime-spec 1.2, config.md and config-linux.md.
"""

from __future__ import annotations

import os
import stat
from typing import Any

import msgspec

from moby_tui.engine.policy.security import SecurityProfile
from moby_tui.engine.runtime.user import User
from moby_tui.engine.store.containers import ContainerRecord
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import DeviceMapping, ExecCreate, HostConfig, MountPoint

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEFAULT_SHM_BYTES = 64 * 1024 * 1024
_CPU_PERIOD_US = 100_000
Json = dict[str, Any]
#: What a container may always open: mknod of anything, and the default devices, terminals and ptmx.
_DEVICE_RULES: list[Json] = [
    {"allow": False, "access": "rwm"},
    {"allow": True, "type": "c", "access": "m"},
    {"allow": True, "type": "b", "access": "m"},
    *(
        {"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"}
        for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2))
    ),
    {"allow": True, "type": "c", "major": 136, "access": "rwm"},
]


class Identity(msgspec.Struct, frozen=True):
    """What only the start knows: the user as the root file system has it, and the security that policy decided on."""

    user: User
    security: SecurityProfile


def build(record: ContainerRecord, identity: Identity, paths: ContainerPaths, *, cgroup: str, has_network: bool) -> Json:
    """The configuration. Raises ``InvalidArgument`` on a device that is not there."""
    config, host = record.config, record.host_config
    devices = _devices(host)
    return {
        "ociVersion": "1.2.0",
        "process": _process(record, identity),
        "root": {"path": str(paths.run / "rootfs"), "readonly": host.readonly_rootfs},
        "hostname": "" if host.uts_mode == "host" else config.hostname,
        "domainname": config.domainname,
        "mounts": _mounts(record, paths, identity.security),
        "linux": {
            "namespaces": _namespaces(host, has_network),
            "cgroupsPath": cgroup,
            "resources": resources(host, devices),
            "devices": devices,
            "sysctl": _sysctls(host, has_network),
            "maskedPaths": identity.security.masked_paths,
            "readonlyPaths": identity.security.readonly_paths,
            "seccomp": identity.security.seccomp,
        },
        "annotations": host.annotations or {},
    }


def exec_process(record: ContainerRecord, identity: Identity, config: ExecCreate) -> Json:
    """The OCI process object of an exec: the container's own environment and security, with what the exec asks for."""
    process = _process(record, identity)
    process["args"] = config.cmd or []
    process["terminal"] = config.tty
    process["cwd"] = config.working_dir or process["cwd"]
    process["env"] = _merge_environment(process["env"], ["TERM=xterm"] if config.tty else [], config.env or [])
    return process


def _process(record: ContainerRecord, identity: Identity) -> Json:
    config, host, user, security = record.config, record.host_config, identity.user, identity.security
    environment = [f"PATH={DEFAULT_PATH}", f"HOSTNAME={config.hostname}", *(["TERM=xterm"] if config.tty else [])]
    environment = _merge_environment(environment, config.env or [])
    if not any(entry.startswith("HOME=") for entry in environment):
        environment.append(f"HOME={user.home}")
    capabilities = list(security.capabilities)
    held = capabilities if user.uid == 0 else []
    process: Json = {
        "terminal": config.tty,
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": user.groups, "umask": 0o022},
        "args": [record.path, *record.args],
        "env": environment,
        "cwd": config.working_dir or "/",
        "capabilities": {"bounding": capabilities, "effective": held, "permitted": held},
        "noNewPrivileges": security.no_new_privileges,
        "apparmorProfile": security.apparmor_profile,
        "rlimits": [
            {"type": f"RLIMIT_{limit.name.upper()}", "soft": limit.soft, "hard": limit.hard} for limit in host.ulimits or []
        ],
    }
    if host.oom_score_adj:
        process["oomScoreAdj"] = host.oom_score_adj
    return process


def _merge_environment(*parts: list[str]) -> list[str]:
    """Later entries win; one without ``=`` removes the name, as docker's does."""
    merged: dict[str, str] = {}
    for entry in (entry for part in parts for entry in part):
        name, equals, value = entry.partition("=")
        if equals:
            merged[name] = value
        else:
            merged.pop(name, None)
    return [f"{name}={value}" for name, value in merged.items()]


def _namespaces(host: HostConfig, has_network: bool) -> list[Json]:
    kinds = ["mount"]
    kinds += [] if host.pid_mode == "host" else ["pid"]
    kinds += [] if host.uts_mode == "host" else ["uts"]
    kinds += [] if host.ipc_mode == "host" else ["ipc"]
    kinds += [] if host.cgroupns_mode == "host" else ["cgroup"]
    namespaces: list[Json] = [{"type": kind} for kind in kinds]
    if has_network:
        # the path stands for the descriptor that travels beside the order
        namespaces.append({"type": "network", "path": "/proc/self/fd/network"})
    return namespaces


def _mounts(record: ContainerRecord, paths: ContainerPaths, security: SecurityProfile) -> list[Json]:
    host = record.host_config
    read_only = "rw" if host.privileged else "ro"
    cgroups = "rw" if security.writable_cgroups else "ro"
    strict = ["nosuid", "noexec", "nodev"]
    mounts: list[Json] = [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": strict},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*strict, read_only]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": [*strict, cgroups]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": strict},
    ]
    if host.ipc_mode == "host":
        mounts.append({"destination": "/dev/shm", "type": "bind", "source": "/dev/shm", "options": ["rbind", *strict]})
    else:
        size = host.shm_size or _DEFAULT_SHM_BYTES
        options = [*strict, "mode=1777", f"size={size}"]
        mounts.append({"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": options})
    taken = {mount.destination for mount in record.mounts}
    for destination, source in (
        ("/etc/resolv.conf", paths.resolv_conf),
        ("/etc/hostname", paths.hostname),
        ("/etc/hosts", paths.hosts),
    ):
        if destination not in taken:
            mounts.append({"destination": destination, "type": "bind", "source": str(source), "options": ["rbind", "rprivate"]})
    mounts = [mount for mount in mounts if mount["destination"] not in taken]
    # an outer folder before what lies in it
    ordered = sorted(record.mounts, key=lambda mount: mount.destination.rstrip("/").count("/"))
    return mounts + [_asked_mount(mount) for mount in ordered]


def _asked_mount(mount: MountPoint) -> Json:
    if mount.type == "tmpfs":
        options = ["nosuid", "nodev", "noexec", *(option for option in mount.mode.split(",") if option)]
        return {"destination": mount.destination, "type": "tmpfs", "source": "tmpfs", "options": options}
    options = ["rbind", mount.propagation or "rprivate", "rw" if mount.rw else "ro"]
    return {"destination": mount.destination, "type": "bind", "source": mount.source, "options": options}


def resources(host: HostConfig, devices: list[Json]) -> Json:
    """``linux.resources``: what is limited, and nothing of what is not."""
    memory: Json = {}
    if host.memory:
        memory["limit"] = host.memory
        # as docker: as much swap again, unless said otherwise
        memory["swap"] = host.memory_swap or host.memory * 2
    if host.memory_reservation:
        memory["reservation"] = host.memory_reservation
    cpu: Json = {}
    if host.nano_cpus:
        cpu["period"], cpu["quota"] = _CPU_PERIOD_US, host.nano_cpus * _CPU_PERIOD_US // 1_000_000_000
    if host.cpu_period:
        cpu["period"] = host.cpu_period
    if host.cpu_quota:
        cpu["quota"] = host.cpu_quota
    if host.cpu_shares:
        cpu["shares"] = host.cpu_shares
    if host.cpuset_cpus:
        cpu["cpus"] = host.cpuset_cpus
    if host.cpuset_mems:
        cpu["mems"] = host.cpuset_mems
    result: Json = {"devices": [{"allow": True, "access": "rwm"}] if host.privileged else _device_rules(host, devices)}
    if memory:
        result["memory"] = memory
    if cpu:
        result["cpu"] = cpu
    if host.pids_limit and host.pids_limit > 0:
        result["pids"] = {"limit": host.pids_limit}
    return result


def _device_rules(host: HostConfig, devices: list[Json]) -> list[Json]:
    asked = {mapping.path_in_container or mapping.path_on_host: mapping for mapping in host.devices or []}
    return _DEVICE_RULES + [
        {
            "allow": True,
            "type": device["type"],
            "major": device["major"],
            "minor": device["minor"],
            "access": asked[device["path"]].cgroup_permissions or "rwm",
        }
        for device in devices
        if device["path"] in asked
    ]


def _devices(host: HostConfig) -> list[Json]:
    asked = [_device(mapping) for mapping in host.devices or []]
    if not host.privileged:
        return asked
    return asked + [device for path in _host_devices("/dev") if (device := _node(path, path)) is not None]


def _device(mapping: DeviceMapping) -> Json:
    device = _node(mapping.path_on_host, mapping.path_in_container or mapping.path_on_host)
    if device is None:
        raise InvalidArgument(
            f"error gathering device information while adding custom device {mapping.path_on_host!r}: not a device node"
        )
    return device


def _node(source: str, path: str) -> Json | None:
    try:
        status = os.stat(source)
    except OSError:
        return None
    if not (stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)):
        return None
    return {
        "path": path,
        "type": "b" if stat.S_ISBLK(status.st_mode) else "c",
        "major": os.major(status.st_rdev),
        "minor": os.minor(status.st_rdev),
        "fileMode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
    }


def _host_devices(folder: str) -> list[str]:
    """The device nodes of the host, without terminals and what each container has of its own."""
    found: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in ("pts", "shm", "mqueue", "fd", "console"):
                continue
            if entry.is_dir(follow_symlinks=False):
                found += _host_devices(entry.path)
            elif not entry.is_file(follow_symlinks=False) and not entry.is_symlink():
                found.append(entry.path)
    return found


def _sysctls(host: HostConfig, has_network: bool) -> dict[str, str]:
    """As docker: in a network namespace of its own a container may ping, and bind low ports, without capabilities."""
    defaults = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"} if has_network else {}
    return {**defaults, **(host.sysctls or {})}
