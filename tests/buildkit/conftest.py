from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.fake_engine import FakeClient
from buildkit.peer import Daemon
from moby_tui.api.server.app import make_app
from moby_tui.api.server.listen import listen


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """A server of the API without an engine behind it: nothing here runs a container."""
    [listener] = listen(f"unix://{tmp_path}/s")
    app = make_app(FakeClient())
    server = await asyncio.get_running_loop().create_server(app, sock=listener.socket)
    yield Daemon(app, tmp_path / "s")
    server.close()
    app.end_streams()
    await app.shutdown(0.2)
    listener.close()
