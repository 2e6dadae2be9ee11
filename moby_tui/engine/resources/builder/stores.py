"""The stores of the engine that a build reads and writes."""

from __future__ import annotations

from dataclasses import dataclass

from moby_tui.engine.resources.images.manager import ImageManager
from moby_tui.engine.resources.images.snapshots.layers import LayerStore
from moby_tui.engine.resources.images.store.content import ContentStore
from moby_tui.engine.store.images import ImageRows
from moby_tui.engine.store.paths import Paths


@dataclass(frozen=True)
class Stores:
    """``rows`` are those of the images in the database, ``content`` has the blobs of images, ``layers`` what they are unpacked to."""

    paths: Paths
    images: ImageManager
    rows: ImageRows
    content: ContentStore
    layers: LayerStore
