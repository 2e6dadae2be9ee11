"""The dashboard under Textual's pilot."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

sys.path.insert(0, str(Path(__file__).parent))

from typing_keys import until

from moby_tui.cli.commands.containers.reading import read_run
from moby_tui.screens.app import Dashboard
from moby_tui.screens.preferences import Preferences
from moby_tui.screens.widgets.container_table import ContainerTable


@asynccontextmanager
async def dashboard(
    factory: Callable[[], Any], chosen: Preferences | None = None, *, size: tuple[int, int] = (120, 36)
) -> AsyncIterator[tuple[Dashboard, Pilot[None]]]:
    app = Dashboard(factory, chosen, read_run=read_run)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.session.connection.up or app.session.connection.reason)
        # a key on rows does nothing before there is one
        await until(pilot, lambda: not len(app.session.model) or app.screen.query_one(ContainerTable).row_count)
        await pilot.pause()
        yield app, pilot


@pytest.fixture
def open_dashboard() -> Callable[..., Any]:
    return dashboard


@pytest.fixture
def eventually() -> Callable[..., Awaitable[None]]:
    return until
