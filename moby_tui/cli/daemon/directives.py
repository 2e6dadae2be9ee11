"""What can be set for a daemon: by which key of ``daemon.json``, by which flag, and what becomes of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from moby_tui.cli.daemon import kinds
from moby_tui.cli.daemon.kinds import Kind


class Directive(NamedTuple):
    """``key`` is that of the file, ``flag`` the field of ``DaemonOptions``, ``field`` that of ``EngineOptions``; ``reloaded``: on SIGHUP."""

    key: str
    kind: Kind
    flag: str
    field: str
    reloaded: bool = False


def _directive(key: str, kind: Kind, flag: str = "", field: str = "", *, reloaded: bool = False) -> Directive:
    name = key.replace("-", "_")
    return Directive(key, kind, flag or name, field or name, reloaded)


#: Those of the daemon itself: fields of ``DaemonConfiguration``.
OF_THE_DAEMON = (
    _directive("hosts", kinds.STRINGS, "host"),
    _directive("group", kinds.STRING),
    _directive("shutdown-timeout", kinds.NUMBER, reloaded=True),
    _directive("tls", kinds.BOOLEAN),
    _directive("tlsverify", kinds.BOOLEAN),
    _directive("tlscacert", kinds.STRING),
    _directive("tlscert", kinds.STRING),
    _directive("tlskey", kinds.STRING),
    _directive("log-level", kinds.STRING),
    _directive("pidfile", kinds.STRING),
    _directive("allowed-hosts", kinds.STRINGS, "allowed_host"),
    _directive("proxies", kinds.PROXIES, "http_proxy"),
)
#: Those of its engine.
OF_THE_ENGINE = (
    _directive("data-root", kinds.STRING),
    _directive("exec-root", kinds.STRING),
    _directive("debug", kinds.BOOLEAN, reloaded=True),
    _directive("labels", kinds.STRINGS, "label", reloaded=True),
    _directive("live-restore", kinds.BOOLEAN, reloaded=True),
    _directive("runtimes", kinds.RUNTIMES, "add_runtime", reloaded=True),
    _directive("default-runtime", kinds.STRING, reloaded=True),
    _directive("userns-remap", kinds.STRING),
    _directive("registry-mirrors", kinds.STRINGS, "registry_mirror", reloaded=True),
    _directive("insecure-registries", kinds.STRINGS, "insecure_registry", reloaded=True),
    _directive("max-concurrent-downloads", kinds.NUMBER, reloaded=True),
    _directive("max-concurrent-uploads", kinds.NUMBER, reloaded=True),
    _directive("max-download-attempts", kinds.NUMBER, reloaded=True),
    _directive("log-driver", kinds.STRING),
    _directive("log-opts", kinds.MAP, "log_opt", "log_options"),
    _directive("builder", kinds.BUILDER, reloaded=True),
    _directive("history-size", kinds.SIZE, reloaded=True),
    _directive("history-days", kinds.NUMBER, reloaded=True),
    _directive("history-interval", kinds.NUMBER, reloaded=True),
    _directive("dns", kinds.STRINGS),
    _directive("dns-search", kinds.STRINGS),
    _directive("dns-opts", kinds.STRINGS, "dns_opt", "dns_options"),
    _directive("default-address-pools", kinds.POOLS, "default_address_pool"),
    _directive("default-network-opts", kinds.MAPS, "default_network_opt", "default_network_options"),
    _directive("host-gateway-ips", kinds.STRINGS, "host_gateway_ip"),
    _directive("bip", kinds.STRING),
    _directive("bip6", kinds.STRING),
    _directive("fixed-cidr", kinds.STRING),
    _directive("fixed-cidr-v6", kinds.STRING),
    _directive("default-gateway", kinds.STRING),
    _directive("default-gateway-v6", kinds.STRING),
    _directive("mtu", kinds.NUMBER),
    _directive("icc", kinds.BOOLEAN),
    _directive("ip", kinds.STRING),
    _directive("ip-masq", kinds.BOOLEAN),
    _directive("ipv6", kinds.BOOLEAN),
    _directive("default-ulimits", kinds.ULIMITS, "default_ulimit"),
    _directive("default-shm-size", kinds.SIZE, reloaded=True),
    _directive("default-ipc-mode", kinds.STRING, reloaded=True),
    _directive("default-cgroupns-mode", kinds.STRING, reloaded=True),
    _directive("cgroup-parent", kinds.STRING),
    _directive("init", kinds.BOOLEAN),
    _directive("no-new-privileges", kinds.BOOLEAN),
    _directive("seccomp-profile", kinds.STRING),
)
DIRECTIVES = {directive.key: directive for directive in (*OF_THE_DAEMON, *OF_THE_ENGINE)}
_FEATURES = {"buildkit": True, "containerd-snapshotter": False}
#: Keys of dockerd for which the engine knows one way only, which file and flags may ask for: by key the values that ask for it.
ONLY: dict[str, tuple[Any, ...]] = {
    "storage-driver": ("overlay2",),
    "exec-opts": (["native.cgroupdriver=cgroupfs"],),
    "iptables": (True,),
    "ip6tables": (True,),
    "ip-forward": (True,),
    "features": tuple(
        {name: value for name, value in _FEATURES.items() if name in names}
        for names in (("buildkit",), ("containerd-snapshotter",), tuple(_FEATURES), ())
    ),
    "experimental": (False,),
    "selinux-enabled": (False,),
    "rootless": (False,),
    # ports are published without a process for each: with the proxy or without it there is nothing else to start
    "userland-proxy": (True, False),
    "allow-direct-routing": (False,),
    "ip-forward-no-drop": (False,),
    "raw-logs": (False,),
    "log-format": ("text",),
    "storage-opts": ([],),
    "cdi-spec-dirs": (["/etc/cdi", "/var/run/cdi"],),
}
#: The other keys of dockerd 28.5: why this engine has none of it, or what to do in its place.
REFUSED = {
    "authorization-plugins": "who may open the socket may do everything: put a proxy that decides before it",
    "bridge": "the default bridge is the engine's own: configure it by bip and default-network-opts, or use --network none",
    "containerd": "there is no containerd: the engine runs containers itself",
    "containerd-namespace": "there is no containerd: the engine runs containers itself",
    "containerd-plugin-namespace": "there is no containerd: the engine runs containers itself",
    "cpu-rt-period": "real-time budgets of processors are not given to containers",
    "cpu-rt-runtime": "real-time budgets of processors are not given to containers",
    "host-gateway-ip": "this is the former name of host-gateway-ips, a list",
    "http-proxy": "write it in the object proxies",
    "https-proxy": "write it in the object proxies",
    "no-proxy": "write it in the object proxies",
    "init-path": "the program of --init is built in",
    "metrics-addr": "no figures are served for Prometheus: ask GET /containers/NAME/stats",
    "network-control-plane-mtu": "it is of a swarm, and this engine is in none",
    "node-generic-resources": "they are of a swarm, and this engine is in none",
    "swarm-default-advertise-addr": "it is of a swarm, and this engine is in none",
    "userland-proxy-path": "the forwarder of ports is built in",
}
#: Flags for keys of ``ONLY``: the fields of ``DaemonOptions`` by key.
ONLY_FLAGS = {
    "storage-driver": "storage_driver",
    "exec-opts": "exec_opt",
    "iptables": "iptables",
    "ip6tables": "ip6tables",
    "ip-forward": "ip_forward",
    "features": "feature",
    "experimental": "experimental",
    "selinux-enabled": "selinux_enabled",
    "userland-proxy": "userland_proxy",
    "log-format": "log_format",
}
