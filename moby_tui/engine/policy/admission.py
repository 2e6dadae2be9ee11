"""Checks a request to create a container, in the engine. The error texts are the Docker Engine's where it has one.

Mounts, logs, names, signals and security options are checked by the modules that read them.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from moby_tui.engine.policy import limits
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.schema.container import (
    ContainerConfig,
    ContainerCreate,
    DeviceMapping,
    EndpointSettings,
    HostConfig,
    RestartPolicy,
    Ulimit,
)

_LEAST_NANOSECONDS = 1_000_000
#: The values of Podman's ``--health-on-failure``.
_HEALTH_ACTIONS = ("none", "kill", "restart", "stop")
#: The annotation by which a client without that option asks for it.
HEALTH_ON_FAILURE = "moby.health-on-failure"
_PORT = r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?"
#: Any name that the kernel takes, as in Docker, but without control characters: one could begin a new line in /etc/hosts.
_HOST_NAME = r"[^\x00-\x1f\x7f]*"
_MAC = r"[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5}|[0-9a-fA-F]{4}(?:\.[0-9a-fA-F]{4}){2}"
_HOST_NAME_LENGTH = 64
#: ``c 13:* rwm`` (cgroup-v1/devices.rst).
DEVICE_RULE = r"([acb]) ([0-9]{1,8}|\*):([0-9]{1,8}|\*) ([rwm]{1,3})"
_GROUP = r"[^:\s]+"
#: The modes without an argument; those that take ``container:NAME``; what Docker calls the mode.
_NAMESPACE_MODES: tuple[tuple[str, frozenset[str], bool, str], ...] = (
    ("cgroupns_mode", frozenset({"", "private", "host"}), False, "cgroup namespace"),
    ("ipc_mode", frozenset({"", "none", "private", "shareable", "host"}), True, "IPC"),
    ("pid_mode", frozenset({"", "private", "host"}), True, "PID"),
    ("uts_mode", frozenset({"", "private", "host"}), False, "UTS"),
)
_CONTAINER = "container:"


def check(asked: ContainerCreate) -> tuple[ContainerCreate, list[str]]:
    """Returns the request without the limits that this machine cannot enforce, and the warnings for the client.

    Raises ``InvalidArgument`` for a value that cannot be, ``NotImplementedYet`` for an option that is not here.
    """
    host = asked.host_config
    _check_config(asked)
    _check_namespaces(asked)
    _require(host.isolation.lower() in ("", "default"), f"invalid isolation ({host.isolation}): linux only supports 'default'")
    if host.cgroup:
        raise NotImplementedYet("option --cgroup")
    _require(host.shm_size >= 0, "SHM size can not be less than 0")
    host, warnings = limits.settle(host)
    _check_process(host)
    check_restart(host.restart_policy, auto_remove=host.auto_remove)
    check_health(asked)
    _check_devices(host.devices or [])
    for rule in host.device_cgroup_rules or []:
        _require(bool(re.fullmatch(DEVICE_RULE, rule)), f"invalid device cgroup rule format: '{rule}'")
    _check_parent(host.cgroup_parent)
    _require("" not in (host.annotations or {}), "invalid Annotations: the empty string is not permitted as an annotation key")
    _check_sysctls(host)
    _check_network(asked)
    host = replace(host, console_size=console(host.console_size))
    return replace(asked, host_config=host), warnings + _warnings(asked)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidArgument(message)


def check_presets(ulimits: Iterable[Ulimit], cgroup_parent: str) -> None:
    """What the engine's options preset for all containers. Raises ``InvalidArgument``."""
    for limit in ulimits:
        _check_ulimit(limit)
    _check_parent(cgroup_parent)


def _check_parent(parent: str) -> None:
    _require("\0" not in parent, "invalid cgroup parent: a NUL byte cannot be in it")


def _check_config(config: ContainerConfig) -> None:
    if not config.image:
        _require(any((*_words(config.entrypoint), *_words(config.cmd))), "no command specified")
        raise InvalidArgument("no image specified: name the image to make the container of")
    _require(
        config.working_dir.startswith("/") or not config.working_dir,
        f"the working directory '{config.working_dir}' is invalid, it needs to be an absolute path",
    )
    for kind, name in (("hostname", config.hostname), ("domainname", config.domainname)):
        fits = len(os.fsencode(name)) <= _HOST_NAME_LENGTH
        _require(fits, f"invalid {kind}: {name[:80]!r} is longer than {_HOST_NAME_LENGTH} bytes")
        _require(bool(re.fullmatch(_HOST_NAME, name)), f"invalid {kind} format: {name!r}; no control character can be in it")
    for entry in config.env or []:
        _require(not entry.startswith("=") and bool(entry), f"invalid environment variable: {entry}")
    texts = [config.working_dir, config.user, *(config.env or []), *_words(config.cmd), *_words(config.entrypoint)]
    _require(not any("\0" in text for text in texts), "invalid container configuration: a NUL byte cannot be in it")


