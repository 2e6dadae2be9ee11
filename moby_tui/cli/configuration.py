"""From the options of ``run`` and ``create`` to the body of the API's create call.

Every option is passed on; the engine refuses by name those that it does not have yet.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import msgspec

from moby_tui.cli.table.run import CreateOptions, LimitOptions, UpdateOptions
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import (
    ContainerCreate,
    ContainerUpdate,
    EndpointSettings,
    HealthConfig,
    HostConfig,
    LogConfig,
    NetworkingConfig,
    PortBinding,
    PortChanges,
    RestartPolicy,
    Ulimit,
)

_STREAMS = ("stdin", "stdout", "stderr")


def create_request(options: CreateOptions, image: str, command: list[str], *, detached: bool) -> ContainerCreate:
    """The container that was asked for. Raises ``InvalidArgument`` for an option that cannot be read or contradicts another."""
    attached = _attached(options, detached=detached)
    published, exposed = _ports(options)
    binds, anonymous = _volumes(options)
    request = ContainerCreate(
        image=image,
        cmd=command or None,
        entrypoint=None if options.entrypoint is None else [options.entrypoint],
        hostname=options.hostname,
        domainname=options.domainname,
        user=options.user,
        working_dir=options.workdir,
        tty=options.tty,
        open_stdin=options.interactive,
        attach_stdin="stdin" in attached,
        attach_stdout="stdout" in attached,
        attach_stderr="stderr" in attached,
        stdin_once=options.interactive and "stdin" in attached,
        env=_environment(options),
        labels=_pairs("--label", options.label, options.label_file),
        exposed_ports=exposed or None,
        volumes=anonymous or None,
        stop_signal=options.stop_signal,
        stop_timeout=options.stop_timeout,
        healthcheck=_health(options),
        healthcheck_on_failure_action=options.health_on_failure or msgspec.UNSET,
    )
    request.host_config = _host_config(options)
    request.host_config.port_bindings = published or None
    request.host_config.binds = binds or None
    mode, endpoints = _networks(options)
    request.host_config.network_mode = mode
    request.networking_config = NetworkingConfig(endpoints_config=endpoints) if endpoints else None
    return request


def _environment(options: CreateOptions) -> list[str] | None:
    if not options.env and not options.env_file:
        return None
    from moby_tui.cli.values.environment import environment

    return environment(options.env, options.env_file, os.environ) or None


def _pairs(option: str, specs: list[str], files: list[str] | None = None) -> dict[str, str] | None:
    """The keys and values of an option that is given as ``key=value``; None if there are none."""
    if not specs and not files:
        return None
    from moby_tui.cli.values.environment import pairs

    return pairs(option, specs, files or []) or None


def _ports(options: CreateOptions) -> tuple[dict[str, list[PortBinding] | None], dict[str, dict[str, Any]]]:
    """The published ports, and the exposed ones."""
    if not options.publish and not options.expose:
        return {}, {}
    from moby_tui.cli.values import ports

    published = ports.port_bindings(options.publish)
    return published, ports.exposed_ports(options.expose, published)


def _volumes(options: CreateOptions) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """The bind mounts and named volumes, then the anonymous ones."""
    if not options.volume:
        return [], {}
    from moby_tui.cli.values import mounts

    return mounts.volumes(options.volume)


def _mounts(options: CreateOptions) -> dict[str, Any]:
    if not options.mount and not options.tmpfs:
        return {}
    from moby_tui.cli.values import mounts

    return {"mounts": [mounts.parse_mount(spec) for spec in options.mount] or None, "tmpfs": mounts.tmpfs(options.tmpfs) or None}


def _secrets(options: CreateOptions) -> dict[str, Any]:
    if not options.secret:
        return {}
    from moby_tui.cli.values import secrets

    return {"secrets": [secrets.reference(spec) for spec in options.secret]}


def _networks(options: CreateOptions) -> tuple[str, dict[str, EndpointSettings | None]]:
    """The network mode, and what is asked of each network."""
    shared = {
        "alias": options.network_alias,
        "ip": _one(options.ip),
        "ip6": _one(options.ip6),
        "link_local_ip": options.link_local_ip,
        "mac_address": _one(options.mac_address),
    }
    if not options.network and not any(shared.values()):
        return "", {}
    from moby_tui.cli.values import networks

    mode, endpoints = networks.networks(options.network, **shared)
    if options.link:
        networks.link(mode, endpoints, options.link)
    return mode, endpoints


def _one(text: str) -> list[str]:
    return [text] if text else []


def _attached(options: CreateOptions, *, detached: bool) -> set[str]:
    chosen = {stream.lower() for stream in options.attach}
    if unknown := chosen.difference(_STREAMS):
        raise InvalidArgument(f"invalid stream {min(unknown)!r} for --attach: use stdin, stdout or stderr")
    if detached:
        if chosen:
            raise InvalidArgument("options --attach and --detach contradict each other")
        return set()
    return (chosen or {"stdout", "stderr"}) | ({"stdin"} if options.interactive else set())


def _health(options: CreateOptions) -> HealthConfig | None:
    """None without an option for it, so that the image's own check applies."""
    durations = _durations(
        interval=options.health_interval,
        timeout=options.health_timeout,
        start_period=options.health_start_period,
        start_interval=options.health_start_interval,
    )
    is_requested = bool(options.health_cmd or options.health_retries or any(durations.values()))
    if options.no_healthcheck:
        if is_requested:
            raise InvalidArgument("option --no-healthcheck contradicts the --health options")
        return HealthConfig(test=["NONE"])
    if not is_requested:
        return None
    test = ["CMD-SHELL", options.health_cmd] if options.health_cmd else None
    return HealthConfig(test=test, retries=options.health_retries, **durations)


