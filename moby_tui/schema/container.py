"""Containers, as the Engine API has them (docs: Engine API v1.52, tag Container)."""

# no annotations from __future__: msgspec would have each one compiled and evaluated, in every command that reads such a record
from msgspec import UNSET, UnsetType, field

from moby_tui.schema.base import ZERO_TIME, Wire, Words


class HealthConfig(Wire, kw_only=True):
    """Durations in nanoseconds; 0 inherits."""

    test: list[str] | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ContainerConfig(Wire, kw_only=True):
    """What runs: the portable half, which an image may preset."""

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: dict[str, dict[str, str]] | None = None
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: list[str] | None = None
    cmd: list[str] | str | None = None
    healthcheck: HealthConfig | None = None
    #: Podman's: none, kill, restart or stop
    healthcheck_on_failure_action: str | UnsetType = UNSET
    args_escaped: bool = False
    image: str = ""
    volumes: dict[str, dict[str, str]] | None = None
    working_dir: str = ""
    entrypoint: list[str] | str | None = None
    network_disabled: bool = False
    mac_address: str = ""
    on_build: list[str] | None = None
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    stop_timeout: int | None = None
    shell: Words | None = None


class PortBinding(Wire, kw_only=True):
    host_ip: str = ""
    host_port: str = ""


class RestartPolicy(Wire, kw_only=True):
    name: str = ""
    maximum_retry_count: int = 0


class LogConfig(Wire, kw_only=True):
    type: str = ""
    config: dict[str, str] | None = None


class DeviceMapping(Wire, kw_only=True):
    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = "rwm"


class ThrottleDevice(Wire, kw_only=True):
    path: str = ""
    rate: int = 0


class WeightDevice(Wire, kw_only=True):
    path: str = ""
    weight: int = 0


class DeviceRequest(Wire, kw_only=True):
    driver: str = ""
    count: int = 0
    device_ids: list[str] | None = field(default=None, name="DeviceIDs")
    capabilities: list[list[str]] | None = None
    options: dict[str, str] | None = None


class Ulimit(Wire, kw_only=True):
    name: str = ""
    hard: int = 0
    soft: int = 0


class BindOptions(Wire, kw_only=True):
    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False


class VolumeDriverConfig(Wire, kw_only=True):
    name: str = ""
    options: dict[str, str] | None = None


class VolumeOptions(Wire, kw_only=True):
    no_copy: bool = False
    labels: dict[str, str] | None = None
    subpath: str = ""
    driver_config: VolumeDriverConfig | None = None


class TmpfsOptions(Wire, kw_only=True):
    size_bytes: int = 0
    mode: int = 0
    options: list[list[str]] | None = None


class ImageMountOptions(Wire, kw_only=True):
    subpath: str = ""


class Mount(Wire, kw_only=True):
    """A mount as it is asked for with ``--mount``.

    ``id_map`` is ours, not Docker's: ``idmap``, or ``idmap=uids=…;gids=…`` (``policy/mount_ids.py``), for a bind or a volume.
    """

    type: str = ""
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    tmpfs_options: TmpfsOptions | None = None
    image_options: ImageMountOptions | None = None
    id_map: str = field(default="", name="IDMap")


class Resources(Wire, kw_only=True):
    """What a container may use: the part of the host's half that can be changed while it runs."""

    cpu_shares: int = 0
    memory: int = 0
    nano_cpus: int = 0
    cgroup_parent: str = ""
    blkio_weight: int = 0
    blkio_weight_device: list[WeightDevice] | None = None
    blkio_device_read_bps: list[ThrottleDevice] | None = None
    blkio_device_write_bps: list[ThrottleDevice] | None = None
    blkio_device_read_iops: list[ThrottleDevice] | None = field(default=None, name="BlkioDeviceReadIOps")
    blkio_device_write_iops: list[ThrottleDevice] | None = field(default=None, name="BlkioDeviceWriteIOps")
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_realtime_period: int = 0
    cpu_realtime_runtime: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    devices: list[DeviceMapping] | None = None
    device_cgroup_rules: list[str] | None = None
    device_requests: list[DeviceRequest] | None = None
    kernel_memory_tcp: int = field(default=0, name="KernelMemoryTCP")
    memory_reservation: int = 0
    memory_swap: int = 0
    memory_swappiness: int | None = None
    oom_kill_disable: bool | None = None
    pids_limit: int | None = None
    ulimits: list[Ulimit] | None = None
    cpu_count: int = 0
    cpu_percent: int = 0
    io_maximum_iops: int = field(default=0, name="IOMaximumIOps")
    io_maximum_bandwidth: int = field(default=0, name="IOMaximumBandwidth")


class SecretReference(Wire, kw_only=True):
    """Ours, not Docker's: a secret that a container is given. ``source`` is its name or id, ``target`` a path or a name in /run/secrets."""

    source: str = ""
    id: str = field(default="", name="ID")
    target: str = ""
    uid: int = field(default=0, name="UID")
    gid: int = field(default=0, name="GID")
    mode: int = 0o444


