"""The options of ``run`` and ``create``: what Docker has, under Docker's names (docker 29, ``docker run --help``)."""

from __future__ import annotations

from moby_tui.cli.table.declare import Options, TrustOptions, many, switch, value


class ProcessOptions(Options):
    """What runs, and as whom."""

    interactive: bool = switch("-i", "--interactive", help="Keep STDIN open even if not attached")
    tty: bool = switch("-t", "--tty", help="Allocate a pseudo-TTY")
    attach: list[str] = many("-a", "--attach", help="Attach to STDIN, STDOUT or STDERR", completes="stdin|stdout|stderr")
    env: list[str] = many("-e", "--env", help="Set environment variables", completes="variables")
    env_file: list[str] = many("--env-file", help="Read in a file of environment variables")
    entrypoint: str | None = value("--entrypoint", default=None, help="Overwrite the default ENTRYPOINT of the image")
    workdir: str = value("-w", "--workdir", help="Working directory inside the container")
    user: str = value("-u", "--user", help="Username or UID (format: <name|uid>[:<group|gid>])")
    group_add: list[str] = many("--group-add", help="Add additional groups to join")
    umask: str = value("--umask", help="Umask of the process (octal)")
    init: bool = switch("--init", help="Run an init inside the container that forwards signals and reaps processes")
    stop_signal: str = value("--stop-signal", help="Signal to stop the container", completes="signals")
    stop_timeout: int | None = value(
        "--stop-timeout", default=None, metavar="int", help="Timeout (in seconds) to stop a container"
    )
    health_cmd: str = value("--health-cmd", help="Command to run to check health")
    health_interval: str = value("--health-interval", metavar="duration", help="Time between running the check (ms|s|m|h)")
    health_timeout: str = value("--health-timeout", metavar="duration", help="Maximum time to allow one check to run (ms|s|m|h)")
    health_start_period: str = value(
        "--health-start-period", metavar="duration", help="Start period before failures count (ms|s|m|h)"
    )
    health_start_interval: str = value(
        "--health-start-interval", metavar="duration", help="Time between checks in the start period"
    )
    health_retries: int = value(
        "--health-retries", default=0, metavar="int", help="Consecutive failures needed to report unhealthy"
    )
    health_on_failure: str = value(
        "--health-on-failure",
        metavar="action",
        help="What to do with an unhealthy container: none, kill, restart, stop",
        completes="none|kill|restart|stop",
    )
    no_healthcheck: bool = switch("--no-healthcheck", help="Disable any container-specified HEALTHCHECK")


class IdentityOptions(Options):
    """What the container is called, and how it is kept."""

    name: str = value("--name", help="Assign a name to the container")
    hostname: str = value("-h", "--hostname", help="Container host name")
    domainname: str = value("--domainname", help="Container NIS domain name")
    label: list[str] = many("-l", "--label", help="Set meta data on a container")
    label_file: list[str] = many("--label-file", help="Read in a line delimited file of labels")
    annotation: list[str] = many("--annotation", metavar="map", help="Add an annotation (passed to the OCI runtime)")
    cidfile: str = value("--cidfile", help="Write the container ID to the file")
    rm: bool = switch("--rm", help="Remove the container and its anonymous volumes when it exits")
    restart: str = value(
        "--restart",
        help="Restart policy to apply when a container exits: no, always, unless-stopped, on-failure[:n]",
        completes="no|always|on-failure|unless-stopped",
    )
    log_driver: str = value("--log-driver", help="Logging driver for the container")
    log_opt: list[str] = many("--log-opt", help="Log driver options")
    pull: str = value(
        "--pull", default="missing", help="Pull image before running (always, missing, never)", completes="always|missing|never"
    )
    platform: str = value("--platform", help="Set platform if the engine is multi-platform capable", completes="platforms")
    quiet: bool = switch("-q", "--quiet", help="Suppress the pull output")
    runtime: str = value("--runtime", help="Runtime to use for this container")


