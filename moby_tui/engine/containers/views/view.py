"""A container as a row of a list: its summary, its status text, and the filters. ``inspection`` uses parts of it."""

from __future__ import annotations

import datetime
import posixpath
import re
import time
from collections.abc import Callable, Container, Iterable
from functools import lru_cache

import msgspec
from msgspec import UNSET

from moby_tui.engine.containers.parts import DAMAGED_STATE, Parts
from moby_tui.engine.store.records import containers as kept
from moby_tui.engine.store.records.containers import ContainerRecord, NetworkState
from moby_tui.engine.store.state import ZERO_TIME, State
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.base import Filters
from moby_tui.schema.container import (
    ContainerSummary,
    EndpointSettings,
    Health,
    HealthSummary,
    MountPoint,
    Port,
    SummaryHostConfig,
    SummaryNetworkSettings,
)

_FILTERS = frozenset(
    (
        "ancestor",
        "before",
        "exited",
        "expose",
        "health",
        "id",
        "is-task",
        "isolation",
        "label",
        "name",
        "network",
        "publish",
        "since",
        "status",
        "volume",
    )
)
_HEALTH = ("none", "starting", "healthy", "unhealthy")
_PORTS = re.compile(r"\d{1,5}(-\d{1,5})?(/(tcp|udp|sctp))?")
_STATUSES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")


#: From the name of each network, or image, to its id, looked up when it is needed.
Ids = Callable[[], dict[str, str]]


def summary(
    parts: Parts, record: ContainerRecord, state: State, network_ids: Ids, image_ids: Ids, linked: Iterable[str] = ()
) -> ContainerSummary:
    """The row of a container. ``linked`` are the names by which other containers link to it."""
    network = NetworkState.read(parts.files(record).network) if state.alive else NetworkState({}, {})
    health = _read_health(parts, record)
    return ContainerSummary(
        id=record.id,
        names=[f"/{record.name}", *linked],
        image=_image_name(record, image_ids()),
        image_id=record.image_id,
        command=_command_line(record),
        created=int(record.created),
        ports=_ports(network),
        labels=record.config.labels or {},
        state=state.status,
        status=status_text(state, health.status if health else ""),
        health=HealthSummary(status=health.status, failing_streak=health.failing_streak) if health else HealthSummary(),
        host_config=SummaryHostConfig(
            network_mode=record.host_config.network_mode, annotations=record.host_config.annotations or UNSET
        ),
        network_settings=SummaryNetworkSettings(networks=endpoints(record, state, network, network_ids)),
        mounts=mounts(record),
    )


def _image_name(record: ContainerRecord, ids: dict[str, str]) -> str:
    """The name that the container was created with if its image still has that name, otherwise the id of the image."""
    name, ident = record.image, record.image_id
    full = (name, f"docker.io/{name}") if "/" in name else (f"docker.io/library/{name}",)
    if any(ident in (ids.get(each), ids.get(f"{each}:latest")) for each in full):
        return name
    if name and ident.removeprefix("sha256:").startswith(name.removeprefix("sha256:")):
        return name
    # imported here, since few images lose their name, or are named by their digest
    from moby_tui.reference import parse

    try:
        return name if ids.get(parse(name).tagged().key) == ident else ident
    except InvalidArgument:
        return ident


def link_names(records: list[ContainerRecord]) -> dict[str, list[str]]:
    """From the id of each container to the names by which other containers link to it."""
    if not any(record.host_config.links for record in records):
        return {}
    from moby_tui.engine.containers import links  # imported here, since few containers have links

    return links.names(records)


def _command_line(record: ContainerRecord) -> str:
    """The command and its arguments as dockerd shows them: an argument that has a space is between quotes."""
    return " ".join([record.path, *(f"'{argument}'" if " " in argument else argument for argument in record.args)])


def mounts(record: ContainerRecord) -> list[MountPoint]:
    """The mounts of a container as Docker shows them.

    Mounts of ``--tmpfs`` are left out, since they are in the configuration. The mode of a volume is ``z``; a tmpfs, and a volume that
    ``-v`` or the image has without a name, have no mode. A mounted image has the name that the request gave it.
    """
    plain = {"/" + target.strip("/") for target in record.host_config.tmpfs or ()}
    shown = [mount for mount in record.mounts if mount.type != "tmpfs" or mount.destination not in plain]
    unnamed = {"/" + posixpath.normpath(f"/{target}").strip("/") for target in record.config.volumes or ()}
    inherited = set(record.inherited_mounts)
    return [_shown_mount(mount, unnamed, inherited) for mount in shown]


def _shown_mount(mount: kept.MountPoint, unnamed: set[str], inherited: set[str]) -> MountPoint:
    from moby_tui.engine.containers import wire

    shown = wire.mount_to_show(mount)
    if mount.type == "image":
        return msgspec.structs.replace(shown, name=mount.source, source=mount.name, propagation="rprivate")
    return msgspec.structs.replace(shown, mode="" if mount.destination in inherited else _mode(mount, unnamed))


def _mode(mount: kept.MountPoint, unnamed: set[str]) -> str:
    if mount.type == "tmpfs":
        return ""
    if mount.destination in unnamed:
        return mount.mode
    return mount.mode or ("z" if mount.type == "volume" else "")


