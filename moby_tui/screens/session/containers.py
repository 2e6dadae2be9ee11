"""The container list as the dashboard knows it: filled once, then kept by events. No widgets, no clock, no client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from moby_tui.schema.container import ContainerSummary
from moby_tui.schema.event import Event
from moby_tui.screens import text
from moby_tui.screens.session.change import Change

#: Events after which the row is fetched from the engine, since it has more than the event.
_CHANGES = {
    "create",
    "start",
    "restart",
    "die",
    "stop",
    "kill",
    "oom",
    "pause",
    "unpause",
    "rename",
    "update",
    "connect",
    "disconnect",
}
#: The state after each event, shown until the engine's row arrives.
_STATES = {"create": "created", "start": "running", "unpause": "running", "pause": "paused", "die": "exited"}
#: The order of the list: what runs first.
_ORDER = {"running": 0, "restarting": 0, "paused": 1, "created": 2, "removing": 3, "exited": 3, "dead": 4}
#: Removals remembered.
REMEMBERED = 10_000
#: The status of a container that the kernel's out-of-memory killer ended, instead of its exit code 137.
OUT_OF_MEMORY = "out of memory"
#: A word of a filter that has fewer characters is not compared with ids.
LEAST_ID = 6


@dataclass(frozen=True, slots=True)
class Container:
    """One row. ``since`` is when its state began, Unix seconds; texts are cleaned."""

    id: str
    name: str
    image: str
    command: str
    state: str
    status: str
    ports: str
    networks: str
    project: str
    created: int
    since: float
    image_id: str = ""
    #: The names of its volumes.
    volumes: tuple[str, ...] = ()
    #: The ids of its networks: podman lists its default network as bridge, and says podman of a container in it.
    network_ids: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    #: When the dashboard removes it, Unix seconds; 0: it does not.
    goes_at: float = 0.0

    @property
    def running(self) -> bool:
        return self.state in ("running", "paused", "restarting")

    @property
    def in_networks(self) -> tuple[str, ...]:
        """The names of its networks."""
        return tuple(self.networks.split(", ")) if self.networks else ()

    def is_in(self, network: str, identifier: str) -> bool:
        """Whether it is in the network of this name and id."""
        return identifier in self.network_ids or network in self.in_networks

    def describe(self, now: float) -> str:
        """``up 3m``, ``exited 137 · 2h``: the state and its age in few characters."""
        if self.goes_at:
            return f"goes in {max(int(self.goes_at - now), 0)}s · u keeps"
        age = text.age(now - self.since)
        if self.state == "running":
            return f"up {age} {self.status}".rstrip()
        return f"{self.describe_state()} · {age}"

    def describe_state(self) -> str:
        """The state without its age; what follows ``restarting`` is the exit code of the run before."""
        if self.status == OUT_OF_MEMORY and self.state == "exited":
            return self.status
        if self.state == "restarting" and self.status:
            return f"restart, {self.status}" if self.status == OUT_OF_MEMORY else f"restart, exit {self.status}"
        return f"{'up' if self.state == 'running' else self.state} {self.status}".rstrip()

    def matches(self, query: str) -> bool:
        """Whether each word of the query is in the name, image, state as it is shown, project or ports, or begins the id;
        ``!word`` must not.
        """
        shown = f"{self.name} {self.image} {self.describe_state()} {self.project} {self.ports}".lower()
        for word in query.lower().split():
            wanted = not word.startswith("!")
            sought = word.removeprefix("!")
            is_match = sought in shown or (len(sought) >= LEAST_ID and self.id.startswith(sought))
            if sought and is_match is not wanted:
                return False
        return True


class ContainerModel:
    """All containers by id."""

    def __init__(self) -> None:
        self._rows: dict[str, Container] = {}
        # A list that was asked for before a removal may arrive after it. Ids do not come back, so the removal stands.
        self._gone: dict[str, None] = {}
        self._out_of_memory: set[str] = set()
        self._leaving: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._rows

    def get(self, identifier: str) -> Container | None:
        return self._rows.get(identifier)

    def sorted(self, query: str = "") -> list[Container]:
        """The rows that match, running ones first, then by name."""
        rows = [row for row in self._rows.values() if row.matches(query)] if query else self._rows.values()
        return sorted(rows, key=lambda row: (_ORDER.get(row.state, 5), row.name, row.id))

    def rows(self) -> Iterable[Container]:
        """All rows, in no order."""
        return self._rows.values()

    def running(self) -> int:
        return sum(row.running for row in self._rows.values())

    def leave_at(self, identifier: str, at: float) -> None:
        """Notes when the dashboard is going to remove a container, Unix seconds; 0: not any more."""
        if at:
            self._leaving[identifier] = at
        else:
            self._leaving.pop(identifier, None)
        if row := self._rows.get(identifier):
            self._rows[identifier] = replace(row, goes_at=at)

    def reset(self, summaries: Iterable[ContainerSummary], now: float) -> None:
        """Takes a whole list in place of what was known."""
        self._rows = self._known(summaries, now)

    def merge(self, summaries: Iterable[ContainerSummary], asked: Iterable[str], now: float) -> frozenset[str]:
        """Takes the rows that were asked for; one that did not come back is gone. Returns the ids touched."""
        fresh = self._known(summaries, now)
        asked = frozenset(asked)
        for identifier in asked - fresh.keys():
            self._rows.pop(identifier, None)
        self._rows.update(fresh)
        return asked | fresh.keys()

    def apply(self, event: Event) -> Change:
        """Takes one event. Doing so twice, or late, does no harm: the row that is fetched then is the truth."""
        if event.type == "network":
            identifier = event.actor.attributes.get("container", "")
            return Change(stale=frozenset({identifier})) if identifier in self._rows else Change()
        if event.type != "container":
            return Change()
        identifier = event.actor.id
        if event.action == "destroy":
            self._bury(identifier)
            return Change(touched=frozenset({identifier})) if self._rows.pop(identifier, None) else Change()
        action = event.action.partition(":")[0]
        if action == "oom":
            self._out_of_memory.add(identifier)
        elif action == "start":
            self._out_of_memory.discard(identifier)
        if action not in _CHANGES and action != "health_status":
            return Change()
        if row := self._rows.get(identifier):
            self._rows[identifier] = self._after(row, action, event)
        return Change(touched=frozenset({identifier}), stale=frozenset({identifier}))

    def _bury(self, identifier: str) -> None:
        self._gone[identifier] = None
        self._leaving.pop(identifier, None)
        self._out_of_memory.discard(identifier)
        if len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def _known(self, summaries: Iterable[ContainerSummary], now: float) -> dict[str, Container]:
        return {summary.id: self._row(summary, now) for summary in summaries if summary.id not in self._gone}

    def _after(self, row: Container, action: str, event: Event) -> Container:
        """The row as far as an event tells it."""
        name = event.actor.attributes.get("name", "").removeprefix("/")
        if action == "rename" and name:
            return replace(row, name=text.clean(name))
        return self._state_after(row, action, event) if action in _STATES else row

    def _state_after(self, row: Container, action: str, event: Event) -> Container:
        since = event.time_nano / 1e9 or float(event.time)
        code = event.actor.attributes.get("exitCode", "") if action == "die" else ""
        status = self._cause(row.id, code)
        since = row.since if action in ("pause", "unpause") else since
        return replace(row, state=_STATES[action], status=text.clean(status), since=since)

    def _cause(self, identifier: str, status: str) -> str:
        """The list has only the exit code; that the kernel killed it for memory was told by an event."""
        return OUT_OF_MEMORY if status == "137" and identifier in self._out_of_memory else status

    def _row(self, summary: ContainerSummary, now: float) -> Container:
        known = self._rows.get(summary.id)
        return Container(
            id=summary.id,
            name=text.clean(_name(summary)),
            image=text.clean(_image(summary.image)),
            command=text.clean(summary.command),
            state=text.clean(summary.state),
            status=self._cause(summary.id, _status(summary)),
            ports=_ports(summary),
            networks=text.clean(", ".join(summary.network_settings.networks)),
            project=text.clean(summary.labels.get("com.docker.compose.project", "")),
            created=summary.created,
            since=_since(summary, known, now),
            image_id=summary.image_id,
            goes_at=self._leaving.get(summary.id, 0.0),
            network_ids=tuple(one.network_id for one in summary.network_settings.networks.values() if one.network_id),
            labels=summary.labels,
            volumes=tuple(mount.name for mount in summary.mounts if mount.name),
        )


def _name(summary: ContainerSummary) -> str:
    """The container's own name: those with a slash within are those of links (``/web/db``)."""
    names = (name.removeprefix("/") for name in summary.names)
    return next((name for name in names if name and "/" not in name), "") or text.short_id(summary.id)


