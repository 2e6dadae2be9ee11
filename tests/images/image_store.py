"""An image manager on a data root of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from moby_tui.engine.resources.images.manager import ImageManager
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.paths import Paths
from moby_tui.schema.image import Progress

Event = tuple[str, str, str, dict[str, str]]


@dataclass
class Store:
    """A manager on a data root of its own, and the events it has published."""

    paths: Paths
    images: ImageManager
    database: Database
    events: list[Event] = field(default_factory=list)

    def actions(self) -> list[str]:
        return [action for _, action, _, _ in self.events]

    def staged(self) -> list[str]:
        """What is half-made, but for downloads that broke."""
        return [entry.name for entry in self.paths.staging.iterdir() if not entry.name.startswith("partial-")]

    def partials(self) -> dict[str, Path]:
        """The downloads that broke, by digest."""
        return {f"sha256:{entry.name.removeprefix('partial-')}": entry for entry in self.paths.staging.glob("partial-*")}

    def layers(self) -> set[str]:
        return {"sha256:" + entry.name for entry in self.paths.layers.iterdir()}

    def diff(self, diff_id: str) -> Path:
        return self.paths.layers / diff_id.removeprefix("sha256:") / "diff"


def open_store(paths: Paths) -> Store:
    paths.make()
    database = Database(paths.database)
    events: list[Event] = []
    manager = ImageManager(paths, database, lambda *event: events.append(event))
    return Store(paths, manager, database, events)


async def stream(data: bytes, piece: int = 100_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), piece):
        yield data[at : at + piece]


async def load(store: Store, archive: bytes) -> list[Progress]:
    return [line async for line in store.images.load(stream(archive))]
