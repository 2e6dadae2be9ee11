"""A registry for the session, a manager for the test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from registry import Registry, running

from moby_tui.engine.resources.images.manager import ImageManager
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.paths import Paths

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
        return [entry.name for entry in self.paths.staging.iterdir()]

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


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    folder = Path(tempfile.mkdtemp(prefix="mt-registry-", dir="/var/tmp"))
    with running(folder) as server:
        yield server
    shutil.rmtree(folder)


@pytest.fixture
def store(roots: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("DOCKER_CONFIG", str(roots[0].parent / "docker"))
    opened = open_store(Paths(*roots))
    yield opened
    opened.database.close()
