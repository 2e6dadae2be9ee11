"""Containers as they are kept on disk: rows of ``containers``, the records beside their files, what a running one was given, and its execs.

The structs have the same names as those of the Engine API (``schema/container.py``) and nothing else in common: what an API version renames
or adds changes nothing here. ``containers/wire.py`` converts. A field's name in JSON and its default are the form on disk (a field with its
default is not written): a change of either needs a step in ``store/migrations``, a new field with a default does not.
"""

# no annotations from __future__: msgspec would have each one compiled and evaluated, in every command that reads such a record

from contextlib import suppress
from pathlib import Path
from typing import Literal

from msgspec import DecodeError, Struct, field, json

from moby_tui.engine.store.records import Form


class HealthConfig(Form):
    """Durations in nanoseconds; 0 inherits."""

    test: list[str] | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ContainerConfig(Form):
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
    healthcheck_on_failure_action: str = ""
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
    shell: list[str] | None = None


class PortBinding(Form):
    host_ip: str = ""
    host_port: str = ""


class RestartPolicy(Form):
    name: str = ""
    maximum_retry_count: int = 0


class LogConfig(Form):
    type: str = ""
    config: dict[str, str] | None = None


class DeviceMapping(Form):
    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = "rwm"


class ThrottleDevice(Form):
    path: str = ""
    rate: int = 0


class WeightDevice(Form):
    path: str = ""
    weight: int = 0


class DeviceRequest(Form):
    driver: str = ""
    count: int = 0
    device_ids: list[str] | None = field(default=None, name="DeviceIDs")
    capabilities: list[list[str]] | None = None
    options: dict[str, str] | None = None


class Ulimit(Form):
    name: str = ""
    hard: int = 0
    soft: int = 0


class BindOptions(Form):
    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False


class VolumeDriverConfig(Form):
    name: str = ""
    options: dict[str, str] | None = None


class VolumeOptions(Form):
    no_copy: bool = False
    labels: dict[str, str] | None = None
    subpath: str = ""
    driver_config: VolumeDriverConfig | None = None


class TmpfsOptions(Form):
    size_bytes: int = 0
    mode: int = 0
    options: list[list[str]] | None = None


class ImageMountOptions(Form):
    subpath: str = ""


class Mount(Form):
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


class Resources(Form):
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


class SecretReference(Form):
    """Ours, not Docker's: a secret that a container is given. ``source`` is its name or id, ``target`` a path or a name in /run/secrets."""

    source: str = ""
    id: str = field(default="", name="ID")
    target: str = ""
    uid: int = field(default=0, name="UID")
    gid: int = field(default=0, name="GID")
    mode: int = 0o444


class HostConfig(Resources):
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
    cap_add: list[str] | None = None
    cap_drop: list[str] | None = None
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


class EndpointIpamConfig(Form):
    ipv4_address: str = field(default="", name="IPv4Address")
    ipv6_address: str = field(default="", name="IPv6Address")
    link_local_ips: list[str] | None = field(default=None, name="LinkLocalIPs")


class EndpointSettings(Form):
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


class NetworkingConfig(Form):
    endpoints_config: dict[str, EndpointSettings | None] | None = None


class MountPoint(Form):
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
    subpath: str = ""


class Shape(Form):
    """How what a running container sends into a network is treated: ``delay`` and ``jitter`` in microseconds, ``loss`` in percent, ``rate``
    in bits per second; 0: not at all."""

    network: str = ""
    interface: str = ""
    delay: int = 0
    jitter: int = 0
    loss: float = 0.0
    rate: int = 0


class NetworkState(Struct):
    """What a running container was given: written at its start, true for as long as it runs."""

    endpoints: dict[str, EndpointSettings]
    ports: dict[str, list[PortBinding] | None]
    #: for each network the name of the container's interface
    interfaces: dict[str, str] = {}
    #: for each network that is shaped, how
    shapes: dict[str, Shape] = {}
    #: the servers to which the container's questions for names are forwarded; None until its first user-defined network: it is not served
    servers: list[str] | None = None

    @staticmethod
    def read(path: Path) -> "NetworkState":
        """The state of the container with this file; an empty one if it has never run."""
        with suppress(OSError, DecodeError, UnicodeDecodeError):
            return json.decode(path.read_bytes(), type=NetworkState)
        return NetworkState({}, {})

    def write(self, path: Path) -> None:
        """By the engine that starts the container or changes its networks. Raises ``OSError``."""
        path.write_bytes(json.encode(self))


class ContainerRecord(Struct, kw_only=True, omit_defaults=True):
    """One container as it was created. ``config`` is merged with the image's; ``path`` and ``args`` are what it executes.

    ``name`` is without a slash. ``created`` is Unix seconds, ``created_at`` the same as RFC 3339 with nanoseconds. ``image`` is
    the reference that the request named. ``anonymous_volumes`` go with the container when it is removed with its volumes.
    """

    id: str
    name: str = ""
    created: float
    created_at: str
    image: str
    image_id: str
    path: str
    args: list[str]
    config: ContainerConfig
    host_config: HostConfig
    networking: NetworkingConfig | None = None
    mounts: list[MountPoint] = field(default_factory=list)
    anonymous_volumes: list[str] = field(default_factory=list)
    #: the destinations of the mounts that it has by --volumes-from
    inherited_mounts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def is_restarted(self) -> bool:
        """True if the container's monitor may start it again after its end."""
        return self.host_config.restart_policy.name not in ("", "no") or self.config.healthcheck_on_failure_action == "restart"


class ExecConfig(Form):
    """The process of an exec. ``console_size`` is height and width. Unless it ``inherits_environment``, ``env`` is all that it has."""

    attach_stdin: bool = False
    attach_stdout: bool = True
    attach_stderr: bool = True
    tty: bool = False
    console_size: list[int] | None = None
    detach_keys: str = ""
    env: list[str] | None = None
    cmd: list[str] | None = None
    privileged: bool = False
    user: str = ""
    working_dir: str = ""
    inherits_environment: bool = True


class ExecRecord(Struct, kw_only=True):
    """One exec as it was created: ``containers/<id>/execs/<exec id>.json`` in the exec root.

    The container's monitor keeps how it runs in ``<exec id>.state`` beside it. ``container`` is the container's id, ``run`` the time when
    the run of the container began in which the exec was created: an exec that is not started in that run never is.
    """

    version: Literal[1] = 1
    container: str
    config: ExecConfig
    run: str = ""
