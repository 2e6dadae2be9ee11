"""The OCI runtime configuration (``config.json``) as classes: what the engine writes, and monitors, the plan and ``moby oci`` read.

Specification: opencontainers/runtime-spec 1.2, config.md and config-linux.md. As in Go, which writes most configurations, null is as good
as nothing. Members that are not declared are accepted, and written again: an external runtime may know them. Those of this engine's own
are named as such.
"""

from __future__ import annotations

import os

from moby_tui.engine.protocol.message import Field, Json, MalformedMessage, Message, decode_json, describe_type, fresh, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, Self

#: Numbers are always written, 0 and false too.
_NUMBERS = (int, bool, float)
_NAMESPACES = frozenset({"mount", "pid", "uts", "ipc", "network", "cgroup", "time", "user"})
_DEVICES = frozenset("bcup")
_ROW = ("containerID", "hostID", "size")


class Part(Message):
    """One object of the configuration. It carries no version of ours. What is empty by default is written only if it is not.

    Most members of most objects are missing. So a default takes its slot when it is first asked for, and costs a start nothing.
    """

    VERSION = 0
    BY_KEY: ClassVar[dict[str, Field]] = {}
    BY_NAME: ClassVar[dict[str, Field]] = {}
    REQUIRED: ClassVar[tuple[str, ...]] = ()
    __slots__ = ("_others",)

    def __init_subclass__(cls) -> None:
        cls.BY_KEY = {field.key: field for field in cls.FIELDS}
        cls.BY_NAME = {field.name: field for field in cls.FIELDS}
        cls.REQUIRED = tuple(field.key for field in cls.FIELDS if field.required)

    def __init__(self, **values: object) -> None:
        #: members that are not declared, as they were read
        self._others: Json | None = None
        for name, value in values.items():
            setattr(self, name, value)

    @classmethod
    def from_values(cls, values: object, where: str = "") -> Self:
        where = where or cls.__name__
        if type(values) is not dict:
            raise MalformedMessage(f"{where}: expected an object, got {describe_type(values)}")
        part, by_key = cls.__new__(cls), cls.BY_KEY
        part._others = None
        try:
            for key, value in values.items():
                field = by_key.get(key)
                if field is None:
                    part._others = {**(part._others or {}), key: value}
                elif value is not None:
                    setattr(part, field.name, value if type(value) is field.simple else cls.read_field(field, value))
            for key in cls.REQUIRED:
                if values.get(key) is None:
                    raise MalformedMessage(f"{key} is missing")
            part.check("")
        except MalformedMessage as error:
            raise error.within(where) from None
        return part

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            field = self.BY_NAME.get(name)
            if field is None or field.required:
                raise AttributeError(name)
            value = field.absent()
            setattr(self, name, value)
            return value

    @property
    def others(self) -> Json:
        """The members that are not declared."""
        return self._others or {}

    def replaced(self, **changes: object) -> Self:
        copy = super().replaced(**changes)
        copy._others = self._others
        return copy

    def values(self) -> Json:
        written: Json = {}
        for field in self.FIELDS:
            value = getattr(self, field.name)
            if value or type(value) in _NUMBERS or (field.optional and value is not None):
                written[field.key] = value if field.plain else plain(value)
        if self._others:
            written |= self._others
        return written


# process


class User(Part):
    KEYS = {"groups": "additionalGids"}

    uid: int = 0
    gid: int = 0
    umask: int | None = None
    groups: list[int] = []


class Capabilities(Part):
    """A set that is not named is empty."""

    bounding: list[str] = []
    effective: list[str] = []
    inheritable: list[str] = []
    permitted: list[str] = []
    ambient: list[str] = []


class Rlimit(Part):
    type: str
    soft: int
    hard: int


class ConsoleSize(Part):
    height: int = 0
    width: int = 0


class Scheduler(Part):
    """sched_setattr(2)."""

    policy: str = ""
    nice: int = 0
    priority: int = 0
    flags: list[str] = []
    runtime: int = 0
    deadline: int = 0
    period: int = 0


class IoPriority(Part):
    """ioprio_set(2); ``level`` is 0 to 7."""

    KEYS = {"kind": "class", "level": "priority"}

    kind: str = ""
    level: int = 0


class Affinity(Part):
    """The processors of an exec, as ``0-3,7``: before it is in the container's control group, and after."""

    initial: str = ""
    final: str = ""


