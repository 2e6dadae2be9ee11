"""The options of ``run`` with which a container was made, from what inspect says of it.

What the image presets is left out, and what the engine fills in where nothing was asked (docs: Engine API v1.51, ContainerInspect).
"""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from moby_tui.schema.container import (
    ContainerConfig,
    ContainerInspect,
    EndpointSettings,
    HealthConfig,
    HostConfig,
    Mount,
    PortBinding,
)

#: An option and its value; a flag has none.
Pair = tuple[str, str | None]

#: The names that engines give volumes that got none.
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
_SHM = 64 * 1024 * 1024
_NANO = 1_000_000_000
#: The drivers that an engine takes if the request names none; the form leaves them out unless they have options.
_LOG_DRIVERS = ("", "json-file", "journald", "k8s-file")
_BRIDGES = ("", "default", "bridge")
#: Names of runtimes that mean the engine's own.
_RUNTIMES = ("", "moby", "runc", "crun", "oci", "io.containerd.runc.v2")


@dataclass(slots=True)
class Settings:
    """A line of ``run`` in parts: the options in order, the image, and the command behind it."""

    image: str
    options: list[Pair] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def words(self) -> list[str]:
        """What follows ``moby run``."""
        return [*(word for name, value in self.options for word in _spelled(name, value)), self.image, *self.command]


def _spelled(name: str, value: str | None) -> list[str]:
    if value is None:
        return [name]
    # a value that begins with a dash would be taken for an option, were it a word of its own
    return [f"{name}={value}"] if value.startswith("-") or not value else [name, value]


def command_line(words: Sequence[str]) -> str:
    """The words as one would type them behind ``moby run``."""
    return shlex.join(["moby", "run", *words])


def settings_of(
    container: ContainerInspect, image: ContainerConfig | None = None, *, keep_volumes: bool = False, name: bool = True
) -> Settings:
    """The line that makes such a container again. ``image`` is the configuration of its image, whose presets are left out.

    With ``keep_volumes`` the new container gets the volumes without a name of the old one, else new ones. ``name`` false leaves out
    the name and what only one container can have: addresses and the ports of the host.
    """
    preset = image or ContainerConfig()
    config, host = container.config, container.host_config
    settings = Settings(config.image or container.image)
    settings.options = [("-d", None)]
    if name and container.name:
        settings.options.append(("--name", container.name.removeprefix("/")))
    settings.options += _process(container, preset)
    settings.options += _networks(container, unique=name)
    settings.options += _ports(host, unique=name)
    settings.options += _storage(container, preset, keep=keep_volumes)
    settings.options += _limits(host)
    settings.options += _isolation(host)
    settings.options += _keeping(host, config, preset)
    entrypoint, command = _entrypoint(config, preset)
    settings.options += entrypoint
    settings.command = command
    return settings


def _list(value: list[str] | str | None) -> list[str]:
    return ["/bin/sh", "-c", value] if isinstance(value, str) else list(value or [])


def _entrypoint(config: ContainerConfig, preset: ContainerConfig) -> tuple[list[Pair], list[str]]:
    """The option takes one word: what follows the first goes before the command."""
    entrypoint, command = _list(config.entrypoint), _list(config.cmd)
    if entrypoint == _list(preset.entrypoint):
        return [], [] if command == _list(preset.cmd) else command
    if not entrypoint:
        return [("--entrypoint", "")], command
    return [("--entrypoint", entrypoint[0])], [*entrypoint[1:], *command]


def _process(container: ContainerInspect, preset: ContainerConfig) -> Iterator[Pair]:
    config, host = container.config, container.host_config
    if config.open_stdin:
        yield "-i", None
    if config.tty:
        yield "-t", None
    if config.hostname and config.hostname != container.id[:12] and host.network_mode != "host" and not host.uts_mode:
        yield "--hostname", config.hostname
    yield from _given("--domainname", config.domainname)
    if config.user != preset.user:
        yield from _given("--user", config.user)
    if config.working_dir != (preset.working_dir or "") and config.working_dir != "/":
        yield from _given("--workdir", config.working_dir)
    yield from _all("--env", [entry for entry in config.env or [] if entry not in (preset.env or [])])
    yield from _pairs("--label", config.labels, preset.labels)
    if host.init:
        yield "--init", None
    if config.stop_signal != preset.stop_signal and config.stop_signal != "SIGTERM":
        yield from _given("--stop-signal", config.stop_signal)
    if config.stop_timeout is not None and config.stop_timeout != preset.stop_timeout:
        yield "--stop-timeout", str(config.stop_timeout)
    if config.healthcheck != preset.healthcheck:
        yield from _health(config.healthcheck or HealthConfig())
    yield from _given("--health-on-failure", config.healthcheck_on_failure_action or "")


