"""Opens the engine, draws its containers, and hands engine and terminal on to the dashboard."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from moby_tui.screens import preferences, raw_terminal
from moby_tui.screens.early import frame
from moby_tui.screens.early.writing import without_colour, written
from moby_tui.screens.listing.columns import Order
from moby_tui.screens.pages.registry import tabs
from moby_tui.screens.palette import PALETTES
from moby_tui.screens.preferences import ListView
from moby_tui.screens.session.containers import ContainerModel
from moby_tui.screens.session.trouble import TROUBLE
from moby_tui.screens.session.versions import own_engine

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.schema.container import ContainerSummary
    from moby_tui.screens.preferences import Preferences
    from moby_tui.screens.raw_terminal import RawTerminal

#: On a smaller screen the page leaves out more than the early frame knows of.
_LEAST = (40, 16)
_PAGE = "containers"


class Beginning:
    """What there is before the dashboard: an event loop, perhaps an open engine, perhaps a picture on the terminal.

    The dashboard runs on ``loop``, and its first ``connect`` gives the engine that is open. Use it as ``with``: what the dashboard has
    not taken over is closed then.
    """

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[Client]]) -> None:
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.terminal: RawTerminal | None = None
        self._connect = connect
        self._opened: AbstractAsyncContextManager[Client] | None = None
        self._client: Client | None = None

    def __enter__(self) -> Beginning:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.terminal:
            self.terminal.close()
        if self._opened and not self.loop.is_running():
            self.loop.run_until_complete(self._opened.__aexit__(None, None, None))

    def connect(self) -> AbstractAsyncContextManager[Client]:
        """The engine that is open, once; then a new client each time."""
        opened, client = self._opened, self._client
        self._opened = self._client = None
        return _handed_on(opened, client) if opened and client else self._connect()

    def draw(self, *, read_only: bool) -> None:
        """Draws the page of containers, if the dashboard begins with it and there are any. Whatever fails, the dashboard tells."""
        try:
            chosen = preferences.load()
            width, height = os.get_terminal_size(raw_terminal.descriptor())
        except (ValueError, OSError):
            return
        if _theme(chosen) not in PALETTES or width < _LEAST[0] or height < _LEAST[1]:
            return
        try:
            containers = self.loop.run_until_complete(self._read())
        except TROUBLE:
            return
        if containers and (terminal := raw_terminal.take()):
            self.terminal = terminal
            view = _view(containers, chosen, read_only=read_only or chosen.read_only)
            terminal.draw(written(frame.draw(view, width, height), os.environ))

    async def _read(self) -> Sequence[ContainerSummary]:
        opened = self._connect()
        client = await opened.__aenter__()
        self._opened, self._client = opened, client
        return await client.containers.list(all=True)


@asynccontextmanager
async def _handed_on(opened: AbstractAsyncContextManager[Client], client: Client) -> AsyncIterator[Client]:
    try:
        yield client
    finally:
        await opened.__aexit__(None, None, None)


def _view(containers: Sequence[ContainerSummary], chosen: Preferences, *, read_only: bool) -> frame.View:
    model, now = ContainerModel(), time.time()
    model.reset(containers, now)
    listed = chosen.lists.get(_PAGE, ListView())
    return frame.View(
        model,
        own_engine(),
        PALETTES[_theme(chosen)],
        tabs(_PAGE),
        now,
        read_only=read_only,
        order=Order(listed.sort, listed.reverse),
        hidden=frozenset(listed.hidden),
        part=listed.share,
        beside=listed.beside,
        colourless=without_colour(os.environ),
    )


def _theme(chosen: Preferences) -> str:
    default = next(iter(PALETTES))
    return default if without_colour(os.environ) else chosen.theme or default
