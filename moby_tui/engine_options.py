"""How an engine is configured. Each door (command line, daemon, dashboard, SDK) makes one ``EngineOptions`` and opens an engine with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from typing import Any

    from moby_tui.schema.container import Ulimit
    from moby_tui.schema.system import AddressPool

#: The runtime that is this engine itself, under the name that Docker's clients compare with and hand back.
BUILT_IN_RUNTIME = "runc"
_FILES = ("data_root", "exec_root", "signature_policy", "login_folder")


class CacheBounds(msgspec.Struct, frozen=True, kw_only=True):
    """How the build cache keeps itself small, in bytes; 0: no such bound, and of ``reserved`` a tenth of the disk if nothing else is set.

    ``reserved`` is kept in any case, at most ``most``, or less for ``free`` to be free on the disk.
    """

    enabled: bool = True
    reserved: int = 0
    most: int = 0
    free: int = 0


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the person who opens an engine has chosen for it. Paths may be given as text, and are absolute in the result."""

    #: images, containers and volumes; None: /var/lib/moby
    data_root: Path | None = None
    #: state of running containers; None: a folder in /run/moby that belongs to the data root
    exec_root: Path | None = None
    #: folders of OCI hook files, in the format of podman: see ``runtime/configuration/hook_files.py``
    hooks_dirs: tuple[Path, ...] = ()
    #: policy file that images must satisfy (docs/provenance.md); None: /etc/moby/policy.json if that exists
    signature_policy: Path | None = None
    #: folder of the logins' ``config.json``; None: DOCKER_CONFIG, or ~/.docker
    login_folder: Path | None = None
    #: programs of other OCI runtimes, by name
    runtimes: dict[str, str] = {}
    #: runtime of containers that name none
    default_runtime: str = BUILT_IN_RUNTIME
    #: user in /etc/subuid whose ids containers get that do not ask for a user namespace: ``default`` or ``USER[:GROUP]``; empty: none
    userns_remap: str = ""
    #: where networks get their subnets, in the order given; empty: Docker's own
    default_address_pools: tuple[AddressPool, ...] = ()
    #: whether containers live on when the daemon ends
    live_restore: bool = True
    #: whether the daemon logs what is asked and answered
    debug: bool = False
    #: ``key=value``, shown by ``info``
    labels: tuple[str, ...] = ()
    #: addresses that are asked before Docker Hub: ``https://mirror.example``
    registry_mirrors: tuple[str, ...] = ()
    #: registries that need no valid certificate and may speak plain HTTP: ``host``, ``host:port``, or addresses as ``10.0.0.0/8``
    insecure_registries: tuple[str, ...] = ()
    #: layers that are fetched, and blobs that are sent, at the same time, by all pulls or pushes of the engine; 0: no limit
    max_concurrent_downloads: int = 3
    max_concurrent_uploads: int = 5
    #: how often a request to a registry is tried that gets no further
    max_download_attempts: int = 5
    #: log driver of containers that name none, and options for those that have this driver
    log_driver: str = "json-file"
    log_options: dict[str, str] = {}
    #: of the build cache
    builder: CacheBounds = CacheBounds()
    #: bytes of the history of containers (figures, logs of removed ones); 0: no history is kept
    history_size: int = 64 << 20
    #: days after which it is dropped
    history_days: int = 7
    #: seconds from one sample of the figures to the next
    history_interval: int = 10
    #: name servers, search domains and options of containers that name none
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    #: the default bridge: its own IPv4 and IPv6 address with the prefix length; empty: chosen
    bip: str = ""
    bip6: str = ""
    #: the addresses of its containers
    fixed_cidr: str = ""
    fixed_cidr_v6: str = ""
    #: where their default routes lead; empty: to the bridge
    default_gateway: str = ""
    default_gateway_v6: str = ""
    #: bytes of its largest packet; 0: that of the host's ways out
    mtu: int = 0
    #: whether its containers reach each other
    icc: bool = True
    #: the host's address on which ports are published that name none
    ip: str = "0.0.0.0"
    #: whether what leaves it bears the host's address
    ip_masq: bool = True
    ipv6: bool = False
    #: options of new networks that do not have them, by driver
    default_network_options: dict[str, dict[str, str]] = {}
    #: what ``host-gateway`` stands for, an IPv4 and an IPv6 address at the most; empty: the host's address in the container's network
    host_gateway_ips: tuple[str, ...] = ()
    #: of containers that ask for no limit of the same name
    default_ulimits: tuple[Ulimit, ...] = ()
    #: bytes of /dev/shm
    default_shm_size: int = 64 << 20
    #: ``private`` or ``shareable``
    default_ipc_mode: str = "private"
    #: ``private`` or ``host``; empty: as Docker, ``host`` with control groups of version 1, else ``private``
    default_cgroupns_mode: str = ""
    #: whether containers have an init that say nothing of it
    init: bool = False
    no_new_privileges: bool = False
    #: control group above those of new containers; empty: /moby
    cgroup_parent: str = ""
    #: ``builtin``, ``unconfined`` or the file of a seccomp profile
    seccomp_profile: str = "builtin"

    def __post_init__(self) -> None:
        for name in _FILES:
            if (value := getattr(self, name)) is not None:
                msgspec.structs.force_setattr(self, name, _absolute(value))
        if self.hooks_dirs:
            msgspec.structs.force_setattr(self, "hooks_dirs", tuple(map(_absolute, self.hooks_dirs)))

    def replaced(self, **given: Any) -> EngineOptions:
        """A copy with these fields instead."""
        return msgspec.structs.replace(self, **given)

    @property
    def is_plain(self) -> bool:
        """True if nothing but folders and files has been chosen."""
        return all(getattr(self, name) == default for name, default in _DEFAULTS.items() if name not in _PLACES)

    @property
    def configures_bridge(self) -> bool:
        """True if anything has been chosen for the default bridge."""
        return any(getattr(self, name) != _DEFAULTS[name] for name in _OF_THE_BRIDGE)

    def check_in_process(self, host: str) -> None:
        """Raises ``InvalidArgument`` if any option is set: the engine that listens at ``host`` has been configured by its own daemon."""
        for name, default in _DEFAULTS.items():
            if getattr(self, name) != default:
                raise InvalidArgument(
                    f"{_FLAGS.get(name) or '--' + name.replace('_', '-')} is an option of the engine, "
                    f"and the one at {host} has its own: give it to the moby daemon there"
                )


