"""The list of images as the dashboard knows it."""

from __future__ import annotations

from dataclasses import dataclass

from moby_tui.schema.event import Event
from moby_tui.schema.image import ImageSummary
from moby_tui.screens import text
from moby_tui.screens.session.change import Change
from moby_tui.screens.session.resources import ResourceModel

#: Events that change no image.
_NO_CHANGE = {"push", "save"}


@dataclass(frozen=True, slots=True)
class Image:
    """One row. ``size`` in bytes, ``created`` in Unix seconds, 0 if unknown; texts are cleaned."""

    id: str
    name: str
    tags: tuple[str, ...]
    size: int
    created: int

    @property
    def dangling(self) -> bool:
        """True if nothing names it."""
        return not self.tags

    @property
    def words(self) -> str:
        return f"{self.name} {self.id.removeprefix('sha256:')} dangling={str(self.dangling).lower()}".lower()


class ImageModel(ResourceModel[ImageSummary, Image]):
    """After an event the whole list is stale: the API lists no image by its id, and events name some by reference.

    Podman tells of an image that was made of a container by the container's event alone.
    """

    kind = "image"

    def make(self, summary: ImageSummary) -> Image:
        tags = tuple(text.clean(tag) for tag in summary.repo_tags if tag != "<none>:<none>")
        return Image(summary.id, ", ".join(tags) or "<none>", tags, summary.size, max(summary.created, 0))

    def apply(self, event: Event) -> Change:
        of_image = event.type == "image" and event.action not in _NO_CHANGE
        return Change(all_stale=of_image or (event.type == "container" and event.action == "commit"))