def endpoints(record: ContainerRecord, state: State, network: NetworkState, network_ids: Ids) -> dict[str, EndpointSettings]:
    """The container's endpoints by network: those of its run, or those that its next start asks for."""
    # imported here and above, since many commands need no more than the state
    from moby_tui.engine.containers import wire

    kept_endpoints = network.endpoints or _requested_endpoints(record, state, network_ids)
    return {name: wire.endpoint_to_show(endpoint) for name, endpoint in kept_endpoints.items()}


def _requested_endpoints(record: ContainerRecord, state: State, network_ids: Ids) -> dict[str, kept.EndpointSettings]:
    """The endpoints that the request has, without addresses. A container that joins the network of another container has none.

    As with Docker, they have after a run the networks' ids, by which ``docker compose`` knows them again, and their names, and no requested
    hardware address.
    """
    mode = record.host_config.network_mode
    requested = record.networking.endpoints_config if record.networking else None
    if mode.startswith("container:") or record.config.network_disabled:
        return {}
    endpoints = {
        name: endpoint or kept.EndpointSettings() for name, endpoint in ({mode: None} if requested is None else requested).items()
    }
    if state.started_at == ZERO_TIME:
        return endpoints
    ids = network_ids()
    return {
        name: msgspec.structs.replace(
            endpoint, mac_address="", network_id=ids.get(name, ""), dns_names=_dns_names(record, name, endpoint)
        )
        for name, endpoint in endpoints.items()
    }


def _dns_names(record: ContainerRecord, network: str, endpoint: kept.EndpointSettings) -> list[str] | None:
    """The container's names on a user-defined network; None on another one."""
    # imported here: containers that do not run are seldom shown
    from moby_tui.engine.resources.networks import endpoints

    names = endpoints.ContainerNames(record.id, record.name, record.config.hostname)
    return endpoints.names_on(network, endpoint, names) or None


def _ports(network: NetworkState) -> list[Port]:
    """What a running container exposes and publishes, where it has a network of its own."""
    ports: list[Port] = []
    for name in sorted(network.ports):
        private, _, kind = name.partition("/")
        bindings = network.ports.get(name)
        if not bindings:
            ports.append(Port(private_port=int(private.partition("-")[0]), type=kind or "tcp"))
            continue
        for binding in bindings:
            ports.append(
                Port(
                    ip=binding.host_ip or "0.0.0.0",
                    private_port=int(private),
                    public_port=int(binding.host_port or 0),
                    type=kind or "tcp",
                )
            )
    return ports


def _read_health(parts: Parts, record: ContainerRecord) -> Health | None:
    if record.config.healthcheck is None:
        return None
    # imported here, since few containers have a health check
    from moby_tui.engine.containers.views import health

    return health.read(record, parts.files(record))


def status_text(state: State, health: str = "") -> str:
    """The status of ``docker ps``: ``Up 3 minutes (healthy)``, ``Exited (0) 2 hours ago``."""
    if state.status == "restarting":
        return f"Restarting ({state.exit_code}){_ago(state.finished_at)}"
    if state.error == DAMAGED_STATE:
        return "Up (state file damaged)" if state.alive else "Exited (state file damaged)"
    if state.alive:
        remark = "Paused" if state.status == "paused" else "health: starting" if health == "starting" else health
        since = f" {_since(state.started_at)}" if parse_time(state.started_at) else ""
        return f"Up{since}{f' ({remark})' if remark else ''}"
    if state.status == "exited":
        return f"Exited ({state.exit_code}){_ago(state.finished_at)}"
    return "Created"


def _ago(moment: str) -> str:
    """`` 2 hours ago``; nothing for an unknown time."""
    return f" {_since(moment)} ago" if parse_time(moment) else ""


def _since(moment: str) -> str:
    return human_duration(max(0.0, time.time() - parse_time(moment)))


@lru_cache(maxsize=1024)
def parse_time(moment: str) -> float:
    """The Unix seconds of an RFC 3339 time; 0 for Go's zero time, and for a date that does not exist."""
    if moment.startswith("0001"):
        return 0.0
    try:
        return datetime.datetime.fromisoformat(re.sub(r"\.(\d{6})\d*Z$", r".\1+00:00", moment)).timestamp()
    except ValueError:
        return 0.0