def _absolute(path: str | Path) -> Path:
    return Path(path).absolute()


_DEFAULTS: dict[str, Any] = dict(zip(EngineOptions.__struct_fields__, msgspec.structs.astuple(EngineOptions()), strict=True))
#: The options of the command line that are not called as their field is.
_FLAGS = {
    "hooks_dirs": "--hooks-dir",
    "login_folder": "--config",
    "runtimes": "--add-runtime",
    "default_address_pools": "--default-address-pool",
    "labels": "--label",
    "registry_mirrors": "--registry-mirror",
    "insecure_registries": "--insecure-registry",
    "log_options": "--log-opt",
    "dns_options": "--dns-opt",
    "default_network_options": "--default-network-opt",
    "host_gateway_ips": "--host-gateway-ip",
    "default_ulimits": "--default-ulimit",
}
_OF_THE_BRIDGE = (
    *("bip", "bip6", "fixed_cidr", "fixed_cidr_v6", "default_gateway", "default_gateway_v6"),
    *("mtu", "icc", "ip", "ip_masq", "ipv6"),
)
#: What says where an engine is, and not how it works.
_PLACES = ("data_root", "exec_root", "hooks_dirs", "signature_policy", "login_folder")


def settled(options: EngineOptions | None, **given: Any) -> EngineOptions:
    """``options`` of a program, with those that it ``given`` by keyword instead; without ``options``, what the environment names is preset.

    None and an empty value mean: not given. A data root that is given does not have the exec root of the environment."""
    chosen = {name: value for name, value in given.items() if value}
    if options is None:
        options = _from_environment(with_roots="data_root" not in chosen)
    return options.replaced(**chosen) if chosen else options


def _from_environment(*, with_roots: bool) -> EngineOptions:
    variables = {"signature_policy": "MOBY_SIGNATURE_POLICY"}
    if with_roots:
        variables |= {"data_root": "MOBY_DATA_ROOT", "exec_root": "MOBY_EXEC_ROOT"}
    values: dict[str, Any] = {name: os.environ[variable] for name, variable in variables.items() if os.environ.get(variable)}
    return EngineOptions(**values)