class HostConfig(Resources, kw_only=True):
    """What the host grants: the half that no image may preset."""

    binds: list[str] | None = None
    container_id_file: str = field(default="", name="ContainerIDFile")
    log_config: LogConfig = field(default_factory=LogConfig)
    network_mode: str = ""
    port_bindings: dict[str, list[PortBinding] | None] | None = None
    restart_policy: RestartPolicy = field(default_factory=RestartPolicy)
    auto_remove: bool = False
    volume_driver: str = ""
    volumes_from: list[str] | None = None
    console_size: list[int] | None = None
    annotations: dict[str, str] | None = None
    cap_add: Words | None = None
    cap_drop: Words | None = None
    cgroupns_mode: str = ""
    dns: list[str] | None = None
    dns_options: list[str] | None = None
    dns_search: list[str] | None = None
    extra_hosts: list[str] | None = None
    group_add: list[str] | None = None
    ipc_mode: str = ""
    cgroup: str = ""
    links: list[str] | None = None
    oom_score_adj: int = 0
    pid_mode: str = ""
    privileged: bool = False
    publish_all_ports: bool = False
    readonly_rootfs: bool = False
    security_opt: list[str] | None = None
    storage_opt: dict[str, str] | None = None
    tmpfs: dict[str, str] | None = None
    uts_mode: str = field(default="", name="UTSMode")
    userns_mode: str = ""
    shm_size: int = 0
    sysctls: dict[str, str] | None = None
    runtime: str = ""
    isolation: str = ""
    mounts: list[Mount] | None = None
    masked_paths: list[str] | None = None
    readonly_paths: list[str] | None = None
    init: bool | None = None
    umask: str = ""
    secrets: list[SecretReference] | None = None


class EndpointIpamConfig(Wire, kw_only=True, omit_defaults=True):
    ipv4_address: str = field(default="", name="IPv4Address")
    ipv6_address: str = field(default="", name="IPv6Address")
    link_local_ips: list[str] | None = field(default=None, name="LinkLocalIPs")


class EndpointSettings(Wire, kw_only=True):
    """A container's place in one network: what was asked, and what was given."""

    ipam_config: EndpointIpamConfig | None = field(default=None, name="IPAMConfig")
    links: list[str] | None = None
    mac_address: str = ""
    aliases: list[str] | None = None
    driver_opts: dict[str, str] | None = None
    gw_priority: int = 0
    network_id: str = field(default="", name="NetworkID")
    endpoint_id: str = field(default="", name="EndpointID")
    gateway: str = ""
    ip_address: str = field(default="", name="IPAddress")
    ip_prefix_len: int = field(default=0, name="IPPrefixLen")
    ipv6_gateway: str = field(default="", name="IPv6Gateway")
    global_ipv6_address: str = field(default="", name="GlobalIPv6Address")
    global_ipv6_prefix_len: int = field(default=0, name="GlobalIPv6PrefixLen")
    dns_names: list[str] | None = field(default=None, name="DNSNames")


class NetworkingConfig(Wire, kw_only=True):
    endpoints_config: dict[str, EndpointSettings | None] | None = None


class ContainerCreate(ContainerConfig, kw_only=True):
    """Body of ``POST /containers/create``: the configuration, flat, with the host's half beside it."""

    host_config: HostConfig = field(default_factory=HostConfig)
    networking_config: NetworkingConfig | None = None


class ContainerUpdate(Resources, kw_only=True):
    """Body of ``POST /containers/{id}/update``: what is absent, null or zero stays as it is."""

    restart_policy: RestartPolicy = field(default_factory=RestartPolicy)


class PortChanges(Wire, kw_only=True):
    """Ours, not Docker's: ports to publish, as ``HostConfig.PortBindings`` has them, and host ports to withdraw (``8080``, ``53/udp``)."""

    publish: dict[str, list[PortBinding] | None] = field(default_factory=dict)
    withdraw: list[str] = field(default_factory=list)


class PortsChanged(Wire, kw_only=True):
    """What is published then; nothing if the container does not run."""

    ports: dict[str, list[PortBinding] | None] = field(default_factory=dict)


class ContainerUpdated(Wire, kw_only=True):
    warnings: list[str] = field(default_factory=list)


class ContainerCreated(Wire, kw_only=True):
    id: str
    warnings: list[str] = field(default_factory=list)


class HealthLogEntry(Wire, kw_only=True):
    start: str = ZERO_TIME
    end: str = ZERO_TIME
    exit_code: int = 0
    output: str = ""


class Health(Wire, kw_only=True):
    status: str = "none"
    failing_streak: int = 0
    log: list[HealthLogEntry] | None = None


class HealthSummary(Wire, kw_only=True):
    """The health in a row of a list."""

    status: str = "none"
    failing_streak: int = 0


class ContainerState(Wire, kw_only=True):
    """``status`` is one of created, running, paused, restarting, removing, exited, dead. Times are RFC 3339 with nanoseconds."""

    status: str = "created"
    running: bool = False
    paused: bool = False
    restarting: bool = False
    oom_killed: bool = field(default=False, name="OOMKilled")
    dead: bool = False
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    started_at: str = ZERO_TIME
    finished_at: str = ZERO_TIME
    health: Health | UnsetType = UNSET


