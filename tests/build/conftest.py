"""Fixtures of builds: a second engine, a registry, a web server."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine.engine import Engine
from registry import Registry, running


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running(tmp_path / "registry") as found:
        yield found


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None: ...


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a web server, and the folder whose files it gives."""
    folder = tmp_path / "web"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Silent, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", folder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@asynccontextmanager
async def another(roots: tuple[Path, Path], archive: Path) -> AsyncIterator[Engine]:
    """An engine that has the base image and nothing else."""

    async def content() -> AsyncIterator[bytes]:
        yield archive.read_bytes()

    async with Engine.open(roots[0].parent / "d2", roots[1].parent / "r2") as engine:
        async for _ in engine.images.load(content()):
            pass
        yield engine