class Process(Part):
    """``executable`` is of this engine's own: the file to execute if that is not what the first argument says."""

    KEYS = {
        "console_size": "consoleSize",
        "no_new_privileges": "noNewPrivileges",
        "apparmor_profile": "apparmorProfile",
        "selinux_label": "selinuxLabel",
        "oom_score_adj": "oomScoreAdj",
        "io_priority": "ioPriority",
        "affinity": "execCPUAffinity",
    }

    terminal: bool = False
    user: User = fresh(User)
    args: list[str] = []
    env: list[str] = []
    cwd: str = ""
    console_size: ConsoleSize | None = None
    capabilities: Capabilities = fresh(Capabilities)
    rlimits: list[Rlimit] = []
    no_new_privileges: bool = False
    apparmor_profile: str = ""
    selinux_label: str = ""
    oom_score_adj: int | None = None
    scheduler: Scheduler | None = None
    io_priority: IoPriority | None = None
    affinity: Affinity | None = None
    executable: str = ""


# file system


class Root(Part):
    path: str = ""
    readonly: bool = False


class Mount(Part):
    """``subpath``, a part of a volume, and ``layers`` of an image, top-most first, are of this engine's own."""

    KEYS = {"uid_mappings": "uidMappings", "gid_mappings": "gidMappings"}

    destination: str
    type: str = "none"
    source: str = ""
    options: list[str] = []
    uid_mappings: list[dict[str, int]] = []
    gid_mappings: list[dict[str, int]] = []
    subpath: str = ""
    layers: list[str] | None = None


class Device(Part):
    """A device node; ``mode`` is 0666 if it is not named."""

    KEYS = {"mode": "fileMode"}

    path: str
    type: str
    major: int = 0
    minor: int = 0
    mode: int | None = None
    uid: int = 0
    gid: int = 0

    def check(self, where: str) -> None:
        if self.type not in _DEVICES:
            raise MalformedMessage(f"unknown type {self.type!r} of the device {self.path}")


# namespaces and control groups


class Namespace(Part):
    """One that is made new, or that of ``path``."""

    type: str
    path: str = ""

    def check(self, where: str) -> None:
        if self.type not in _NAMESPACES:
            raise MalformedMessage(f"unknown namespace {self.type!r}")


class DeviceRule(Part):
    """Whether devices may be opened: all of a kind, or of a number, where the others are not named."""

    allow: bool = False
    type: str = ""
    major: int | None = None
    minor: int | None = None
    access: str = ""


class Memory(Part):
    """In bytes; -1 is no limit."""

    KEYS = {"disable_oom_killer": "disableOOMKiller", "kernel_tcp": "kernelTCP"}

    limit: int | None = None
    reservation: int | None = None
    swap: int | None = None
    kernel: int | None = None
    kernel_tcp: int | None = None
    swappiness: int | None = None
    disable_oom_killer: bool | None = None


class Cpu(Part):
    """Times are in microseconds."""

    KEYS = {"realtime_runtime": "realtimeRuntime", "realtime_period": "realtimePeriod"}

    shares: int | None = None
    quota: int | None = None
    burst: int | None = None
    period: int | None = None
    realtime_runtime: int | None = None
    realtime_period: int | None = None
    cpus: str = ""
    mems: str = ""
    idle: int | None = None


class Pids(Part):
    limit: int | None = None


class BlockDevice(Part):
    """What one block device may do: ``weight``, or ``rate`` in bytes or operations in a second."""

    KEYS = {"leaf_weight": "leafWeight"}

    major: int
    minor: int
    weight: int | None = None
    leaf_weight: int | None = None
    rate: int | None = None


class BlockIo(Part):
    KEYS = {
        "leaf_weight": "leafWeight",
        "weight_device": "weightDevice",
        "read_bps": "throttleReadBpsDevice",
        "write_bps": "throttleWriteBpsDevice",
        "read_iops": "throttleReadIOPSDevice",
        "write_iops": "throttleWriteIOPSDevice",
    }

    weight: int | None = None
    leaf_weight: int | None = None
    weight_device: list[BlockDevice] = []
    read_bps: list[BlockDevice] = []
    write_bps: list[BlockDevice] = []
    read_iops: list[BlockDevice] = []
    write_iops: list[BlockDevice] = []


class HugePages(Part):
    KEYS = {"size": "pageSize"}

    size: str
    limit: int


class Resources(Part):
    """The sections that are named, in creation and update. ``unified`` has files of version 2 by name."""

    KEYS = {"block_io": "blockIO", "huge_pages": "hugepageLimits"}

    devices: list[DeviceRule] = []
    memory: Memory | None = None
    cpu: Cpu | None = None
    pids: Pids | None = None
    block_io: BlockIo | None = None
    huge_pages: list[HugePages] = []
    unified: dict[str, str] = {}


# the rest of linux


class SeccompArgument(Part):
    KEYS = {"value_two": "valueTwo"}

    index: int
    value: int
    value_two: int = 0
    op: str


class SeccompRule(Part):
    KEYS = {"errno": "errnoRet"}

    names: list[str] = []
    action: str = ""
    errno: int | None = None
    args: list[SeccompArgument] = []