class MountPoint(Wire, kw_only=True):
    """A mount as the container has it. ``rw`` false means read-only.

    Of an image ``name`` is the id that ``source`` meant when the container was created.
    """

    type: str
    name: str = ""
    source: str = ""
    destination: str = ""
    driver: str = ""
    mode: str = ""
    rw: bool = field(default=True, name="RW")
    propagation: str = ""
    #: what of the volume or image is mounted
    subpath: str | UnsetType = UNSET


#: What of the endpoint in the default bridge stood in ``NetworkSettings`` itself, until version 1.52 of the API.
BRIDGE_FIELDS = (
    "EndpointID",
    "Gateway",
    "GlobalIPv6Address",
    "GlobalIPv6PrefixLen",
    "IPAddress",
    "IPPrefixLen",
    "IPv6Gateway",
    "MacAddress",
)


class NetworkSettings(Wire, kw_only=True):
    """``ports`` maps ``80/tcp`` to its host bindings, or to null if the port is exposed only."""

    sandbox_id: str = field(default="", name="SandboxID")
    sandbox_key: str = ""
    ports: dict[str, list[PortBinding] | None] = field(default_factory=dict)
    networks: dict[str, EndpointSettings] = field(default_factory=dict)


class ContainerInspect(Wire, kw_only=True):
    id: str
    created: str
    path: str
    args: list[str]
    state: ContainerState
    image: str
    resolv_conf_path: str = ""
    hostname_path: str = ""
    hosts_path: str = ""
    log_path: str = ""
    name: str = ""
    restart_count: int = 0
    driver: str = "overlayfs"
    platform: str = "linux"
    mount_label: str = ""
    process_label: str = ""
    app_armor_profile: str = ""
    exec_ids: list[str] | None = field(default=None, name="ExecIDs")
    host_config: HostConfig = field(default_factory=HostConfig)
    size_rw: int | None = None
    size_root_fs: int | None = None
    mounts: list[MountPoint] = field(default_factory=list)
    config: ContainerConfig = field(default_factory=ContainerConfig)
    network_settings: NetworkSettings = field(default_factory=NetworkSettings)


class Port(Wire, kw_only=True):
    ip: str | None = field(default=None, name="IP")
    private_port: int = 0
    public_port: int | None = None
    type: str = "tcp"


class SummaryHostConfig(Wire, kw_only=True):
    network_mode: str = ""
    annotations: dict[str, str] | UnsetType = UNSET


class SummaryNetworkSettings(Wire, kw_only=True):
    networks: dict[str, EndpointSettings] = field(default_factory=dict)


class ContainerSummary(Wire, kw_only=True):
    """A row of ``GET /containers/json``. ``created`` is Unix seconds; ``names`` begin with a slash."""

    id: str
    names: list[str]
    image: str
    image_id: str = field(name="ImageID")
    command: str
    created: int
    ports: list[Port] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    state: str
    status: str
    health: HealthSummary | UnsetType = UNSET
    host_config: SummaryHostConfig = field(default_factory=SummaryHostConfig)
    network_settings: SummaryNetworkSettings = field(default_factory=SummaryNetworkSettings)
    mounts: list[MountPoint] = field(default_factory=list)
    size_rw: int | None = None
    size_root_fs: int | None = None


class WaitError(Wire, kw_only=True):
    message: str


class ContainerExit(Wire, kw_only=True, omit_defaults=True):
    """Answer of ``POST /containers/{id}/wait``."""

    status_code: int
    error: WaitError | None = None


class Top(Wire, kw_only=True):
    titles: list[str]
    processes: list[list[str]]


class PathChange(Wire, kw_only=True):
    """``kind``: 0 modified, 1 added, 2 deleted."""

    path: str
    kind: int


class PathStat(Wire, kw_only=True):
    """Header ``X-Docker-Container-Path-Stat``. ``mode`` is Go's os.FileMode; ``mtime`` RFC 3339."""

    name: str = field(name="name")
    size: int = field(name="size")
    mode: int = field(name="mode")
    mtime: str = field(name="mtime")
    link_target: str = field(default="", name="linkTarget")


class ContainersPruned(Wire, kw_only=True):
    containers_deleted: list[str] | None = None
    space_reclaimed: int = 0


class LogOptions(Wire, kw_only=True):
    """``since``/``until`` are Unix seconds with a fraction, 0 for none; ``tail`` None for all lines."""

    stdout: bool = True
    stderr: bool = True
    follow: bool = False
    since: float = 0
    until: float = 0
    timestamps: bool = False
    details: bool = False
    tail: int | None = None


class AttachOptions(Wire, kw_only=True):
    """``logs`` replays what was written so far before the live stream; ``stream`` false ends after that."""

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    stream: bool = True
    logs: bool = False
    detach_keys: str = ""


class Committed(Wire, kw_only=True):
    """The answer to a commit: the image's id."""

    id: str
