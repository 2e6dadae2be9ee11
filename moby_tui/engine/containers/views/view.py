"""A container as it is shown: the row of a list, and everything there is to know."""

from __future__ import annotations

import datetime
import posixpath
import re
import time
from collections.abc import Callable, Container, Iterable

import msgspec

from moby_tui.engine.containers.network_state import read_network
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
_STATUSES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")


def summary(parts: Parts, record: ContainerRecord, state: State, linked: Iterable[str] = ()) -> ContainerSummary:
    """``linked``: what others call it that link to it."""
    network = read_network(parts.files(record)) if state.alive else NetworkState({}, {})
    found = _read_health(parts, record)
    return ContainerSummary(
        id=record.id,
        names=[f"/{record.name}", *linked],
        image=record.image,
        image_id=record.image_id,
        command=_command_line(record),
        created=int(record.created),
        ports=_ports(record, network) if state.alive else [],
        labels=record.config.labels or {},
        state=state.status,
        status=status_text(state, found.status if found else ""),
        health=HealthSummary(status=found.status, failing_streak=found.failing_streak) if found else HealthSummary(),
        host_config=SummaryHostConfig(network_mode=record.host_config.network_mode),
        network_settings=SummaryNetworkSettings(networks=endpoints(record, state, network)),
        mounts=mounts(record),
    )


def _command_line(record: ContainerRecord) -> str:
    """As dockerd shows it: an argument with a space in it between quotes."""
    return " ".join([record.path, *(f"'{argument}'" if " " in argument else argument for argument in record.args)])


def mounts(record: ContainerRecord) -> list[MountPoint]:
    """As Docker: what ``--tmpfs`` asks for is in the configuration alone; a volume's mode says that its label is shared, a tmpfs and what
    ``-v`` or the image asks for without a name have none; an image has the name that was asked for."""
    plain = {"/" + target.strip("/") for target in record.host_config.tmpfs or ()}
    shown = [mount for mount in record.mounts if mount.type != "tmpfs" or mount.destination not in plain]
    unnamed = {"/" + posixpath.normpath(f"/{target}").strip("/") for target in record.config.volumes or ()}
    return [_shown_mount(mount, unnamed) for mount in shown]


def _shown_mount(mount: kept.MountPoint, unnamed: set[str]) -> MountPoint:
    from moby_tui.engine.containers import wire

    shown = wire.mount_to_show(mount)
    if mount.type == "image":
        return msgspec.structs.replace(shown, name=mount.source, source=mount.name, propagation="rprivate")
    return msgspec.structs.replace(shown, mode=_mode(mount, unnamed))


def _mode(mount: kept.MountPoint, unnamed: set[str]) -> str:
    if mount.type == "tmpfs":
        return ""
    if mount.destination in unnamed:
        return mount.mode
    return mount.mode or ("z" if mount.type == "volume" else "")


def endpoints(record: ContainerRecord, state: State, network: NetworkState) -> dict[str, EndpointSettings]:
    """The container's places in its networks: those of its run, or those that the next start gives it."""
    # imported here and below, since many commands need no more than the state
    from moby_tui.engine.containers import wire

    places = network.endpoints or _requested_endpoints(record, state)
    return {name: wire.endpoint_to_show(place) for name, place in places.items()}


def _requested_endpoints(record: ContainerRecord, state: State) -> dict[str, kept.EndpointSettings]:
    """A container that does not run has places in its networks, and nothing in them; one in another's has none of its own."""
    mode = record.host_config.network_mode
    asked = record.networking.endpoints_config if record.networking else None
    if mode.startswith("container:"):
        return {}
    if asked is None:
        return {mode: kept.EndpointSettings()}
    places = {name: given or kept.EndpointSettings() for name, given in asked.items()}
    if state.started_at == ZERO_TIME:
        return places
    # as in Docker, the hardware address that was asked for is not shown after a run
    return {name: msgspec.structs.replace(place, mac_address="") for name, place in places.items()}


def _ports(record: ContainerRecord, network: NetworkState) -> list[Port]:
    ports: list[Port] = []
    for name in sorted({*network.ports, *(record.config.exposed_ports or {})}):
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
                    public_port=int(binding.host_port),
                    type=kind or "tcp",
                )
            )
    return ports