def _image(reference: str) -> str:
    """An image is written short: no ``docker.io/library/``, no digest's tail."""
    reference = reference.removeprefix("docker.io/").removeprefix("library/")
    if "@" in reference:
        reference = reference.partition("@")[0]
    return text.short_id(reference) if reference.startswith("sha256:") else reference


def _status(summary: ContainerSummary) -> str:
    """What the status line says beside state and age: the exit code, the health."""
    if summary.state in ("exited", "dead", "restarting") and "(" in summary.status:
        return text.clean(summary.status.partition("(")[2].partition(")")[0])
    for word in ("unhealthy", "healthy", "health: starting"):
        if word in summary.status:
            return word.removeprefix("health: ")
    return ""


def _since(summary: ContainerSummary, known: Container | None, now: float) -> float:
    """When the state began. A status line knows it only roughly, so what an event told stays unless it cannot be."""
    age = text.age_seconds(summary.status)
    if age is None:
        return float(summary.created)
    rough = now - age
    if known and known.state == summary.state and abs(known.since - rough) < max(age * 0.7, 90.0):
        return known.since
    return rough


def _ports(summary: ContainerSummary) -> str:
    """``8080→80``, once for IPv4 and IPv6; a port that is only exposed is left out."""
    shown: dict[str, None] = {}
    for port in sorted(summary.ports, key=lambda port: (port.public_port or 0, port.private_port)):
        if port.public_port:
            protocol = "" if port.type == "tcp" else f"/{text.clean(port.type)}"
            shown[f"{port.public_port}→{port.private_port}{protocol}"] = None
    return " ".join(shown)