def _health(check: HealthConfig) -> Iterator[Pair]:
    test = check.test or []
    if test[:1] == ["NONE"]:
        yield "--no-healthcheck", None
        return
    if test:
        yield "--health-cmd", test[1] if test[0] == "CMD-SHELL" and len(test) > 1 else shlex.join(test[1:])
    for name, value in (
        ("--health-interval", check.interval),
        ("--health-timeout", check.timeout),
        ("--health-start-period", check.start_period),
        ("--health-start-interval", check.start_interval),
    ):
        if value:
            yield name, f"{value / _NANO:g}s" if value % 1_000_000 == 0 else f"{value}ns"
    if check.retries:
        yield "--health-retries", str(check.retries)


def _ports(host: HostConfig, *, unique: bool) -> Iterator[Pair]:
    for port, bindings in (host.port_bindings or {}).items():
        number, _, protocol = port.partition("/")
        for binding in bindings or [PortBinding()]:
            inside = number if protocol in ("", "tcp") else f"{number}/{protocol}"
            address = f"[{binding.host_ip}]" if ":" in binding.host_ip else binding.host_ip
            outside = binding.host_port if unique else ""
            wanted = f"{address}:{outside}" if address and address not in ("0.0.0.0", "[::]") else outside
            yield "--publish", f"{wanted}:{inside}" if wanted else inside
    if host.publish_all_ports:
        yield "-P", None


def _networks(container: ContainerInspect, *, unique: bool) -> Iterator[Pair]:
    mode = container.host_config.network_mode
    joined = container.network_settings.networks
    first = [] if mode in _BRIDGES and len(joined) <= 1 else ["bridge" if mode in _BRIDGES else mode]
    for name in [*first, *(other for other in joined if other not in first and not (mode in _BRIDGES and other == "bridge"))]:
        if not first and name in _BRIDGES:
            continue
        yield "--network", _network(name, joined.get(name), container.id, unique=unique)


def _network(name: str, endpoint: EndpointSettings | None, identifier: str, *, unique: bool) -> str:
    """Short, or with what was asked of the network."""
    parts: list[str] = []
    if endpoint:
        parts += [f"alias={alias}" for alias in endpoint.aliases or [] if alias != identifier[:12]]
        addresses = endpoint.ipam_config
        if addresses and unique:
            parts += [
                f"{key}={value}" for key, value in (("ip", addresses.ipv4_address), ("ip6", addresses.ipv6_address)) if value
            ]
            parts += [f"link-local-ip={value}" for value in addresses.link_local_ips or []]
        parts += [f"driver-opt={key}={value}" for key, value in (endpoint.driver_opts or {}).items()]
        if endpoint.gw_priority:
            parts.append(f"gw-priority={endpoint.gw_priority}")
    return _comma([f"name={name}", *parts]) if parts else name


