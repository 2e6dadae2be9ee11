"""Projects, services and containers, from the labels that docker compose gives to containers. No client, no clock, no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from moby_tui.schema.container import ContainerSummary
from moby_tui.screens import text

_LABEL = "com.docker.compose."
#: Dependencies and files of one container that are read; labels are anybody's.
MOST = 200


@dataclass(frozen=True, slots=True)
class Dependency:
    """``condition`` is what the service waits for: ``started``, ``healthy``, ``completed_successfully``. ``restarts``: it is restarted
    when the other was made anew.
    """

    service: str
    condition: str
    restarts: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A container of a service."""

    id: str
    name: str
    state: str
    image: str
    image_id: str = ""
    config_hash: str = ""
    is_unhealthy: bool = False

    @property
    def running(self) -> bool:
        return self.state in ("running", "restarting", "paused")


@dataclass(frozen=True, slots=True)
class Service:
    """The containers of one service of a project."""

    project: str
    name: str
    members: tuple[Member, ...]
    depends_on: tuple[Dependency, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.project}/{self.name}"

    @property
    def running(self) -> int:
        return sum(one.running for one in self.members)


@dataclass(frozen=True, slots=True)
class Project:
    """``services`` come after those that they depend on. ``files`` are paths on the machine on which compose ran."""

    name: str
    services: tuple[Service, ...]
    folder: str = ""
    files: tuple[str, ...] = ()

    @property
    def running(self) -> int:
        return sum(one.running for one in self.services)

    @property
    def count(self) -> int:
        return sum(len(one.members) for one in self.services)

    def service(self, name: str) -> Service | None:
        return next((one for one in self.services if one.name == name), None)

    def needed_by(self, name: str) -> tuple[str, ...]:
        """The services that depend on this one."""
        return tuple(one.name for one in self.services if any(other.service == name for other in one.depends_on))


def group(rows: Iterable[ContainerSummary]) -> list[Project]:
    """The projects by name. Containers of ``compose run`` belong to no service's count. Texts are cleaned."""
    projects: dict[str, dict[str, list[ContainerSummary]]] = {}
    for row in rows:
        project, service = row.labels.get(f"{_LABEL}project", ""), row.labels.get(f"{_LABEL}service", "")
        if project and service and row.labels.get(f"{_LABEL}oneoff", "False") != "True":
            projects.setdefault(project, {}).setdefault(service, []).append(row)
    return [_project(name, services) for name, services in sorted(projects.items())]


def _project(name: str, found: Mapping[str, list[ContainerSummary]]) -> Project:
    newest = max((row for rows in found.values() for row in rows), key=lambda row: row.created)
    services = [
        Service(
            project=text.clean(name),
            name=text.clean(service),
            members=tuple(sorted(map(_member, rows), key=lambda one: one.name)),
            depends_on=_dependencies(max(rows, key=lambda row: row.created).labels.get(f"{_LABEL}depends_on", "")),
        )
        for service, rows in found.items()
    ]
    files = newest.labels.get(f"{_LABEL}project.config_files", "").split(",")[:MOST]
    folder = newest.labels.get(f"{_LABEL}project.working_dir", "")
    return Project(text.clean(name), in_order(services), folder, tuple(path for path in files if path))


def _member(row: ContainerSummary) -> Member:
    name = text.clean(next((one.lstrip("/") for one in row.names if "/" not in one.lstrip("/")), "")) or text.short_id(row.id)
    return Member(
        id=row.id,
        name=name,
        state=text.clean(row.state),
        image=text.clean(row.image),
        image_id=row.image_id,
        config_hash=row.labels.get(f"{_LABEL}config-hash", ""),
        is_unhealthy="unhealthy" in row.status,
    )


def _dependencies(label: str) -> tuple[Dependency, ...]:
    """Reads ``db:service_healthy:false,cache:service_started:true``."""
    dependencies = []
    for part in label.split(",")[:MOST]:
        name, _, rest = part.partition(":")
        if name:
            condition, _, restarts = rest.partition(":")
            condition = condition.removeprefix("service_") or "started"
            dependencies.append(Dependency(text.clean(name), text.clean(condition), restarts == "true"))
    return tuple(dependencies)


def in_order(services: Iterable[Service]) -> tuple[Service, ...]:
    """Each after those that it depends on, otherwise by name. In a circle, which compose refuses, the first by name begins."""
    left = {one.name: one for one in sorted(services, key=lambda one: one.name)}
    ordered: list[Service] = []
    while left:
        free = [
            one for one in left.values() if not any(need.service in left and need.service != one.name for need in one.depends_on)
        ]
        for one in free or list(left.values())[:1]:
            ordered.append(left.pop(one.name))
    return tuple(ordered)


def tree(project: Project) -> list[str]:
    """The dependencies drawn as a tree: below each service those that it waits for, with what for. What stands there already is not
    drawn again.
    """
    lines: list[str] = []
    drawn: set[str] = set()
    needed = {need.service for one in project.services for need in one.depends_on}
    roots = [one for one in reversed(project.services) if one.name not in needed] or list(project.services[:1])
    for root in roots:
        lines.append(f"{_sign(root)} {root.name}")
        _branches(project, root, "", lines, drawn)
    return lines


def _sign(service: Service | None) -> str:
    if service is None:
        return "✗"
    return "●" if service.running == len(service.members) else "◐" if service.running else "○"


def _branches(project: Project, service: Service, indent: str, lines: list[str], drawn: set[str]) -> None:
    if service.name in drawn or len(indent) > MOST:
        return
    drawn.add(service.name)
    for place, need in enumerate(service.depends_on):
        last = place == len(service.depends_on) - 1
        below = project.service(need.service)
        again = " …" if below and below.depends_on and need.service in drawn else ""
        missing = "" if below else " · has no container"
        lines.append(f"{indent}{'└─' if last else '├─'} {_sign(below)} {need.service} ({need.condition}){missing}{again}")
        if below:
            _branches(project, below, indent + ("   " if last else "│  "), lines, drawn)
