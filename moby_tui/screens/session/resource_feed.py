"""Keeps one list current: fetched whole once a page wants it, then by events, of which a burst is answered with one request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic

from textual.app import App
from textual.signal import Signal

from moby_tui.schema.event import Event
from moby_tui.screens import text
from moby_tui.screens.session.resources import R, ResourceModel, Summary
from moby_tui.screens.session.trouble import TROUBLE

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client

#: A burst of events is answered with one request; seconds.
GATHER = 0.1
#: More stale rows than this are fetched as one whole list.
BATCH = 50

#: Lists objects: all, or those of these ids.
Lister = Callable[["Client", Sequence[str] | None], Awaitable[Sequence[Summary]]]


class ResourceFeed(Generic[Summary, R]):
    """``want`` begins it. ``changed`` is published with the ids of rows that changed; empty: all may have."""

    def __init__(self, app: App[Any], model: ResourceModel[Summary, R], lister: Lister[Summary]) -> None:
        self.model = model
        self.changed: Signal[frozenset[str]] = Signal(app, f"{model.kind}s changed")
        #: Why the list is not what the engine has; empty if it is.
        self.trouble = ""
        #: True once the list was fetched.
        self.loaded = False
        #: Set once it was.
        self.first = asyncio.Event()
        self._lister = lister
        self._wanted = False
        self._all_stale = False
        self._stale: set[str] = set()
        self._wake = asyncio.Event()

    def want(self) -> None:
        """Begins to keep the list, or tries again after trouble."""
        if not self._wanted or self.trouble:
            self._wanted = True
            self.refetch()

    def refetch(self) -> None:
        """Fetches the whole list again, if it is wanted."""
        if self._wanted:
            self._all_stale = True
            self._wake.set()

    def forget(self) -> None:
        """Another engine answers now: its list is fetched whole."""
        self.model.reset(())
        self.loaded = False
        self.refetch()

    def take(self, event: Event) -> None:
        """Takes one event of the engine."""
        if not self._wanted:
            return
        change = self.model.apply(event)
        if change.touched:
            self.changed.publish(change.touched)
        if change.stale or change.all_stale:
            self._stale |= change.stale
            self._all_stale |= change.all_stale
            self._wake.set()

    async def run(self, client: Client) -> None:
        """Fetches what is stale, for one connection's life."""
        self.refetch()
        while True:
            await self._wake.wait()
            if self.loaded:
                await asyncio.sleep(GATHER)
            self._wake.clear()
            stale, self._stale = self._stale, set()
            whole, self._all_stale = self._all_stale or len(stale) > BATCH, False
            try:
                touched = await self._fetch(client, None if whole else sorted(stale))
            except TROUBLE as error:
                self._all_stale = True
                self.trouble = text.clean(str(error))
                self.changed.publish(frozenset())
                continue
            self.trouble, self.loaded = "", True
            self.first.set()
            self.changed.publish(touched)

    async def _fetch(self, client: Client, asked: Sequence[str] | None) -> frozenset[str]:
        summaries = await self._lister(client, asked)
        if asked is None:
            self.model.reset(summaries)
            return frozenset()
        return self.model.merge(summaries, asked)
