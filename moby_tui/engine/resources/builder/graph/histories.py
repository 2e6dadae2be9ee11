"""The steps of local images by their histories: what ``cachefrom`` names for a build of the classic wire."""

from __future__ import annotations

from collections.abc import Iterable

from moby_tui.engine.resources.builder.image import BuiltImage, Layer
from moby_tui.engine.resources.images.lineage import is_built_on, lines


class Histories:
    """A step counts as cached if one of the images was made by it, as with dockerd: with the same layers and lines of history below."""

    def __init__(self, images: Iterable[BuiltImage]) -> None:
        self._images = list(images)

    def has(self, step: BuiltImage) -> bool:
        """True if one of the images is this step or was built on it."""
        return any(is_built_on(image.config, step.config) for image in self._images)

    def layers(self, created_by: str, below: BuiltImage) -> list[Layer] | None:
        """What the step adds to ``below`` in one of the images: a layer, or none. None if no image has the step."""
        for image in self._images:
            history = image.config.history
            following = len(lines(below.config))
            if following >= len(history) or history[following].created_by != created_by:
                continue
            if is_built_on(image.config, below.config):
                return [] if history[following].empty_layer else _layer(image, len(below.config.rootfs.diff_ids))
        return None


def _layer(image: BuiltImage, number: int) -> list[Layer] | None:
    """None if the image has fewer layers than its history says."""
    diff_ids = image.config.rootfs.diff_ids
    return [Layer(diff_ids[number], image.blobs[number])] if number < min(len(diff_ids), len(image.blobs)) else None