def _read_health(parts: Parts, record: ContainerRecord) -> Health | None:
    if record.config.healthcheck is None:
        return None
    # few containers have a check
    from moby_tui.engine.containers.views import health

    return health.read(record, parts.files(record))


def status_text(state: State, health: str = "") -> str:
    """What ``docker ps`` shows: ``Up 3 minutes (healthy)``, ``Exited (0) 2 hours ago``."""
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
    """Nothing where the moment is not known."""
    return f" {_since(moment)} ago" if parse_time(moment) else ""


def _since(moment: str) -> str:
    return human_duration(max(0.0, time.time() - parse_time(moment)))


def parse_time(moment: str) -> float:
    """Unix seconds of an RFC 3339 time; 0 for Go's zero time, and for a day that there is not."""
    if moment.startswith("0001"):
        return 0.0
    try:
        return datetime.datetime.fromisoformat(re.sub(r"\.(\d{6})\d*Z$", r".\1+00:00", moment)).timestamp()
    except ValueError:
        return 0.0


def human_duration(seconds: float) -> str:
    """As Docker's clients write it: ``About a minute``, ``3 hours``, ``2 weeks``."""
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
    """Raises ``InvalidArgument`` for a filter, or a value of one, that there is not."""
    for key in filters:
        if key not in _FILTERS:
            raise InvalidArgument(f"invalid filter '{key}'")
    for value in filters.get("status", []):
        if value not in _STATUSES:
            raise InvalidArgument(f"invalid filter 'status={value}'")
    for value in filters.get("exited", []):
        if not value.isdecimal():
            raise InvalidArgument(f"invalid filter 'exited={value}'")
    for value in filters.get("is-task", []):
        if value.lower() not in ("1", "t", "true", "0", "f", "false"):
            raise InvalidArgument(f"invalid filter 'is-task={value}'")
    for key in ("publish", "expose"):
        for value in filters.get(key, []):
            if not _PORTS.fullmatch(value) or _numbers(value).stop > 65536:
                raise InvalidArgument(f"invalid filter '{key}={value}': write it as 80, 80/tcp or 8000-8010/udp")
    for value in filters.get("health", []):
        if value not in _HEALTH:
            raise InvalidArgument(f"invalid filter 'health={value}'")


def matches(parts: Parts, record: ContainerRecord, state: State, filters: Filters) -> bool:
    """Of one filter's values one must match, of the labels all."""
    tests: dict[str, Callable[[str], bool]] = {
        "id": lambda value: re.search(value, record.id) is not None,
        "name": lambda value: re.search(value, f"/{record.name}") is not None or re.search(value, record.name) is not None,
        "status": lambda value: state.status == value,
        "exited": lambda value: state.status == "exited" and state.exit_code == int(value),
        "ancestor": lambda value: _descends(parts, record, value),
        "network": lambda value: _is_in(parts, record, value),
        "volume": lambda value: any(value in (mount.name, mount.destination, mount.source) for mount in record.mounts),
        "health": lambda value: value == (found.status if (found := _read_health(parts, record)) else "none"),
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
    """Whether a container is in a network, or would be when it runs, by the network's name, id or a prefix of it."""
    places = record.networking.endpoints_config if record.networking else None
    names = {record.host_config.network_mode} if places is None else places.keys()
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
    """``80``, ``80/udp`` or ``80-90/tcp``: whether one of them is there."""
    protocol = wanted.partition("/")[2] or "tcp"
    return any(f"{number}/{protocol}" in ports for number in _numbers(wanted))


def _numbers(wanted: str) -> range:
    first, _, last = wanted.partition("/")[0].partition("-")
    return range(int(first), int(last or first) + 1)


def _host_ports(parts: Parts, record: ContainerRecord, state: State) -> set[str]:
    """The host's ports that lead to the container, or will when it runs."""
    asked = {
        f"{binding.host_port}/{name.rpartition('/')[2] or 'tcp'}"
        for name, bindings in (record.host_config.port_bindings or {}).items()
        for binding in bindings or ()
    }
    given = _ports(record, read_network(parts.files(record))) if state.alive else []
    return asked | {f"{port.public_port}/{port.type}" for port in given if port.public_port}


def _descends(parts: Parts, record: ContainerRecord, image: str) -> bool:
    if image in (record.image, record.image_id) or record.image_id.removeprefix("sha256:").startswith(image):
        return True
    try:
        return parts.images.resolve(image).id == record.image_id
    except MobyError:
        return False
