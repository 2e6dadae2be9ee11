"""Fixtures of builds: a registry, a web server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.registry import Registry, running
from servers.web_server import serving_files


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running(tmp_path / "registry") as found:
        yield found


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a web server, and the folder whose files it gives."""
    with serving_files(tmp_path / "web") as address:
        yield address, tmp_path / "web"