def human_duration(seconds: float) -> str:
    """A duration as Docker's clients write it: ``About a minute``, ``3 hours``, ``2 weeks``."""
    minutes, hours = int(seconds / 60), int(seconds / 3600 + 0.5)
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return "1 second" if int(seconds) == 1 else f"{int(seconds)} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    if hours < 24 * 14:
        return f"{hours // 24} days"
    if hours < 24 * 60:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{hours // 24 // 365} years"


def check_filters(filters: Filters) -> None:
    """Raises ``InvalidArgument`` for an unknown filter, or for a value that a filter does not take."""
    for key in filters:
        if key not in _FILTERS:
            raise InvalidArgument(f"invalid filter '{key}'")
    for value in filters.get("status", []):
        if value not in _STATUSES:
            message = f"invalid value for state ({value}): must be one of {', '.join(_STATUSES)}"
            raise InvalidArgument(f"invalid filter 'status={value}': {message}")
    for value in filters.get("exited", []):
        if not value.isdecimal():
            raise InvalidArgument(f"invalid filter 'exited={value}': strconv.Atoi: parsing \"{value}\": invalid syntax")
    for value in filters.get("is-task", []):
        if value.lower() not in ("1", "t", "true", "0", "f", "false"):
            raise InvalidArgument(f"invalid filter 'is-task=[{value}]'")
    for key in ("publish", "expose"):
        for value in filters.get(key, []):
            if not _PORTS.fullmatch(value) or _numbers(value).stop > 65536:
                reason = f'strconv.ParseUint: parsing "{value.partition("/")[0]}": invalid syntax'
                raise InvalidArgument(f"error while looking up for {key} {value}: {reason}")
    for value in filters.get("health", []):
        if value not in _HEALTH:
            message = f"invalid value for health ({value}): must be one of {', '.join(_HEALTH)}"
            raise InvalidArgument(f"invalid filter 'health={value}': {message}")


def _finds(expression: str, text: str) -> bool:
    from moby_tui.expressions import finds  # imported here, since few lists are filtered by name or id

    return finds(expression, text)


def matches(parts: Parts, record: ContainerRecord, state: State, filters: Filters) -> bool:
    """True if the container matches every filter: all values of ``label``, one value of each other filter."""
    tests: dict[str, Callable[[str], bool]] = {
        "id": lambda value: _finds(value, record.id),
        "name": lambda value: _finds(value, f"/{record.name}") or _finds(value, record.name),
        "status": lambda value: state.status == value,
        "exited": lambda value: state.status == "exited" and state.exit_code == int(value),
        "ancestor": lambda value: _descends(parts, record, value),
        "network": lambda value: _is_in(parts, record, value),
        "volume": lambda value: any(value in (mount.name, mount.destination, mount.source) for mount in record.mounts),
        "health": lambda value: value == (health.status if (health := _read_health(parts, record)) else "none"),
        # of Windows: on Linux dockerd takes every value for every container
        "isolation": lambda value: True,
        "is-task": lambda value: value.lower() in ("false", "f", "0"),
        "expose": lambda value: _has_port(
            {*(record.config.exposed_ports or {}), *(record.host_config.port_bindings or {})}, value
        ),
        "publish": lambda value: _has_port(_host_ports(parts, record, state), value),
        "before": lambda value: record.created < parts.get(value).created,
        "since": lambda value: record.created > parts.get(value).created,
    }
    labels = record.config.labels or {}
    for key, values in filters.items():
        if key == "label":
            if not all(_has_label(labels, value) for value in values):
                return False
        elif values and not any(tests[key](value) for value in values):
            return False
    return True


def _is_in(parts: Parts, record: ContainerRecord, wanted: str) -> bool:
    """True if a container is in a network, or will be when it runs. ``wanted`` is the network's name, its id, or a prefix of the id."""
    requested = record.networking.endpoints_config if record.networking else None
    names = {record.host_config.network_mode} if requested is None else requested.keys()
    names = {"bridge" if name in ("", "default") else name for name in names}
    if wanted in names:
        return True
    try:
        network = parts.networks.find(wanted)
    except MobyError:
        return False
    return not names.isdisjoint((network.name, network.id))


def _has_label(labels: dict[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def _has_port(ports: Container[str], wanted: str) -> bool:
    """True if one of the ports of ``wanted`` (``80``, ``80/udp`` or ``80-90/tcp``) is among the ports."""
    protocol = wanted.partition("/")[2] or "tcp"
    return any(f"{number}/{protocol}" in ports for number in _numbers(wanted))


def _numbers(wanted: str) -> range:
    first, _, last = wanted.partition("/")[0].partition("-")
    return range(int(first), int(last or first) + 1)


def _host_ports(parts: Parts, record: ContainerRecord, state: State) -> set[str]:
    """The ports of the host that are published for the container, or will be when it runs."""
    requested = {
        f"{binding.host_port}/{name.rpartition('/')[2] or 'tcp'}"
        for name, bindings in (record.host_config.port_bindings or {}).items()
        for binding in bindings or ()
    }
    bound = _ports(NetworkState.read(parts.files(record).network)) if state.alive else []
    return requested | {f"{port.public_port}/{port.type}" for port in bound if port.public_port}


def _descends(parts: Parts, record: ContainerRecord, image: str) -> bool:
    """True if the container's image is this one, given by a reference, an id or a prefix of an id, or was built on it."""
    if image in (record.image, record.image_id) or record.image_id.removeprefix("sha256:").startswith(image):
        return True
    from moby_tui.engine.resources.images.lineage import is_built_on  # imported here, since few lists are filtered by image

    try:
        below = parts.images.resolve(image)
        if below.id == record.image_id:
            return True
        is_empty = not below.config.rootfs.diff_ids and not below.config.history
        return not is_empty and is_built_on(parts.images.resolve(record.image_id).config, below.config)
    except MobyError:
        return False