def _words(value: list[str] | str | None) -> list[str]:
    return [value] if isinstance(value, str) else value or []


def _check_process(host: HostConfig) -> None:
    adjustment = host.oom_score_adj
    _require(-1000 <= adjustment <= 1000, f"Invalid value {adjustment}, range for oom score adj is [-1000, 1000]")
    _require(bool(re.fullmatch(r"[0-7]{0,4}", host.umask)), f"invalid umask {host.umask!r}: give octal digits, as in 0027")
    for limit in host.ulimits or []:
        _check_ulimit(limit)
    _require("" not in (host.annotations or {}), "invalid Annotations: the empty string is not permitted as an annotation key")
    for group in host.group_add or []:
        _require(bool(re.fullmatch(_GROUP, group)), f"invalid group {group!r}: give a name or a number")


def console(size: list[int] | None) -> list[int] | None:
    """Rows and columns of a terminal, as in ``struct winsize`` (ioctl_tty(2)): what is missing is 0, what is too much is left out.

    Raises ``InvalidArgument``.
    """
    for cells in size or ():
        _require(0 <= cells < 1 << 16, f"invalid ConsoleSize: {cells} is not a number of rows or columns")
    return size and [*size, 0][:2]


def _check_ulimit(limit: Ulimit) -> None:
    import resource

    known = {name.removeprefix("RLIMIT_").lower() for name in dir(resource) if name.startswith("RLIMIT_")} - {"ofile"}
    _require(limit.name in known, f"invalid ulimit type: {limit.name}")
    soft, hard = (value if value >= 0 else 1 << 64 for value in (limit.soft, limit.hard))
    _require(soft <= hard, f"ulimit soft limit must be less than or equal to hard limit: {limit.soft} > {limit.hard}")


def _check_devices(devices: list[DeviceMapping]) -> None:
    for device in devices:
        inside = device.path_in_container or device.path_on_host
        _require(
            device.path_on_host.startswith("/") and inside.startswith("/") and "\0" not in device.path_on_host + inside,
            f"{device.path_on_host} is not an absolute path",
        )
        letters = device.cgroup_permissions
        _require(set(letters) <= set("rwm") and len(set(letters)) == len(letters), f"bad mode specified: {letters}")