def _comma(parts: Iterable[str]) -> str:
    """One line of CSV, which the options with commas are."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(list(parts))
    return line.getvalue()


def _storage(container: ContainerInspect, preset: ContainerConfig, *, keep: bool) -> Iterator[Pair]:
    host = container.host_config
    bound = {bind.split(":")[1] for bind in host.binds or [] if ":" in bind}
    yield from _all("--volume", host.binds)
    targets = {mount.target for mount in host.mounts or []}
    for mount in host.mounts or []:
        yield "--mount", _mount(mount)
    for point in container.mounts:
        if point.type != "volume" or point.destination in bound | targets:
            continue
        if keep and _ANONYMOUS.fullmatch(point.name):
            yield "--volume", f"{point.name}:{point.destination}"
        elif point.destination not in (preset.volumes or {}) and point.destination in (container.config.volumes or {}):
            yield "--volume", point.destination
    for path, options in (host.tmpfs or {}).items():
        yield "--tmpfs", f"{path}:{options}" if options else path
    yield from _all("--volumes-from", host.volumes_from)
    yield from _given("--volume-driver", host.volume_driver)
    if host.readonly_rootfs:
        yield "--read-only", None
    if host.shm_size not in (0, _SHM):
        yield "--shm-size", str(host.shm_size)
    yield from _pairs("--storage-opt", host.storage_opt)
    for secret in host.secrets or []:
        parts = [f"source={secret.source}"]
        parts += [f"target={secret.target}"] if secret.target else []
        parts += [f"uid={secret.uid}"] if secret.uid else []
        parts += [f"gid={secret.gid}"] if secret.gid else []
        parts += [f"mode={secret.mode:04o}"] if secret.mode != 0o444 else []
        yield "--secret", _comma(parts)


def _mount(mount: Mount) -> str:
    parts = [f"type={mount.type}", *([f"source={mount.source}"] if mount.source else []), f"target={mount.target}"]
    parts += ["readonly"] if mount.read_only else []
    parts += [mount.id_map] if mount.id_map else []
    if bind := mount.bind_options:
        parts += [f"bind-propagation={bind.propagation}"] if bind.propagation else []
        parts += ["bind-recursive=disabled"] if bind.non_recursive else []
        parts += ["bind-recursive=writable"] if bind.read_only_non_recursive else []
        parts += ["bind-recursive=readonly"] if bind.read_only_force_recursive else []
        parts += ["bind-create-src"] if bind.create_mountpoint else []
    if volume := mount.volume_options:
        parts += ["volume-nocopy"] if volume.no_copy else []
        parts += [f"volume-subpath={volume.subpath}"] if volume.subpath else []
        parts += [f"volume-label={key}={value}" for key, value in (volume.labels or {}).items()]
        if driver := volume.driver_config:
            parts += [f"volume-driver={driver.name}"] if driver.name else []
            parts += [f"volume-opt={key}={value}" for key, value in (driver.options or {}).items()]
    if tmpfs := mount.tmpfs_options:
        parts += [f"tmpfs-size={tmpfs.size_bytes}"] if tmpfs.size_bytes else []
        parts += [f"tmpfs-mode={tmpfs.mode:o}"] if tmpfs.mode else []
    if mount.image_options and mount.image_options.subpath:
        parts.append(f"image-subpath={mount.image_options.subpath}")
    return _comma(parts)


def _limits(host: HostConfig) -> Iterator[Pair]:
    if host.memory:
        yield "--memory", _bytes(host.memory)
    if host.memory_swap and host.memory_swap != 2 * host.memory:
        yield "--memory-swap", "-1" if host.memory_swap < 0 else _bytes(host.memory_swap)
    if host.memory_reservation:
        yield "--memory-reservation", _bytes(host.memory_reservation)
    if host.nano_cpus:
        yield "--cpus", f"{host.nano_cpus / _NANO:.9f}".rstrip("0").rstrip(".")
    numbers = {
        "--cpu-shares": host.cpu_shares,
        "--cpu-period": host.cpu_period,
        "--cpu-quota": host.cpu_quota,
        "--cpu-rt-period": host.cpu_realtime_period,
        "--cpu-rt-runtime": host.cpu_realtime_runtime,
        "--blkio-weight": host.blkio_weight,
        "--oom-score-adj": host.oom_score_adj,
        "--pids-limit": host.pids_limit or 0,
    }
    yield from ((name, str(number)) for name, number in numbers.items() if number)
    if host.memory_swappiness not in (None, -1):
        yield "--memory-swappiness", str(host.memory_swappiness)
    if host.oom_kill_disable:
        yield "--oom-kill-disable", None
    yield from _given("--cpuset-cpus", host.cpuset_cpus)
    yield from _given("--cpuset-mems", host.cpuset_mems)
    for name, weights in (("--blkio-weight-device", host.blkio_weight_device),):
        yield from ((name, f"{one.path}:{one.weight}") for one in weights or [])
    for name, rates in (
        ("--device-read-bps", host.blkio_device_read_bps),
        ("--device-write-bps", host.blkio_device_write_bps),
        ("--device-read-iops", host.blkio_device_read_iops),
        ("--device-write-iops", host.blkio_device_write_iops),
    ):
        yield from ((name, f"{one.path}:{one.rate}") for one in rates or [])
    yield from (("--ulimit", f"{one.name}={one.soft}:{one.hard}") for one in host.ulimits or [])
    yield from _given("--cgroup-parent", host.cgroup_parent)


def _bytes(count: int) -> str:
    """``256m``: in the largest unit without a rest."""
    for unit in ("", "k", "m"):
        if count % 1024 or not count:
            return f"{count}{unit}"
        count //= 1024
    return f"{count}g"


def _isolation(host: HostConfig) -> Iterator[Pair]:
    if host.privileged:
        yield "--privileged", None
    yield from _all("--cap-add", host.cap_add)
    yield from _all("--cap-drop", host.cap_drop)
    options = [one for one in host.security_opt or [] if not (host.privileged and one == "label=disable")]
    yield from _all("--security-opt", options)
    if host.masked_paths == [] and host.readonly_paths == [] and not host.privileged:
        yield "--security-opt", "systempaths=unconfined"
    yield from _pairs("--sysctl", host.sysctls)
    for device in host.devices or []:
        rights = "" if device.cgroup_permissions == "rwm" else f":{device.cgroup_permissions}"
        yield "--device", f"{device.path_on_host}:{device.path_in_container}{rights}"
    yield from _all("--device-cgroup-rule", host.device_cgroup_rules)
    for request in host.device_requests or []:
        if request.driver == "cdi":
            yield from _all("--device", request.device_ids)
        else:
            ids = ",".join(request.device_ids or [])
            yield "--gpus", f'"device={ids}"' if ids else "all" if request.count == -1 else str(request.count)
    yield from _given("--pid", host.pid_mode)
    if host.ipc_mode not in ("", "private"):
        yield "--ipc", host.ipc_mode
    yield from _given("--uts", host.uts_mode)
    yield from _given("--userns", host.userns_mode)
    if host.cgroupns_mode == "host":
        yield "--cgroupns", host.cgroupns_mode
    yield from _all("--group-add", host.group_add)
    yield from _given("--umask", host.umask)


def _keeping(host: HostConfig, config: ContainerConfig, preset: ContainerConfig) -> Iterator[Pair]:
    policy = host.restart_policy
    if policy.name not in ("", "no"):
        count = f":{policy.maximum_retry_count}" if policy.maximum_retry_count else ""
        yield "--restart", f"{policy.name}{count}"
    if host.auto_remove:
        yield "--rm", None
    if host.log_config.type not in _LOG_DRIVERS or (host.log_config.config and host.log_config.type):
        yield "--log-driver", host.log_config.type
    yield from _pairs("--log-opt", host.log_config.config)
    published = host.port_bindings or {}
    exposed = [port for port in config.exposed_ports or {} if port not in published and port not in (preset.exposed_ports or {})]
    yield from _all("--expose", exposed)
    yield from _all("--add-host", host.extra_hosts)
    yield from _all("--dns", host.dns)
    yield from _all("--dns-option", host.dns_options)
    yield from _all("--dns-search", host.dns_search)
    yield from _all("--link", [_link(one) for one in host.links or []])
    yield from _pairs("--annotation", host.annotations)
    if host.runtime not in _RUNTIMES:
        yield "--runtime", host.runtime


def _link(link: str) -> str:
    """``/database:/web/db`` as inspect has it, ``database:db`` as one writes it."""
    name, _, alias = link.partition(":")
    return f"{name.removeprefix('/')}:{alias.rpartition('/')[2]}" if alias else name


def _given(name: str, value: str) -> Iterator[Pair]:
    if value:
        yield name, value


def _all(name: str, values: Iterable[str] | None) -> Iterator[Pair]:
    return ((name, value) for value in values or ())


def _pairs(name: str, values: dict[str, str] | None, preset: dict[str, str] | None = None) -> Iterator[Pair]:
    known = preset or {}
    return ((name, f"{key}={value}") for key, value in (values or {}).items() if known.get(key) != value)
