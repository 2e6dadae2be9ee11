from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_engine import FakeClient

from moby_tui.api.server.app import App


class Served:
    """A server of a fake engine, and its socket."""

    def __init__(self, engine: FakeClient, app: App, path: Path) -> None:
        self.engine = engine
        self.app = app
        self.path = path


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    import asyncio

    from moby_tui.api.server.app import make_app
    from moby_tui.api.server.listen import listen

    engine = FakeClient()
    [listener] = listen(f"unix://{tmp_path}/s")
    app = make_app(engine)  # type: ignore[arg-type]
    server = await asyncio.get_running_loop().create_server(app, sock=listener.socket)
    yield Served(engine, app, tmp_path / "s")
    server.close()
    app.end_streams()
    await app.shutdown(0.2)
    with contextlib.suppress(FileNotFoundError):
        listener.close()
