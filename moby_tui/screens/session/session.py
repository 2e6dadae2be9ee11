"""The connection to an engine: made, lost and made again; it keeps the container list by events and tells the screens."""

from __future__ import annotations

import asyncio
import math
import shlex
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.signal import Signal

from moby_tui.errors import NotFound, Unavailable
from moby_tui.schema.event import Event
from moby_tui.schema.image import ImageSummary
from moby_tui.schema.network import Network as NetworkSummary
from moby_tui.schema.system import Info
from moby_tui.schema.volume import Volume as VolumeSummary
from moby_tui.screens import text
from moby_tui.screens.session.activity import Activity, Outcome
from moby_tui.screens.session.containers import ContainerModel
from moby_tui.screens.session.images import Image, ImageModel
from moby_tui.screens.session.networks import Network, NetworkModel
from moby_tui.screens.session.removals import Removal, Removals
from moby_tui.screens.session.resource_feed import ResourceFeed
from moby_tui.screens.session.trouble import TROUBLE
from moby_tui.screens.session.unfinished import Unfinished
from moby_tui.screens.session.versions import OURS, engine_of
from moby_tui.screens.session.volumes import Volume, VolumeModel

__all__ = ["TROUBLE", "ClientFactory", "Connection", "Session"]

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client

ClientFactory = Callable[[], "AbstractAsyncContextManager[Client]"]

FIRST_RETRY, LAST_RETRY = 0.5, 15.0
#: More stale rows than this are fetched as one whole list.
BATCH = 100
#: Seconds of events before the list that are taken again; taking one twice does no harm, missing one does.
OVERLAP = 2.0
#: Events remembered for a page that is opened later.
REMEMBERED = 10_000
#: Between two requests for rows; seconds.
GATHER = 0.05
#: The first rows are on the screen by then; seconds.
LONGEST_DRAWING = 0.5


@dataclass(frozen=True, slots=True)
class Connection:
    """The state of the connection. ``retry`` is seconds until the next try. ``ours``: the engine is moby, not another's."""

    up: bool
    reason: str = ""
    retry: float = 0.0
    engine: str = ""
    host: str = ""
    ours: bool = True