#: The settings that the kernel keeps for each IPC namespace (ipc_namespaces(7)), beside those under fs.mqueue.
_IPC = frozenset(
    {f"kernel.{name}" for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced")}
)


def _check_sysctls(host: HostConfig) -> None:
    """Allows sysctls that the kernel keeps per namespace, if the container does not share that namespace."""
    for name in host.sysctls or {}:
        plain = name.replace("/", ".")
        whole = f"sysctl '{name}' is not in a separate kernel namespace: it would change the whole machine"
        _require(bool(re.fullmatch(r"[a-zA-Z0-9_.-]+", plain)) and ".." not in plain, f"invalid sysctl name {name!r}")
        if plain.startswith("net."):
            _require(host.network_mode != "host", f"sysctl '{name}' not allowed in host network namespace")
        elif plain in _IPC or plain.startswith("fs.mqueue."):
            _require(host.ipc_mode != "host", f"sysctl '{name}' not allowed in host ipc namespace")
        else:
            _require(plain == "kernel.domainname" and host.uts_mode != "host", whole)


def check_ports(asked: ContainerCreate) -> None:
    """What is to be exposed and published. Raises ``InvalidArgument``."""
    for port in asked.exposed_ports or {}:
        _check_port(port)
    for port, bindings in (asked.host_config.port_bindings or {}).items():
        _check_port(port)
        _require("-" not in port, f'invalid port specification: "{port}"; bind each of its ports by itself')
        for binding in bindings or []:
            _require(not binding.host_ip or _is_address(binding.host_ip), f"invalid host IP address: {binding.host_ip}")
            if binding.host_port:
                _check_port(binding.host_port, least=0)


def _check_namespaces(asked: ContainerCreate) -> None:
    """Checks which namespaces a request shares, and which options exclude that. Raises ``InvalidArgument``."""
    host = asked.host_config
    for field, plain, joinable, name in _NAMESPACE_MODES:
        mode: str = getattr(host, field)
        if mode not in plain and not (joinable and _names_container(mode)):
            raise InvalidArgument(f"invalid {name} mode: {mode}")
    if host.userns_mode not in ("", "host"):
        # few containers have one
        from moby_tui.engine.policy import user_namespaces

        user_namespaces.parse(host.userns_mode)
    if host.network_mode.partition(":")[0] == "container":
        _check_joined_network(asked)


def _names_container(mode: str) -> bool:
    return mode.startswith(_CONTAINER) and len(mode) > len(_CONTAINER)


def _check_joined_network(asked: ContainerCreate) -> None:
    """A container that joins another's network namespace can set neither addresses, ports nor names."""
    host = asked.host_config
    if not _names_container(host.network_mode):
        raise InvalidArgument("invalid network mode: invalid container format container:<name|id>")
    conflicts = (
        (asked.hostname, "hostname and the network mode"),
        (host.links, "container type network can't be used with links. This would result in undefined behavior"),
        (host.dns, "dns and the network mode"),
        (host.extra_hosts, "custom host-to-IP mapping and the network mode"),
        (asked.mac_address, "mac-address and the network mode"),
        (any(host.port_bindings or {}) or host.publish_all_ports, "port publishing and the container type network mode"),
        (asked.exposed_ports, "port exposing and the container type network mode"),
    )
    for given, text in conflicts:
        if given:
            raise InvalidArgument(f"conflicting options: {text}")


def _check_network(asked: ContainerCreate) -> None:
    host = asked.host_config
    _require(host.uts_mode != "host" or not asked.hostname, "conflicting options: hostname and the UTS mode")
    check_ports(asked)
    for server in host.dns or []:
        _require(_is_address(server), f"invalid DNS server {server!r}: give an IP address")
    for word in (*(host.dns_search or []), *(host.dns_options or [])):
        # it becomes one word of /etc/resolv.conf
        _require(
            bool(re.fullmatch(r"[^\s\x00-\x1f\x7f]*", word)),
            f"invalid DNS search domain or option {word!r}: no space can be in it",
        )
    for entry in host.extra_hosts or []:
        name, separator, address = entry.partition(":")
        _require(bool(name and separator), f'bad format for add-host: "{entry}"')
        _require(address == "host-gateway" or _is_address(address), f'invalid IP address in add-host: "{address}"')
    address = asked.mac_address
    _require(not address or bool(re.fullmatch(_MAC, address)), f"invalid MAC address: {address}; write it as 02:42:ac:11:00:02")
    for endpoint in ((asked.networking_config and asked.networking_config.endpoints_config) or {}).values():
        if endpoint is not None:
            _check_endpoint(endpoint)


def _check_endpoint(endpoint: EndpointSettings) -> None:
    address = endpoint.mac_address
    _require(not address or bool(re.fullmatch(_MAC, address)), f"invalid MAC address: {address}; write it as 02:42:ac:11:00:02")


def _check_port(text: str, *, least: int = 1) -> None:
    """``80``, ``80/tcp`` or ``8000-8010/udp``, from ``least`` on. Raises ``InvalidArgument`` in dockerd's words."""
    match = re.fullmatch(_PORT, text, flags=re.IGNORECASE)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (-1, -1)
    number, _, protocol = text.partition("/")
    if match is None and re.fullmatch(_PORT, number):
        raise InvalidArgument(f'invalid port protocol: "{protocol}"; tcp, udp and sctp can be')
    _require(least <= first <= last <= 65535, f'invalid port specification: "{number}"')


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _warnings(asked: ContainerCreate) -> list[str]:
    host = asked.host_config
    if host.network_mode == "host" and any((host.port_bindings or {}).values()):
        return ["Published ports are discarded when using host network mode"]
    return []


def check_restart(policy: RestartPolicy, *, auto_remove: bool) -> None:
    """Raises ``InvalidArgument``."""
    name, count = policy.name, policy.maximum_retry_count
    if name not in ("", "no", "always", "on-failure", "unless-stopped"):
        raise InvalidArgument(
            f"invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if name == "on-failure" and count < 0:
        raise InvalidArgument("invalid restart policy: maximum retry count cannot be negative")
    if name != "on-failure" and count:
        negative = " and cannot be negative" if count < 0 else ""
        raise InvalidArgument(f"invalid restart policy: maximum retry count can only be used with 'on-failure'{negative}")
    if auto_remove and name not in ("", "no"):
        raise InvalidArgument("can't create 'AutoRemove' container with restart policy")


def on_failure(asked: ContainerCreate) -> str | msgspec.UnsetType:
    """What is to be done to an unhealthy container: one of ``_HEALTH_ACTIONS`` if the request is valid; unset if it does not say."""
    return asked.healthcheck_on_failure_action or (asked.host_config.annotations or {}).get(HEALTH_ON_FAILURE) or msgspec.UNSET


def check_health(asked: ContainerCreate) -> None:
    """Raises ``InvalidArgument``."""
    check = asked.healthcheck
    action = on_failure(asked) or "none"
    if action not in _HEALTH_ACTIONS:
        raise InvalidArgument(f"invalid action {action!r} for an unhealthy container: use none, kill, restart or stop")
    if action == "restart" and asked.host_config.auto_remove:
        raise InvalidArgument("a container that is restarted when it is unhealthy cannot be removed when it exits")
    if check is None:
        return
    for name, value in (
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ):
        if value and value < _LEAST_NANOSECONDS:
            raise InvalidArgument(f"{name} in Healthcheck cannot be less than 1ms")
    if check.retries < 0:
        raise InvalidArgument("Retries in Healthcheck cannot be negative")