class StorageOptions(Options):
    volume: list[str] = many("-v", "--volume", help="Bind mount a volume", completes="paths in volumes")
    mount: list[str] = many("--mount", metavar="mount", help="Attach a filesystem mount to the container")
    tmpfs: list[str] = many("--tmpfs", help="Mount a tmpfs directory")
    volume_driver: str = value("--volume-driver", help="Optional volume driver for the container")
    volumes_from: list[str] = many("--volumes-from", help="Mount volumes from the specified container(s)", completes="containers")
    read_only: bool = switch("--read-only", help="Mount the container's root filesystem as read only")
    shm_size: str = value("--shm-size", metavar="bytes", help="Size of /dev/shm")
    secret: list[str] = many(
        "--secret",
        metavar="secret[,opt=...]",
        help="Give the container a secret: NAME[,target=NAME|PATH][,uid=UID][,gid=GID][,mode=MODE] (default /run/secrets/NAME)",
        completes="secrets",
    )
    storage_opt: list[str] = many("--storage-opt", help="Storage driver options for the container")


class NetworkOptions(Options):
    network: list[str] = many(
        "--network",
        "--net",
        metavar="network",
        help="Connect a container to a network (bridge, host, none, a name)",
        completes="networks",
    )
    network_alias: list[str] = many("--network-alias", "--net-alias", help="Add network-scoped alias for the container")
    publish: list[str] = many(
        "-p", "--publish", help="Publish a container's port(s) to the host: [ip:][host:]container[/protocol]"
    )
    publish_all: bool = switch("-P", "--publish-all", help="Publish all exposed ports to random ports")
    expose: list[str] = many("--expose", help="Expose a port or a range of ports")
    add_host: list[str] = many("--add-host", help="Add a custom host-to-IP mapping (host:ip)")
    dns: list[str] = many("--dns", help="Set custom DNS servers")
    dns_option: list[str] = many("--dns-option", "--dns-opt", help="Set DNS options")
    dns_search: list[str] = many("--dns-search", help="Set custom DNS search domains")
    ip: str = value("--ip", help="IPv4 address")
    ip6: str = value("--ip6", help="IPv6 address")
    link_local_ip: list[str] = many("--link-local-ip", help="Container IPv4/IPv6 link-local addresses")
    link: list[str] = many("--link", help="Add link to another container", completes="running containers")
    mac_address: str = value("--mac-address", help="Container MAC address")


class IsolationOptions(Options):
    privileged: bool = switch("--privileged", help="Give extended privileges to this container")
    cap_add: list[str] = many("--cap-add", help="Add Linux capabilities", completes="capabilities")
    cap_drop: list[str] = many("--cap-drop", help="Drop Linux capabilities", completes="capabilities")
    security_opt: list[str] = many("--security-opt", help="Security options")
    sysctl: list[str] = many("--sysctl", metavar="map", help="Sysctl options")
    device: list[str] = many("--device", help="Add a host device to the container")
    device_cgroup_rule: list[str] = many("--device-cgroup-rule", help="Add a rule to the cgroup allowed devices list")
    gpus: str = value("--gpus", metavar="gpu-request", help="GPU devices to add to the container ('all' to pass all GPUs)")
    pid: str = value("--pid", help="PID namespace to use", completes="pid namespaces")
    ipc: str = value("--ipc", help="IPC mode to use", completes="ipc namespaces")
    uts: str = value("--uts", help="UTS namespace to use", completes="host")
    userns: str = value("--userns", help="User namespace to use", completes="host")
    isolation: str = value("--isolation", help="Container isolation technology")
    cgroupns: str = value("--cgroupns", help="Cgroup namespace to use (host|private)", completes="host|private")