def _durations(**asked: str) -> dict[str, int]:
    """The given durations, in nanoseconds."""
    given = {name: text for name, text in asked.items() if text}
    if not given:
        return {}
    from moby_tui.cli.values import units

    return {name: units.parse_nanoseconds(text) for name, text in given.items()}


def _host_config(options: CreateOptions) -> HostConfig:
    security_opt, masked, read_only = _security(options.security_opt)
    return HostConfig(
        container_id_file=options.cidfile,
        auto_remove=options.rm,
        console_size=_console_size(options),
        init=options.init or None,
        umask=options.umask,
        restart_policy=_restart(options.restart, auto_remove=options.rm),
        log_config=LogConfig(type=options.log_driver, config=_pairs("--log-opt", options.log_opt)),
        # an empty name is for the engine to refuse, as with docker
        annotations={name: text for name, _, text in (spec.partition("=") for spec in options.annotation)} or None,
        runtime=options.runtime,
        group_add=options.group_add or None,
        # storage
        **_mounts(options),
        volume_driver=options.volume_driver,
        volumes_from=options.volumes_from or None,
        readonly_rootfs=options.read_only,
        shm_size=_size(options.shm_size),
        **_secrets(options),
        storage_opt=_pairs("--storage-opt", options.storage_opt),
        # network
        publish_all_ports=options.publish_all,
        extra_hosts=extra_hosts(options.add_host) or None,
        dns=options.dns or None,
        dns_options=options.dns_option or None,
        dns_search=options.dns_search or None,
        links=options.link or None,
        # isolation
        privileged=options.privileged,
        cap_add=options.cap_add or None,
        cap_drop=options.cap_drop or None,
        security_opt=security_opt or None,
        masked_paths=masked,
        readonly_paths=read_only,
        sysctls=_pairs("--sysctl", options.sysctl),
        **_devices(options),
        device_cgroup_rules=options.device_cgroup_rule or None,
        pid_mode=options.pid,
        ipc_mode=options.ipc,
        uts_mode=options.uts,
        userns_mode=options.userns,
        cgroupns_mode=options.cgroupns,
        isolation=options.isolation,
        **_resources(options),
    )


def _console_size(options: CreateOptions) -> list[int] | None:
    """Height and width of the caller's terminal, for a container that has one."""
    if not options.tty:
        return None
    from moby_tui.cli.terminal import raw

    return list(raw.size() or ()) or None


def _devices(options: CreateOptions) -> dict[str, Any]:
    if not options.device and not options.gpus:
        return {}
    from moby_tui.cli.values import devices

    mapped, requested = devices.devices(options.device)
    if options.gpus:
        requested = [*requested, devices.parse_gpus(options.gpus)]
    return {"devices": mapped or None, "device_requests": requested or None}


def _ulimits(options: CreateOptions) -> list[Ulimit] | None:
    if not options.ulimit:
        return None
    from moby_tui.cli.values import devices

    return [devices.parse_ulimit(spec) for spec in options.ulimit]


def _resources(options: CreateOptions) -> dict[str, Any]:
    return {
        **_limits(options),
        "memory_swappiness": None if options.memory_swappiness == -1 else options.memory_swappiness,
        "oom_kill_disable": options.oom_kill_disable or None,
        "oom_score_adj": options.oom_score_adj,
        "ulimits": _ulimits(options),
        "cgroup_parent": options.cgroup_parent,
    }


