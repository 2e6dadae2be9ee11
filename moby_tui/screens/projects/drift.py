"""What differs between the compose files of a project and its containers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moby_tui.screens import text
from moby_tui.screens.projects.compose_file import Wish
from moby_tui.screens.projects.model import Member, Project


@dataclass(frozen=True, slots=True)
class Difference:
    """``service`` empty: the project as a whole."""

    service: str
    what: str


def differences(project: Project, wish: Wish, created: Mapping[str, int]) -> list[Difference]:
    """``created``: when each container was made, Unix seconds, by id."""
    drifted: list[Difference] = []
    for wanted in wish.services.values():
        name = text.clean(wanted.name)
        service = project.service(name)
        if service is None:
            if not wanted.is_optional and wanted.replicas != 0:
                drifted.append(Difference(name, "is in the file and has no container"))
            continue
        images = {one.image for one in service.members}
        if wanted.image and not all(_same(image, wanted.image) for image in images):
            drifted.append(Difference(name, f"runs {', '.join(sorted(images))}, the file says {text.clean(wanted.image)}"))
        if wanted.replicas is not None and wanted.replicas != len(service.members):
            drifted.append(Difference(name, f"has {len(service.members)} containers, the file says {wanted.replicas}"))
    if wish.complete:
        drifted += [
            Difference(one.name, "has containers and is not in the file")
            for one in project.services
            if one.name not in wish.services
        ]
    return sorted([*drifted, *within(project), *_older(project, wish, created)], key=lambda one: one.service)


def within(project: Project) -> list[Difference]:
    """What containers of one service tell of each other: compose gave them different settings (config-hash)."""
    return [
        Difference(one.name, "its containers were made of different settings: some are from before a change")
        for one in project.services
        if len({member.config_hash for member in one.members}) > 1
    ]


def outdated(project: Project, images: Mapping[str, str]) -> list[Difference]:
    """Services made of an image whose name means another one by now. ``images``: ids by their names.

    Engines list the id of an image that lost its name to another (dockerd 28.5).
    """
    by_name = {_full(name): identifier for name, identifier in images.items()}
    return [
        Difference(one.name, "was made of an image whose name means another one by now: recreate it to take that")
        for one in project.services
        if any(_lost_its_name(member, by_name) for member in one.members)
    ]


def _lost_its_name(member: Member, images: Mapping[str, str]) -> bool:
    if not images:
        return False
    return member.image.startswith("sha256:") or images.get(_full(member.image), member.image_id) != member.image_id


def _older(project: Project, wish: Wish, created: Mapping[str, int]) -> list[Difference]:
    old = [
        one.name
        for one in project.services
        if any(created.get(member.id, wish.changed_at) < wish.changed_at for member in one.members)
    ]
    return (
        [Difference("", f"the file was changed after containers of {', '.join(old)} were made: compose up may recreate them")]
        if old
        else []
    )


def _same(image: str, wanted: str) -> bool:
    """An id says nothing of a name: then the tag means another image by now, which the page of the problems tells."""
    return image.startswith("sha256:") or _full(image) == _full(wanted)


def _full(name: str) -> str:
    name = name.removeprefix("docker.io/").removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"