class LimitOptions(Options):
    """What can be changed while the container runs."""

    memory: str = value("-m", "--memory", metavar="bytes", help="Memory limit")
    memory_swap: str = value("--memory-swap", metavar="bytes", help="Limit of memory plus swap: '-1' to enable unlimited swap")
    memory_reservation: str = value("--memory-reservation", metavar="bytes", help="Memory soft limit")
    cpus: str = value("--cpus", metavar="decimal", help="Number of CPUs")
    cpu_shares: int = value("-c", "--cpu-shares", default=0, metavar="int", help="CPU shares (relative weight)")
    cpu_period: int = value("--cpu-period", default=0, metavar="int", help="Limit CPU CFS period, in microseconds")
    cpu_quota: int = value("--cpu-quota", default=0, metavar="int", help="Limit CPU CFS quota, in microseconds")
    cpu_rt_period: int = value("--cpu-rt-period", default=0, metavar="int", help="Limit CPU real-time period in microseconds")
    cpu_rt_runtime: int = value("--cpu-rt-runtime", default=0, metavar="int", help="Limit CPU real-time runtime in microseconds")
    cpuset_cpus: str = value("--cpuset-cpus", help="CPUs in which to allow execution (0-3, 0,1)")
    cpuset_mems: str = value("--cpuset-mems", help="MEMs in which to allow execution (0-3, 0,1)")
    pids_limit: int | None = value(
        "--pids-limit", default=None, metavar="int", help="Tune container pids limit (-1 for unlimited)"
    )
    blkio_weight: int = value(
        "--blkio-weight", default=0, metavar="uint16", help="Block IO (relative weight), between 10 and 1000"
    )
    blkio_weight_device: list[str] = many("--blkio-weight-device", help="Block IO weight (relative device weight)")
    device_read_bps: list[str] = many("--device-read-bps", help="Limit read rate (bytes per second) from a device")
    device_write_bps: list[str] = many("--device-write-bps", help="Limit write rate (bytes per second) to a device")
    device_read_iops: list[str] = many("--device-read-iops", help="Limit read rate (IO per second) from a device")
    device_write_iops: list[str] = many("--device-write-iops", help="Limit write rate (IO per second) to a device")


class ResourceOptions(LimitOptions):
    kernel_memory: str = value("--kernel-memory", metavar="bytes", help="Kernel memory limit (no kernel has it any more)")
    memory_swappiness: int = value(
        "--memory-swappiness", default=-1, metavar="int", help="Tune container memory swappiness (0 to 100)"
    )
    oom_kill_disable: bool = switch("--oom-kill-disable", help="Disable OOM Killer")
    oom_score_adj: int = value("--oom-score-adj", default=0, metavar="int", help="Tune host's OOM preferences (-1000 to 1000)")
    ulimit: list[str] = many("--ulimit", metavar="ulimit", help="Ulimit options")
    cgroup_parent: str = value("--cgroup-parent", help="Optional parent cgroup for the container")


class CreateOptions(
    ResourceOptions, IsolationOptions, NetworkOptions, StorageOptions, IdentityOptions, ProcessOptions, TrustOptions
):
    """All options of ``create``."""


class RunOptions(CreateOptions):
    """All options of ``run``."""

    detach: bool = switch("-d", "--detach", help="Run container in background and print container ID")
    detach_keys: str = value("--detach-keys", help="Override the key sequence for detaching a container")
    sig_proxy: bool = value("--sig-proxy/--no-sig-proxy", default=True, metavar="", help="Proxy received signals to the process")


class UpdateOptions(LimitOptions):
    """All options of ``update``."""

    kernel_memory: str = value(
        "--kernel-memory", hidden=True, metavar="bytes", help="Kernel memory limit (no kernel has it any more)"
    )
    restart: str = value(
        "--restart", help="Restart policy to apply when a container exits", completes="no|always|on-failure|unless-stopped"
    )
    publish_add: list[str] = many("--publish-add", help="Publish one more port to the host, also while the container runs")
    publish_rm: list[str] = many("--publish-rm", help="Withdraw a port of the host (8080, 53/udp)")
