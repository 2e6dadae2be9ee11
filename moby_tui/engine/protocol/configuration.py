"""The parts of an OCI configuration (``config.json``) that are used, as classes: what another engine wrote is held against them.

Specification: opencontainers/runtime-spec 1.2, config.md and config-linux.md. What is not declared here is not looked at. As in Go, which
writes most configurations, null is as good as nothing.
"""

from __future__ import annotations

from moby_tui.engine.protocol.message import Json, Message


class Part(Message):
    """One object of the configuration. It carries no version of ours."""

    VERSION = 0


class User(Part):
    KEYS = {"groups": "additionalGids"}

    uid: int | None
    gid: int | None
    umask: int | None
    groups: list[int] | None


class Capabilities(Part):
    bounding: list[str] | None
    effective: list[str] | None
    inheritable: list[str] | None
    permitted: list[str] | None
    ambient: list[str] | None


class Rlimit(Part):
    type: str
    soft: int
    hard: int


class ConsoleSize(Part):
    height: int
    width: int


class Process(Part):
    KEYS = {
        "console_size": "consoleSize",
        "no_new_privileges": "noNewPrivileges",
        "apparmor_profile": "apparmorProfile",
        "selinux_label": "selinuxLabel",
        "oom_score_adj": "oomScoreAdj",
        "io_priority": "ioPriority",
    }

    args: list[str] | None
    env: list[str] | None
    cwd: str | None
    user: User | None
    terminal: bool | None
    console_size: ConsoleSize | None
    capabilities: Capabilities | None
    rlimits: list[Rlimit] | None
    no_new_privileges: bool | None
    apparmor_profile: str | None
    selinux_label: str | None
    oom_score_adj: int | None
    scheduler: Json | None
    io_priority: Json | None


class Root(Part):
    path: str | None
    readonly: bool | None


class Mount(Part):
    destination: str
    type: str | None
    source: str | None
    options: list[str] | None


class Namespace(Part):
    type: str
    path: str | None


class Device(Part):
    KEYS = {"mode": "fileMode"}

    path: str
    type: str
    major: int | None
    minor: int | None
    mode: int | None
    uid: int | None
    gid: int | None


class DeviceRule(Part):
    allow: bool | None
    type: str | None
    access: str | None
    major: int | None
    minor: int | None


class Resources(Part):
    """The limits themselves are read where they are set."""

    KEYS = {"block_io": "blockIO", "huge_pages": "hugepageLimits"}

    devices: list[DeviceRule] | None
    memory: Json | None
    cpu: Json | None
    pids: Json | None
    block_io: Json | None
    huge_pages: list[Json] | None


class SeccompRule(Part):
    KEYS = {"errno": "errnoRet"}

    names: list[str] | None
    action: str | None
    errno: int | None
    args: list[Json] | None


class Seccomp(Part):
    KEYS = {"default_action": "defaultAction", "listener_path": "listenerPath", "listener_metadata": "listenerMetadata"}

    default_action: str | None
    architectures: list[str] | None
    flags: list[str] | None
    syscalls: list[SeccompRule] | None
    listener_path: str | None
    listener_metadata: str | None


class Linux(Part):
    KEYS = {
        "cgroups_path": "cgroupsPath",
        "masked_paths": "maskedPaths",
        "readonly_paths": "readonlyPaths",
        "propagation": "rootfsPropagation",
        "time_offsets": "timeOffsets",
    }

    namespaces: list[Namespace] | None
    devices: list[Device] | None
    cgroups_path: str | None
    resources: Resources | None
    masked_paths: list[str] | None
    readonly_paths: list[str] | None
    propagation: str | None
    sysctl: dict[str, str] | None
    seccomp: Seccomp | None
    time_offsets: dict[str, Json] | None


class Hook(Part):
    path: str
    args: list[str] | None
    env: list[str] | None
    timeout: int | None


class Configuration(Part):
    KEYS = {"oci_version": "ociVersion"}

    oci_version: str | None
    process: Process | None
    root: Root | None
    hostname: str | None
    domainname: str | None
    mounts: list[Mount] | None
    linux: Linux | None
    hooks: dict[str, list[Hook] | None] | None
    annotations: dict[str, str] | None
