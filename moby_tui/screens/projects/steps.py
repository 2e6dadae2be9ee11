"""In which order the containers of services are started and stopped: a list of steps, of which each waits for the one before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from moby_tui.screens.projects.model import Member, Project, Service


def starting(project: Project, services: Sequence[Service] = ()) -> list[list[Member]]:
    """Those that do not run: of these services and of what they depend on, or of all."""
    return _filled([member for member in one.members if not member.running] for one in with_needs(project, services))


def with_needs(project: Project, services: Sequence[Service]) -> list[Service]:
    """These services and what they depend on, or all; each after those that it depends on."""
    wanted = _with_needs(project, services) if services else {one.name for one in project.services}
    return [one for one in project.services if one.name in wanted]


def stopping(project: Project, services: Sequence[Service] = ()) -> list[list[Member]]:
    """Those that run: of these services alone, or of all; what depends on others goes first."""
    wanted = {one.name for one in services or project.services}
    return _filled(
        [member for member in one.members if member.running] for one in reversed(project.services) if one.name in wanted
    )


def _filled(steps: Iterable[list[Member]]) -> list[list[Member]]:
    return [step for step in steps if step]


def _with_needs(project: Project, services: Sequence[Service]) -> set[str]:
    wanted: set[str] = set()
    left = [one.name for one in services]
    while left:
        name = left.pop()
        service = project.service(name)
        if service and name not in wanted:
            wanted.add(name)
            left += [need.service for need in service.depends_on]
    return wanted