class Session:
    """Hands out the client, and publishes what changes. All signals are published on the app's event loop."""

    def __init__(
        self, app: App[Any], factory: ClientFactory, *, read_only: bool = False, unfinished: Unfinished | None = None
    ) -> None:
        """``unfinished`` is where removals that wait are written down."""
        self.read_only = read_only
        self.model = ContainerModel()
        self.images: ResourceFeed[ImageSummary, Image] = ResourceFeed(app, ImageModel(), _list_images)
        self.volumes: ResourceFeed[VolumeSummary, Volume] = ResourceFeed(app, VolumeModel(), _list_volumes)
        self.networks: ResourceFeed[NetworkSummary, Network] = ResourceFeed(app, NetworkModel(), _list_networks)
        self.connection = Connection(up=False)
        #: The ids of rows that changed; empty: all may have.
        self.containers_changed: Signal[frozenset[str]] = Signal(app, "containers changed")
        #: The newest events, oldest first.
        self.events: deque[Event] = deque(maxlen=REMEMBERED)
        self.event_received: Signal[Event] = Signal(app, "event received")
        self.connection_changed: Signal[Connection] = Signal(app, "connection changed")
        self.activity = Activity()
        self.activity_changed: Signal[None] = Signal(app, "activity changed")
        self.removals = Removals()
        self._removal_added = asyncio.Event()
        self._unfinished = unfinished
        #: Containers that are being removed just now.
        self._going: set[str] = set()
        #: How many problems want somebody (``problems.watch``).
        self.problem_count = 0
        self.problems_changed: Signal[int] = Signal(app, "problems counted")
        self.app = app
        self._factory = factory
        #: The name of the engine that was changed to; empty for the one of the start.
        self.engine_name = ""
        self._left = asyncio.Event()
        self._switching = False
        self._client: Client | None = None
        self._stale: set[str] = set()
        self._wake = asyncio.Event()
        #: Events are told from this time of the engine's clock on, Unix seconds; 0 before the first connection.
        self.since = 0.0
        self._last_event = 0
        #: The host's name, once the engine has told it.
        self._host = ""

    @property
    def client(self) -> Client:
        """The engine. Raises ``Unavailable`` while it is lost."""
        if self._client is None:
            raise Unavailable(
                "the engine is not connected just now; the dashboard keeps trying, look at the banner for the reason"
            )
        return self._client

    def switch(self, factory: ClientFactory, name: str) -> None:
        """Leaves this engine for another. What is known of the old one stays, as stale, until the new one answers."""
        self._factory, self.engine_name = factory, name
        self._switching = True
        self._left.set()

    async def run(self) -> None:
        """Keeps connected for as long as it runs; waits longer after each failure in a row."""
        delay = FIRST_RETRY
        while True:
            self._left.clear()
            try:
                async with self._factory() as client:
                    await self._serve(self._guarded(client))
                reason = "the engine closed its event stream"
            except TROUBLE as error:
                reason = text.clean(str(error)) or type(error).__name__
            if self.connection.up:
                delay = FIRST_RETRY
            self._client = None
            if self._left.is_set():
                self._tell(Connection(up=False))
                delay = FIRST_RETRY
                continue
            self._tell(Connection(up=False, reason=reason, retry=delay))
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._left.wait()
            delay = min(delay * 2, LAST_RETRY)

    def _guarded(self, client: Client) -> Client:
        """The client, of which a read-only dashboard has no more than what reads."""
        if not self.read_only:
            return client
        from moby_tui.screens.session.read_only import read_only

        return read_only(client)

    async def _serve(self, client: Client) -> None:
        """One connection's life. The rows come first: what else is asked of the engine waits until they are on the screen.

        Events are asked for from before the list on, so that no change falls between the two.
        """
        version = await client.system.version()
        began = asyncio.get_running_loop().time()
        containers = await client.containers.list(all=True)
        if self._switching:
            self._forget()
        self.model.reset(containers, time.time())
        self._stale.clear()
        self._client = client
        ours = version.platform.name == OURS
        self._tell(Connection(up=True, engine=engine_of(version), host=self._host, ours=ours))
        self.containers_changed.publish(frozenset())
        await self._drawn()
        info = await client.system.info()
        since = _engine_time(info) - (asyncio.get_running_loop().time() - began) - OVERLAP
        self._know(text.clean(info.name), since)
        work = (
            self._left.wait(),
            self._refresh(client),
            self._listen(client, since),
            *(feed.run(client) for feed in self._feeds),
        )
        tasks = [asyncio.create_task(one) for one in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _drawn(self) -> None:
        """Returns once what was published is on the screen, at the latest after ``LONGEST_DRAWING``."""
        drawn = asyncio.Event()
        self.app.call_after_refresh(drawn.set)
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_DRAWING):
                await drawn.wait()

    @property
    def _feeds(self) -> tuple[ResourceFeed[Any, Any], ...]:
        return self.images, self.volumes, self.networks

    def _forget(self) -> None:
        """Another engine answers: nothing of the one before holds for it."""
        self._switching = False
        self.since, self._last_event, self._host = 0.0, 0, ""
        self.events.clear()
        for feed in self._feeds:
            feed.forget()

    async def _listen(self, client: Client, since: float) -> None:
        """Follows the events; after a lost connection those that were missed come first, and none is told twice."""
        last = self._last_event
        async for event in client.events.stream(since=min(since, last / 1e9) if last else since):
            if event.type == "container" and event.action == "remove":
                event.action = "destroy"  # podman's word
            for feed in self._feeds:
                feed.take(event)
            change = self.model.apply(event)
            if change.touched:
                self.containers_changed.publish(change.touched)
            if change.stale:
                self._stale |= change.stale
                self._wake.set()
            if event.time_nano > last:
                self._last_event = max(self._last_event, event.time_nano)
                self.events.append(event)
                self.event_received.publish(event)

    async def _refresh(self, client: Client) -> None:
        """Fetches the rows that events have made stale: the first at once, those of the burst that follows together."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            kinds, self._stale = self._stale, set()
            if len(kinds) > BATCH:
                self.model.reset(await client.containers.list(all=True), time.time())
                self.containers_changed.publish(frozenset())
            elif kinds:
                rows = await client.containers.list(all=True, filters={"id": sorted(kinds)})
                self.containers_changed.publish(self.model.merge(rows, kinds, time.time()))
            await asyncio.sleep(GATHER)

    # What the person does

    def begin(self, title: str, command: str) -> str:
        """Writes an action into the activity; returns its id there."""
        deed = self.activity.begin(title, command, time.time())
        self.activity_changed.publish(None)
        return deed

    def end(self, deed: str, outcome: Outcome, detail: str = "") -> None:
        """Writes down what came of an action."""
        self.activity.end(deed, outcome, time.time(), detail)
        self.activity_changed.publish(None)

    def remove_later(self, containers: Sequence[str], deed: str, seconds: float) -> None:
        """Removes containers in so many seconds, unless ``take_back`` is called before."""
        due = time.time() + seconds
        self.removals.add(Removal(tuple(containers), deed, due))
        self._note_leaving(containers, due)
        self._write_down()
        self._removal_added.set()

    def take_back(self) -> Removal | None:
        """Gives up the newest removal that waits. None if none does."""
        removal = self.removals.take_back()
        if removal:
            self._note_leaving(removal.containers, 0.0)
            self._write_down()
            self.end(removal.deed, Outcome.TAKEN_BACK)
        return removal

    async def hold_removals(self) -> None:
        """Removes what is due, for as long as it runs."""
        while True:
            due = self.removals.next_due
            self._removal_added.clear()
            try:
                async with asyncio.timeout(None if due is None else max(due - time.time(), 0.0)):
                    await self._removal_added.wait()
            except TimeoutError:
                await self.remove_now(time.time())

    async def remove_now(self, now: float = math.inf) -> None:
        """Removes the containers whose removal is due at this time; without a time, all that wait."""
        due = self.removals.take_due(now)
        self._going |= {identifier for removal in due for identifier in removal.containers}
        for removal in due:
            errors = await asyncio.gather(*map(self._remove, removal.containers))
            self._going -= set(removal.containers)
            self._write_down()
            failures = [error for error in errors if error]
            self.end(removal.deed, Outcome.FAILED if failures else Outcome.DONE, "; ".join(failures))
            self._note_leaving(removal.containers, 0.0)

    async def _remove(self, identifier: str) -> str:
        """Removes a container; returns the error, or nothing. One that is gone already is removed."""
        try:
            await self.client.containers.remove(identifier, force=True)
        except NotFound:
            return ""
        except TROUBLE as error:
            return text.clean(str(error))
        return ""

    def _write_down(self) -> None:
        """What waits or is being removed stays written down until it is gone or taken back, in case a signal ends this process."""
        if self._unfinished:
            names = {identifier: self._name_of(identifier) for identifier in self.removals.identifiers | self._going}
            self._unfinished.note(names, time.time())

    def _name_of(self, identifier: str) -> str:
        row = self.model.get(identifier)
        return row.name if row else text.short_id(identifier)

    @property
    def waiting_names(self) -> list[str]:
        """The names of the containers that wait for their removal."""
        return sorted(self._name_of(identifier) for identifier in self.removals.identifiers | self._going)

    def give_up(self, containers: Mapping[str, str]) -> list[str]:
        """Writes into the activity which containers another dashboard was to remove and did not (names by id). Returns their names.

        Those that this engine does not have are left out.
        """
        names = sorted(text.clean(name) for identifier, name in containers.items() if identifier in self.model)
        if names:
            deed = self.begin("Remove", shlex.join(["moby", "rm", "--force", *names]))
            self.end(deed, Outcome.TAKEN_BACK, "the dashboard ended before; they are kept")
        return names

    def _note_leaving(self, containers: Sequence[str], at: float) -> None:
        for identifier in containers:
            self.model.leave_at(identifier, at)
        self.containers_changed.publish(frozenset(containers))

    def tell_problems(self, count: int) -> None:
        """Publishes how many problems want somebody."""
        self.problem_count = count
        self.problems_changed.publish(count)

    def _know(self, host: str, since: float) -> None:
        """Takes what the engine has told of its host and clock, and publishes the connection again if that is new."""
        if host != self._host or not self.since:
            self._host, self.since = host, self.since or since
            self._tell(replace(self.connection, host=host))

    def _tell(self, connection: Connection) -> None:
        self.connection = connection
        self.connection_changed.publish(connection)


def _engine_time(info: Info) -> float:
    """The engine's own clock, Unix seconds: a remote host's may differ from ours."""
    try:
        return datetime.fromisoformat(info.system_time[:19] + "+00:00").timestamp()
    except ValueError:
        return time.time()


async def _list_images(client: Client, asked: Sequence[str] | None) -> Sequence[ImageSummary]:
    return await client.images.list()


async def _list_volumes(client: Client, asked: Sequence[str] | None) -> Sequence[VolumeSummary]:
    """The filter takes names that contain the word, too: the model takes those that were asked for."""
    return await client.volumes.list(filters=None if asked is None else {"name": list(asked)})


async def _list_networks(client: Client, asked: Sequence[str] | None) -> Sequence[NetworkSummary]:
    return await client.networks.list(filters=None if asked is None else {"id": list(asked)})
