"""The list of volumes as the dashboard knows it."""

from __future__ import annotations

from dataclasses import dataclass

from moby_tui.schema.volume import Volume as Summary
from moby_tui.screens import text
from moby_tui.screens.session.resources import ResourceModel

#: The label of a volume that got its name from the engine (dockerd 28.5).
_ANONYMOUS = "com.docker.volume.anonymous"


@dataclass(frozen=True, slots=True)
class Volume:
    """One row; its id is its name as the engine has it. ``created`` is ``YYYY-MM-DD HH:MM:SS``; texts are cleaned."""

    id: str
    name: str
    driver: str
    created: str
    project: str
    anonymous: bool

    @property
    def words(self) -> str:
        return f"{self.name} {self.driver} {self.project} anonymous={self.anonymous}".lower()


class VolumeModel(ResourceModel[Summary, Volume]):
    """Volumes by name. A name may come back after a removal."""

    kind = "volume"
    changes = frozenset({"create", "update"})
    ends = frozenset({"destroy", "remove"})

    def make(self, summary: Summary) -> Volume:
        labels = summary.labels or {}
        return Volume(
            id=summary.name,
            name=text.clean(summary.name),
            driver=text.clean(summary.driver),
            created=text.clean(summary.created_at[:19].replace("T", " ")),
            project=text.clean(labels.get("com.docker.compose.project", "")),
            anonymous=_ANONYMOUS in labels,
        )
