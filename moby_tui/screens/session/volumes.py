"""The list of volumes as the dashboard knows it."""

from __future__ import annotations

from dataclasses import dataclass

from moby_tui.schema.event import Event
from moby_tui.schema.volume import Volume as Summary
from moby_tui.screens import text
from moby_tui.screens.session.change import Change
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
    changes = frozenset({"create", "update", "rename"})
    ends = frozenset({"destroy", "remove"})

    def apply(self, event: Event) -> Change:
        """A renamed volume is fetched by its new name, and asked for by its old one, which is gone."""
        change = super().apply(event)
        old = event.actor.attributes.get("oldName") if event.type == self.kind and event.action == "rename" else None
        return Change(stale=change.stale | {old}) if old else change

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
