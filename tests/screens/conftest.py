"""The dashboard under Textual's pilot."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from textual.pilot import Pilot

from moby_tui.cli.commands.builds.reading import read_build
from moby_tui.cli.commands.containers.reading import read_run
from moby_tui.screens.app import Dashboard
from moby_tui.screens.command_line import CommandLine
from moby_tui.screens.preferences import Preferences
from moby_tui.screens.widgets.container_table import ContainerTable
from screens.typing_keys import until

T = TypeVar("T")
#: Opens a dashboard. It is ``Any``, since a test reaches into the page that is shown, of which mypy knows only that it is a screen.
Open = Callable[..., AbstractAsyncContextManager[tuple[Any, Pilot[None]]]]
Eventually = Callable[..., Awaitable[None]]


@asynccontextmanager
async def dashboard(
    factory: Callable[[], Any], chosen: Preferences | None = None, *, size: tuple[int, int] = (120, 36)
) -> AsyncIterator[tuple[Dashboard, Pilot[None]]]:
    app = Dashboard(factory, chosen, command_line=CommandLine(read_run, read_build))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.session.connection.up or app.session.connection.reason)
        # a key on rows does nothing before there is one
        await until(pilot, lambda: not len(app.session.model) or app.screen.query_one(ContainerTable).row_count)
        await pilot.pause()
        yield app, pilot
        app.exit()  # as a person leaves: a page may just be opened then


def there(value: T | None) -> T:
    """The value, which must not be None."""
    assert value is not None
    return value


@pytest.fixture
def open_dashboard() -> Open:
    return dashboard


@pytest.fixture
def eventually() -> Eventually:
    return until


class Tmux:
    """A terminal of its own: ``tmux("capture-pane", "-p")``."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def __call__(self, *arguments: str) -> str:
        line = ["tmux", "-S", str(self._socket), "-f", "/dev/null", *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout

    async def sees(self, what: str) -> str:
        """The screen, once this is on it; fails if it never is."""
        screen = ""
        for _ in range(600):
            screen = self("capture-pane", "-p")
            if what in screen:
                return screen
            await asyncio.sleep(0.05)
        raise AssertionError(f"{what!r} is not in\n{screen}")


@pytest.fixture
def tmux(roots: tuple[Path, Path]) -> Iterator[Tmux]:
    socket = roots[0].parent / "tmux"
    yield Tmux(socket)
    subprocess.run(["tmux", "-S", str(socket), "kill-server"], check=False)
