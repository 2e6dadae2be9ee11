"""A registry for the session, a manager for the test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from images.image_store import Store, open_store
from moby_tui.engine.store.paths import Paths
from servers.registry import Registry, running


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    folder = Path(tempfile.mkdtemp(prefix="mt-registry-", dir="/var/tmp"))
    with running(folder) as server:
        yield server
    shutil.rmtree(folder)


@pytest.fixture
async def store(roots: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    monkeypatch.setenv("DOCKER_CONFIG", str(roots[0].parent / "docker"))
    opened = open_store(Paths(*roots))
    yield opened
    await opened.images.close()
    opened.database.close()
