"""The prunes that there are, and what one would take away as the engine tells beforehand."""

from __future__ import annotations

from dataclasses import dataclass

from moby_tui.schema.base import Filters
from moby_tui.schema.system import PruneOptions, PruneReport
from moby_tui.screens import text


@dataclass(frozen=True, slots=True)
class Prune:
    """``kind`` is the field of ``PruneOptions``; ``networks`` is no field of it, since networks take no disk."""

    id: str
    kind: str
    title: str
    consequence: str
    command: str
    filters: tuple[tuple[str, str], ...] = ()

    @property
    def request_filters(self) -> Filters:
        return {key: [value] for key, value in self.filters}

    @property
    def options(self) -> PruneOptions:
        return PruneOptions(**{self.kind: self.request_filters})


PRUNES = (
    Prune("containers", "containers", "Stopped containers", "What they wrote and their logs are lost.", "moby container prune"),
    Prune("dangling", "images", "Images without a name", "They must be built or pulled again.", "moby image prune"),
    Prune(
        "images",
        "images",
        "All images that no container uses",
        "They must be built or pulled again.",
        "moby image prune --all",
        (("dangling", "false"),),
    ),
    Prune(
        "anonymous", "volumes", "Anonymous volumes that no container uses", "Their data is lost for good.", "moby volume prune"
    ),
    Prune(
        "volumes",
        "volumes",
        "All volumes that no container uses",
        "Their data is lost for good.",
        "moby volume prune --all",
        (("all", "true"),),
    ),
    Prune("build", "build", "Build cache", "The next builds take longer.", "moby builder prune"),
    Prune("networks", "networks", "Networks that no container uses", "They can be made again.", "moby network prune"),
)


def going(report: PruneReport) -> tuple[list[str], int]:
    """The names of what goes, clean, and how many bytes come back."""
    names: list[str] = []
    size = 0
    if report.containers:
        names += report.containers.containers_deleted or []
        size += report.containers.space_reclaimed
    if report.volumes:
        names += report.volumes.volumes_deleted or []
        size += report.volumes.space_reclaimed
    if report.images:
        names += [one.untagged or one.deleted or "" for one in report.images.images_deleted or []]
        size += report.images.space_reclaimed
    if report.build:
        names += report.build.caches_deleted or []
        size += report.build.space_reclaimed
    return [_short(name) for name in names if name], size


def _short(name: str) -> str:
    name = text.clean(name)
    plain = name.removeprefix("sha256:")
    return plain[:12] if len(plain) >= 64 and all(letter in "0123456789abcdef" for letter in plain) else name