def _size(text: str) -> int:
    """In bytes; 0 if none was given."""
    if not text:
        return 0
    from moby_tui.cli.values import units

    return units.parse_size(text)


def _swap(text: str) -> int:
    if not text:
        return 0
    from moby_tui.cli.values import units

    return units.parse_swap(text)


def _nano_cpus(text: str) -> int:
    if not text:
        return 0
    from moby_tui.cli.values import units

    return units.parse_nano_cpus(text)


def _limits(options: LimitOptions) -> dict[str, Any]:
    return {
        "memory": _size(options.memory),
        "memory_swap": _swap(options.memory_swap),
        "memory_reservation": _size(options.memory_reservation),
        "nano_cpus": _nano_cpus(options.cpus),
        "cpu_shares": options.cpu_shares,
        "cpu_period": options.cpu_period,
        "cpu_quota": options.cpu_quota,
        "cpu_realtime_period": options.cpu_rt_period,
        "cpu_realtime_runtime": options.cpu_rt_runtime,
        "cpuset_cpus": options.cpuset_cpus,
        "cpuset_mems": options.cpuset_mems,
        "pids_limit": options.pids_limit,
        "blkio_weight": options.blkio_weight,
        **_device_limits(options),
    }


def _device_limits(options: LimitOptions) -> dict[str, Any]:
    given = options.device_read_bps or options.device_write_bps or options.device_read_iops or options.device_write_iops
    if not given and not options.blkio_weight_device:
        return {}
    from moby_tui.cli.values import devices

    return {
        "blkio_weight_device": devices.weights(options.blkio_weight_device),
        "blkio_device_read_bps": devices.throttles("--device-read-bps", options.device_read_bps, size=True),
        "blkio_device_write_bps": devices.throttles("--device-write-bps", options.device_write_bps, size=True),
        "blkio_device_read_iops": devices.throttles("--device-read-iops", options.device_read_iops, size=False),
        "blkio_device_write_iops": devices.throttles("--device-write-iops", options.device_write_iops, size=False),
    }


def update_request(options: UpdateOptions) -> ContainerUpdate:
    """The change that was asked for. Raises ``InvalidArgument``."""
    restart = _restart(options.restart, auto_remove=False) if options.restart else RestartPolicy()
    return ContainerUpdate(restart_policy=restart, **_limits(options))


def port_changes(options: UpdateOptions) -> PortChanges | None:
    """The ports that are to be published and withdrawn; None if there are none. Raises ``InvalidArgument``."""
    if not options.publish_add and not options.publish_rm:
        return None
    from moby_tui.cli.values import ports

    return PortChanges(publish=ports.port_bindings(options.publish_add), withdraw=options.publish_rm)


def _restart(text: str, *, auto_remove: bool) -> RestartPolicy:
    name, colon, count = text.partition(":")
    if auto_remove and name not in ("", "no"):
        raise InvalidArgument("options --restart and --rm contradict each other")
    if colon and not count.removeprefix("-").isdecimal():
        raise InvalidArgument(f"invalid restart policy {text!r}: only on-failure takes a count, as in on-failure:3")
    return RestartPolicy(name=name, maximum_retry_count=int(count or 0))


def extra_hosts(specs: Iterable[str]) -> list[str]:
    """``host:ip``, however it was written (``host=ip``, brackets around IPv6)."""
    hosts = []
    for spec in specs:
        separator = "=" if "=" in spec else ":"
        host, _, address = spec.partition(separator)
        if not host or not address:
            raise InvalidArgument(f"invalid --add-host {spec!r}: write it as host:ip")
        hosts.append(f"{host}:{address.removeprefix('[').removesuffix(']')}")
    return hosts


def _security(specs: Iterable[str]) -> tuple[list[str], list[str] | None, list[str] | None]:
    """The security options as the API takes them: a seccomp profile is read here, ``systempaths`` becomes its two lists."""
    result: list[str] = []
    paths: list[str] | None = None
    for spec in specs:
        name, separator, text = spec.partition("=")
        if not separator:
            name, separator, text = spec.partition(":")
        if name == "systempaths" and text == "unconfined":
            paths = []
        elif name == "seccomp" and text not in ("unconfined", "builtin"):
            result.append(f"seccomp={_seccomp_profile(text)}")
        else:
            result.append(f"{name}={text}" if separator else name)
    return result, paths, paths


def _seccomp_profile(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return msgspec.json.format(file.read(), indent=-1).decode()
    except OSError as error:
        raise InvalidArgument(f"cannot read the seccomp profile {path}: {(error.strerror or str(error)).lower()}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidArgument(f"the seccomp profile {path} is not JSON") from None
