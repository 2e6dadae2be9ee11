"""The options of ``moby daemon``. They are dockerd's where the engine has what they ask for. None and nothing mean: not given."""

from __future__ import annotations

from moby_tui.cli.table.declare import Options, many, switch, value

_SEVERAL = "(may come several times)"


def _switched(name: str, help: str) -> bool | None:
    """A flag that can be switched on and off, or be left to the file."""
    return switch(f"--{name}/--no-{name}", help=help, default=None)  # type: ignore[no-any-return]


class DaemonOptions(Options):
    host: list[str] = many("-H", "--host", help=f"Socket to serve on: unix://, tcp://, fd:// {_SEVERAL}", completes="hosts")
    config_file: str = value("--config-file", help="Configuration file  [default: /etc/moby/daemon.json]", metavar="path")
    validate: bool = switch("--validate", help="Check the configuration and exit")
    data_root: str = value(
        "--data-root", help="Where images, containers and volumes are kept", metavar="path", completes="folders"
    )
    exec_root: str = value(
        "--exec-root", help="Where the state of running containers is kept", metavar="path", completes="folders"
    )
    group: str = value("-G", "--group", help="Group whose members may use the unix socket  [default: moby]")
    debug: bool | None = switch("-D", "--debug", help="Log what is asked and answered", default=None)
    log_level: str = value(
        "-l", "--log-level", help="debug, info, warn, error or fatal  [default: info]", completes="debug|info|warn|error|fatal"
    )
    pidfile: str = value("-p", "--pidfile", help="File for the daemon's process id", metavar="path")
    live_restore: bool | None = _switched("live-restore", "Let containers live on when the daemon ends  [default: on]")
    shutdown_timeout: int | None = value(
        "--shutdown-timeout",
        help="Without live restore, seconds to let containers without a stop timeout of their own end  [default: 15]",
        default=None,
        metavar="int",
    )
    tls: bool | None = switch("--tls", help="Use TLS; implied by --tlsverify", default=None)
    tlsverify: bool | None = switch("--tlsverify", help="Use TLS and verify the remote", default=None)
    tlscacert: str = value("--tlscacert", help="Trust certs signed only by this CA  [default: ~/.docker/ca.pem]", metavar="path")
    tlscert: str = value("--tlscert", help="Path to TLS certificate file  [default: ~/.docker/cert.pem]", metavar="path")
    tlskey: str = value("--tlskey", help="Path to TLS key file  [default: ~/.docker/key.pem]", metavar="path")
    label: list[str] = many("--label", help=f"Label of the daemon, shown by info: key=value {_SEVERAL}")
    add_runtime: list[str] = many("--add-runtime", help=f"Register another OCI runtime: name=path {_SEVERAL}", metavar="runtime")
    default_runtime: str = value(
        "--default-runtime", help="Runtime of containers that name none  [default: runc, the built-in one]"
    )
    userns_remap: str = value(
        "--userns-remap",
        help="Run containers in a user namespace, with the ids of this user in /etc/subuid: default or user[:group]",
    )
    allowed_host: list[str] = many(
        "--allowed-host",
        help=f"Name that clients may call a tcp:// socket by, beside its address and localhost {_SEVERAL}",
        metavar="name",
    )
    http_proxy: str = value("--http-proxy", help="Proxy for http:// addresses of registries and contexts", metavar="url")
    https_proxy: str = value("--https-proxy", help="Proxy for https:// addresses of registries and contexts", metavar="url")
    no_proxy: str = value("--no-proxy", help="Hosts that are reached without a proxy, with commas between them", metavar="hosts")
    registry_mirror: list[str] = many("--registry-mirror", help=f"Address that is asked before Docker Hub {_SEVERAL}")
    insecure_registry: list[str] = many(
        "--insecure-registry", help=f"Registry that needs no valid certificate: host[:port] or addresses as 10.0.0.0/8 {_SEVERAL}"
    )
    max_concurrent_downloads: int | None = value(
        "--max-concurrent-downloads", help="Layers fetched at the same time  [default: 3]", default=None, metavar="int"
    )
    max_concurrent_uploads: int | None = value(
        "--max-concurrent-uploads", help="Blobs sent at the same time  [default: 5]", default=None, metavar="int"
    )
    max_download_attempts: int | None = value(
        "--max-download-attempts", help="Tries of a request that gets no further  [default: 5]", default=None, metavar="int"
    )
    log_driver: str = value("--log-driver", help="Log driver of containers that name none  [default: json-file]")
    log_opt: list[str] = many("--log-opt", help=f"Option of that log driver: key=value {_SEVERAL}", metavar="map")
    history_size: str = value(
        "--history-size",
        help="Size of the history of containers: their figures, and the logs of removed ones; 0 for none  [default: 64m]",
        metavar="bytes",
    )
    history_days: int | None = value(
        "--history-days", help="Days after which history is dropped  [default: 7]", default=None, metavar="int"
    )
    history_interval: int | None = value(
        "--history-interval", help="Seconds from one sample to the next  [default: 10]", default=None, metavar="int"
    )
    dns: list[str] = many("--dns", help=f"Name server of containers that name none {_SEVERAL}", metavar="ip")
    dns_search: list[str] = many("--dns-search", help=f"Search domain of containers that name none {_SEVERAL}")
    dns_opt: list[str] = many("--dns-opt", help=f"Option of the resolver of containers that name none {_SEVERAL}")
    default_address_pool: list[str] = many(
        "--default-address-pool",
        help=f"Where networks get their subnets: base=10.10.0.0/16,size=24 {_SEVERAL}",
        metavar="pool-options",
    )
    default_network_opt: list[str] = many(
        "--default-network-opt", help=f"Option of new networks: driver=option=value {_SEVERAL}", metavar="mapmap"
    )
    host_gateway_ip: list[str] = many(
        "--host-gateway-ip", help=f"Address that host-gateway of --add-host stands for {_SEVERAL}", metavar="ip"
    )
    bip: str = value("--bip", help="IPv4 address of the default bridge, as 10.10.0.1/24")
    bip6: str = value("--bip6", help="IPv6 address of the default bridge")
    fixed_cidr: str = value("--fixed-cidr", help="IPv4 addresses of containers in the default bridge")
    fixed_cidr_v6: str = value("--fixed-cidr-v6", help="IPv6 addresses of containers in the default bridge")
    default_gateway: str = value("--default-gateway", help="Gateway of the default bridge's containers", metavar="ip")
    default_gateway_v6: str = value("--default-gateway-v6", help="IPv6 gateway of the default bridge's containers", metavar="ip")
    mtu: int | None = value("--mtu", help="MTU of the default bridge  [default: the host's]", default=None, metavar="int")
    icc: bool | None = _switched("icc", "Let containers in the default bridge reach each other  [default: on]")
    ip: str = value("--ip", help="Host address for ports of the default bridge  [default: 0.0.0.0]", metavar="ip")
    ip_masq: bool | None = _switched("ip-masq", "Masquerade what leaves the default bridge  [default: on]")
    ipv6: bool | None = _switched("ipv6", "Give the default bridge IPv6, too")
    default_ulimit: list[str] = many("--default-ulimit", help=f"Limit of all containers: name=soft[:hard] {_SEVERAL}")
    default_shm_size: str = value("--default-shm-size", help="Size of /dev/shm  [default: 64m]", metavar="bytes")
    default_ipc_mode: str = value("--default-ipc-mode", help="private or shareable  [default: private]")
    default_cgroupns_mode: str = value(
        "--default-cgroupns-mode", help="private or host  [default: host with cgroup v1, else private]"
    )
    cgroup_parent: str = value("--cgroup-parent", help="Control group above those of the containers  [default: /moby]")
    init: bool | None = _switched("init", "Run an init in containers that do not say")
    no_new_privileges: bool | None = _switched("no-new-privileges", "Give containers no new privileges by default")
    seccomp_profile: str = value("--seccomp-profile", help="builtin, unconfined or the file of a profile  [default: builtin]")
    storage_driver: str = value("-s", "--storage-driver", help="overlay2, which is the one that there is")
    exec_opt: list[str] = many("--exec-opt", help="native.cgroupdriver=cgroupfs, which is the one way that there is")
    iptables: bool | None = _switched("iptables", "Rules of the firewall (of nftables), which are always made")
    ip6tables: bool | None = _switched("ip6tables", "The same for IPv6")
    ip_forward: bool | None = _switched("ip-forward", "Forwarding in the kernel, which is always switched on")
    feature: list[str] = many(
        "--feature", help="buildkit=true or containerd-snapshotter=false, as it is by nature", metavar="map"
    )
    experimental: bool | None = _switched("experimental", "Experimental features, of which there are none")
    selinux_enabled: bool | None = _switched("selinux-enabled", "Labels of SELinux, which are not there")
    userland_proxy: bool | None = _switched("userland-proxy", "A proxy for loopback: ports are published there without one")
    log_format: str = value("--log-format", help="text, which is the one that there is")
