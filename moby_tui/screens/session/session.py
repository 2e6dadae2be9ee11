"""The connection to an engine: made, lost and made again; it keeps the container list by events and tells the screens."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from textual.app import App
from textual.signal import Signal

from moby_tui.api.client.protocol import Client
from moby_tui.errors import MobyError, Unavailable
from moby_tui.schema.event import Event
from moby_tui.schema.system import Info
from moby_tui.screens import text
from moby_tui.screens.session.containers import ContainerModel

ClientFactory = Callable[[], AbstractAsyncContextManager[Client]]

#: Errors of a lost or broken engine. A ``ValueError`` is a malformed answer (msgspec's errors are ``ValueError``s).
TROUBLE = (MobyError, OSError, EOFError, ValueError)

FIRST_RETRY, LAST_RETRY = 0.5, 15.0
#: More stale rows than this are fetched as one whole list.
BATCH = 100
#: Seconds of events before the list that are taken again; taking one twice does no harm, missing one does.
OVERLAP = 2.0
#: Events remembered for a page that is opened later.
REMEMBERED = 10_000
#: A burst of events is answered with one request.
GATHER = 0.05


@dataclass(frozen=True, slots=True)
class Connection:
    """The state of the connection. ``retry`` is seconds until the next try."""

    up: bool
    reason: str = ""
    retry: float = 0.0
    engine: str = ""
    host: str = ""


class Session:
    """Hands out the client, and publishes what changes. All signals are published on the app's event loop."""

    def __init__(self, app: App[Any], factory: ClientFactory) -> None:
        self.model = ContainerModel()
        self.connection = Connection(up=False)
        #: The ids of rows that changed; empty: all may have.
        self.containers_changed: Signal[frozenset[str]] = Signal(app, "containers changed")
        #: The newest events, oldest first.
        self.events: deque[Event] = deque(maxlen=REMEMBERED)
        self.event_received: Signal[Event] = Signal(app, "event received")
        self.connection_changed: Signal[Connection] = Signal(app, "connection changed")
        self._factory = factory
        self._client: Client | None = None
        self._stale: set[str] = set()
        self._wake = asyncio.Event()
        #: Events are told from this time of the engine's clock on, Unix seconds; 0 before the first connection.
        self.since = 0.0
        self._last_event = 0

    @property
    def client(self) -> Client:
        """The engine. Raises ``Unavailable`` while it is lost."""
        if self._client is None:
            raise Unavailable(
                "the engine is not connected just now; the dashboard keeps trying, look at the banner for the reason"
            )
        return self._client

    async def run(self) -> None:
        """Keeps connected for as long as it runs; waits longer after each failure in a row."""
        delay = FIRST_RETRY
        while True:
            try:
                async with self._factory() as client:
                    await self._serve(client)
                reason = "the engine closed its event stream"
            except TROUBLE as error:
                reason = text.clean(str(error)) or type(error).__name__
            if self.connection.up:
                delay = FIRST_RETRY
            self._client = None
            self._tell(Connection(up=False, reason=reason, retry=delay))
            await asyncio.sleep(delay)
            delay = min(delay * 2, LAST_RETRY)

    async def _serve(self, client: Client) -> None:
        """One connection's life. Events are asked for from before the list on, so that no change falls between the two."""
        version = await client.system.version()
        info = await client.system.info()
        self.model.reset(await client.containers.list(all=True), time.time())
        self._stale.clear()
        self._client = client
        engine = f"{version.platform.name or 'engine'} {version.version}".strip()
        since = _engine_time(info) - OVERLAP
        self.since = self.since or since
        self._tell(Connection(up=True, engine=text.clean(engine), host=text.clean(info.name)))
        self.containers_changed.publish(frozenset())
        refresher = asyncio.create_task(self._refresh(client))
        listener = asyncio.create_task(self._listen(client, since))
        try:
            done, _ = await asyncio.wait({refresher, listener}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (refresher, listener):
                task.cancel()
            await asyncio.gather(refresher, listener, return_exceptions=True)

    async def _listen(self, client: Client, since: float) -> None:
        """Follows the events; after a lost connection those that were missed come first, and none is told twice."""
        told = self._last_event
        async for event in client.events.stream(since=min(since, told / 1e9) if told else since):
            change = self.model.apply(event)
            if change.touched:
                self.containers_changed.publish(change.touched)
            if change.stale:
                self._stale |= change.stale
                self._wake.set()
            if event.time_nano > told:
                self._last_event = max(self._last_event, event.time_nano)
                self.events.append(event)
                self.event_received.publish(event)

    async def _refresh(self, client: Client) -> None:
        """Fetches the rows that events have made stale."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER)
            self._wake.clear()
            asked, self._stale = self._stale, set()
            if len(asked) > BATCH:
                self.model.reset(await client.containers.list(all=True), time.time())
                self.containers_changed.publish(frozenset())
            elif asked:
                rows = await client.containers.list(all=True, filters={"id": sorted(asked)})
                self.containers_changed.publish(self.model.merge(rows, asked, time.time()))

    def _tell(self, connection: Connection) -> None:
        self.connection = connection
        self.connection_changed.publish(connection)


def _engine_time(info: Info) -> float:
    """The engine's own clock, Unix seconds: a remote host's may differ from ours."""
    try:
        return datetime.fromisoformat(info.system_time[:19] + "+00:00").timestamp()
    except ValueError:
        return time.time()