class Seccomp(Part):
    """The filter's rules, as ``Linux.seccomp`` holds them: most of a configuration, and read only where a filter is compiled."""

    KEYS = {
        "default_action": "defaultAction",
        "default_errno": "defaultErrnoRet",
        "listener_path": "listenerPath",
        "listener_metadata": "listenerMetadata",
    }

    default_action: str = ""
    default_errno: int | None = None
    architectures: list[str] = []
    flags: list[str] = []
    syscalls: list[SeccompRule] = []
    listener_path: str = ""
    listener_metadata: str = ""


class TimeOffset(Part):
    KEYS = {"seconds": "secs", "nanoseconds": "nanosecs"}

    seconds: int = 0
    nanoseconds: int = 0


class Personality(Part):
    domain: str = ""
    flags: list[str] = []


class Linux(Part):
    """``seccomp`` is what ``Seccomp`` reads, ``resources`` what ``Resources`` does, in the form that control groups take.

    The maps have rows of ``containerID``, ``hostID`` and ``size`` (``kernel/ids.py``)."""

    KEYS = {
        "cgroups_path": "cgroupsPath",
        "masked_paths": "maskedPaths",
        "readonly_paths": "readonlyPaths",
        "propagation": "rootfsPropagation",
        "time_offsets": "timeOffsets",
        "uid_mappings": "uidMappings",
        "gid_mappings": "gidMappings",
    }

    namespaces: list[Namespace] = []
    uid_mappings: list[dict[str, int]] = []
    gid_mappings: list[dict[str, int]] = []
    devices: list[Device] = []
    cgroups_path: str = ""
    resources: Json = {}
    masked_paths: list[str] = []
    readonly_paths: list[str] = []
    propagation: str = ""
    sysctl: dict[str, str] = {}
    seccomp: Json | None = None
    time_offsets: dict[str, TimeOffset] = {}
    personality: Personality | None = None

    def check(self, where: str) -> None:
        for name, rows in (("uidMappings", self.uid_mappings), ("gidMappings", self.gid_mappings)):
            check_mappings(rows, name)


def check_mappings(rows: list[dict[str, int]], where: str) -> None:
    """Raises ``MalformedMessage`` for a row that is not three numbers."""
    for row in rows:
        if any(row.get(name, -1) < 0 for name in _ROW):
            raise MalformedMessage(f"{where}: a row needs containerID, hostID and size")


# hooks


class Hook(Part):
    """``timeout`` is in seconds."""

    path: str
    args: list[str] = []
    env: list[str] = []
    timeout: int | None = None

    def check(self, where: str) -> None:
        if not os.path.isabs(self.path):
            raise MalformedMessage(f"a hook needs an absolute path, not {self.path!r}")
        if self.timeout is not None and self.timeout <= 0:
            raise MalformedMessage(f"the timeout of the hook {self.path} must be a number of seconds above zero")


class Hooks(Part):
    """Those of each stage, in the order of their running."""

    KEYS = {
        "create_runtime": "createRuntime",
        "create_container": "createContainer",
        "start_container": "startContainer",
    }

    prestart: list[Hook] = []
    create_runtime: list[Hook] = []
    create_container: list[Hook] = []
    start_container: list[Hook] = []
    poststart: list[Hook] = []
    poststop: list[Hook] = []

    def of(self, stage: str) -> list[Hook]:
        """The hooks of a stage, by its name in the specification: a list that may be changed."""
        name = next(field.name for field in self.FIELDS if field.key == stage)
        hooks: list[Hook] = getattr(self, name)
        return hooks

    def any(self) -> bool:
        return any(getattr(self, field.name) for field in self.FIELDS)


class Configuration(Part):
    """``keyring`` is of this engine's own: the name of the session keyring, empty for none, None for the usual one."""

    KEYS = {"oci_version": "ociVersion"}

    oci_version: str = ""
    process: Process = fresh(Process)
    root: Root = fresh(Root)
    hostname: str = ""
    domainname: str = ""
    mounts: list[Mount] = []
    hooks: Hooks = fresh(Hooks)
    annotations: dict[str, str] = {}
    linux: Linux = fresh(Linux)
    keyring: str | None = None


def read(data: bytes | str, where: str = "config.json", *, without: str = "") -> Configuration:
    """The configuration in JSON text. Raises ``MalformedMessage``. ``without``: a member of ``linux`` that the caller has no use for."""
    values = decode_json(data, where)
    if without and isinstance(values, dict) and isinstance(linux := values.get("linux"), dict):
        linux.pop(without, None)
    return Configuration.from_values(values, where)


def read_descriptor(file: int, *, without: str = "") -> Configuration:
    """The same of an open file, from its beginning: several processes read the same one. Raises ``OSError`` too."""
    return read(os.pread(file, os.fstat(file).st_size, 0), without=without)
