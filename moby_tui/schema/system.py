"""The engine itself: version, information, disk use."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType, field

from moby_tui.schema.base import Filters, Wire
from moby_tui.schema.container import ContainersPruned, ContainerSummary
from moby_tui.schema.image import BuildPruned, ImagesPruned, ImageSummary
from moby_tui.schema.volume import Volume, VolumesPruned


class VersionPlatform(Wire, kw_only=True):
    name: str = "moby"


class VersionComponent(Wire, kw_only=True):
    name: str
    version: str
    details: dict[str, str] = field(default_factory=dict)


class Version(Wire, kw_only=True):
    platform: VersionPlatform = field(default_factory=VersionPlatform)
    components: list[VersionComponent] = field(default_factory=list)
    version: str = ""
    api_version: str = ""
    min_api_version: str = field(default="", name="MinAPIVersion")
    git_commit: str = ""
    go_version: str = ""
    os: str = "linux"
    arch: str = ""
    kernel_version: str = ""
    experimental: bool = False
    build_time: str = ""


class Plugins(Wire, kw_only=True):
    volume: list[str] = field(default_factory=lambda: ["local"])
    network: list[str] = field(default_factory=lambda: ["bridge", "host", "ipvlan", "macvlan", "null"])
    authorization: list[str] | None = None
    log: list[str] = field(default_factory=lambda: ["journald", "json-file", "local", "none", "syslog"])


class AddressPool(Wire, kw_only=True):
    """A range that networks get their subnets of, each of prefix length ``size``."""

    base: str
    size: int


class Peer(Wire, kw_only=True):
    node_id: str = field(default="", name="NodeID")
    addr: str = ""


class Swarm(Wire, kw_only=True):
    node_id: str = field(default="", name="NodeID")
    node_addr: str = ""
    local_node_state: str = "inactive"
    control_available: bool = False
    error: str = ""
    remote_managers: list[Peer] | None = None


class FirewallBackend(Wire, kw_only=True):
    driver: str = "nftables"


class Commit(Wire, kw_only=True):
    """The revision of a program that dockerd runs; empty here, where none is run."""

    id: str = field(default="", name="ID")


class Login(Wire, kw_only=True):
    """What a registry says to a login; a token, where it gives one, is kept in the password's place."""

    status: str = ""
    identity_token: str = ""


class RegistryIndex(Wire, kw_only=True):
    """How a registry is reached."""

    name: str = ""
    mirrors: list[str] = field(default_factory=list)
    secure: bool = True
    official: bool = False


class RegistryConfig(Wire, kw_only=True):
    insecure_registry_cidrs: list[str] = field(default_factory=list, name="InsecureRegistryCIDRs")
    index_configs: dict[str, RegistryIndex] = field(default_factory=dict)
    mirrors: list[str] | None = None


class Info(Wire, kw_only=True):
    id: str = field(default="", name="ID")
    containers: int = 0
    containers_running: int = 0
    containers_paused: int = 0
    containers_stopped: int = 0
    images: int = 0
    driver: str = "overlayfs"
    driver_status: list[list[str]] = field(default_factory=list)
    plugins: Plugins = field(default_factory=Plugins)
    memory_limit: bool = True
    swap_limit: bool = True
    kernel_memory_tcp: bool = field(default=False, name="KernelMemoryTCP")
    cpu_cfs_period: bool = True
    cpu_cfs_quota: bool = True
    cpu_shares: bool = field(default=True, name="CPUShares")
    cpu_set: bool = field(default=True, name="CPUSet")
    pids_limit: bool = True
    ipv4_forwarding: bool = field(default=True, name="IPv4Forwarding")
    debug: bool = False
    n_fd: int = field(default=0, name="NFd")
    oom_kill_disable: bool = False
    n_goroutines: int = field(default=0, name="NGoroutines")
    system_time: str = ""
    logging_driver: str = "json-file"
    cgroup_driver: str = "cgroupfs"
    cgroup_version: str = "2"
    n_events_listener: int = field(default=0, name="NEventsListener")
    kernel_version: str = ""
    operating_system: str = ""
    os_version: str = field(default="", name="OSVersion")
    os_type: str = field(default="linux", name="OSType")
    architecture: str = ""
    index_server_address: str = "https://index.docker.io/v1/"
    registry_config: RegistryConfig | None = None
    n_cpu: int = field(default=0, name="NCPU")
    mem_total: int = 0
    docker_root_dir: str = ""
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: str = ""
    name: str = ""
    labels: list[str] = field(default_factory=list)
    experimental_build: bool = False
    server_version: str = ""
    runtimes: dict[str, dict[str, str]] = field(default_factory=dict)
    default_runtime: str = "moby"
    #: only where the daemon was given some
    default_address_pools: list[AddressPool] | UnsetType = UNSET
    swarm: Swarm = field(default_factory=Swarm)
    generic_resources: list[dict[str, Any]] | None = None
    firewall_backend: FirewallBackend = field(default_factory=FirewallBackend)
    #: where the files of devices are looked for (Container Device Interface)
    cdi_spec_dirs: list[str] = field(default_factory=list, name="CDISpecDirs")
    live_restore_enabled: bool = True
    isolation: str = ""
    init_binary: str = ""
    containerd_commit: Commit = field(default_factory=Commit)
    runc_commit: Commit = field(default_factory=Commit)
    init_commit: Commit = field(default_factory=Commit)
    security_options: list[str] = field(default_factory=list)
    warnings: list[str] | None = None


class BuildCache(Wire, kw_only=True):
    """What one instruction of a Dockerfile made (``regular``), or a folder of ``RUN --mount=type=cache`` (``exec.cachemount``)."""

    id: str = field(default="", name="ID")
    parents: list[str] | None = None
    type: str = "regular"
    description: str = ""
    in_use: bool = False
    shared: bool = False
    size: int = 0
    created_at: str = ""
    last_used_at: str | None = None
    usage_count: int = 0


class DiskPart(Wire, kw_only=True):
    """A part of the data root and what it takes on disk, in bytes, as du(1) counts."""

    name: str
    size: int


class DataRoot(Wire, kw_only=True):
    """Ours: the parts add up to what du says of the data root. A foreign engine tells none."""

    parts: list[DiskPart] = field(default_factory=list)


class DiskUsage(Wire, kw_only=True):
    """``layers_size`` is what all images take together."""

    layers_size: int = 0
    images: list[ImageSummary] = field(default_factory=list)
    containers: list[ContainerSummary] = field(default_factory=list)
    volumes: list[Volume] = field(default_factory=list)
    build_cache: list[BuildCache] = field(default_factory=list)
    moby: DataRoot = field(default_factory=DataRoot)


class Check(Wire, kw_only=True):
    """What an engine has on its host, or lacks. ``severity`` is ``ok``, ``absent`` (an option or protection is not there), ``warning`` or
    ``error``; ``about`` is which part of the host.
    """

    about: str
    severity: str
    message: str
    advice: str = ""


class PruneOptions(Wire, kw_only=True):
    """Which kinds to prune; ``filters`` for each kind, as its own prune takes them."""

    containers: Filters | None = None
    volumes: Filters | None = None
    images: Filters | None = None
    build: Filters | None = None


class PruneReport(Wire, kw_only=True):
    """What a prune of these kinds, one after the other, takes away; sizes in bytes on disk."""

    containers: ContainersPruned | None = None
    volumes: VolumesPruned | None = None
    images: ImagesPruned | None = None
    build: BuildPruned | None = None
