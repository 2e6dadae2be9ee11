"""Looks for problems while the dashboard runs: at the connection, after events that can bring or end one, at the host now and then."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.signal import Signal

from moby_tui.errors import NotFound
from moby_tui.schema.container import ContainerInspect, ContainerSummary
from moby_tui.schema.event import Event
from moby_tui.schema.system import Check
from moby_tui.screens import text
from moby_tui.screens.session.session import TROUBLE, Connection, Session

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.schema.traffic import Exposure
    from moby_tui.screens.problems.finding import Past
    from moby_tui.screens.problems.problem import Problem
    from moby_tui.screens.problems.registries import RegistryDigests

#: A burst of events is answered with one look; seconds.
GATHER = 1.0
#: The host is examined again this often; seconds.
HOST_EVERY = 300.0
#: Events of so long before the dashboard began are taken into account, and remembered; seconds.
PAST = 3600.0
#: Ends remembered of each container.
ENDS = 50
#: Containers of which all settings are fetched, the newest first, and so many at a time.
MOST, AT_ONCE = 200, 8
_EVENTS = frozenset(
    {"die", "oom", "start", "destroy", "rename", "health_status", "tag", "untag", "pull", "load", "delete", "update"}
)


class ProblemWatch:
    """``problems`` are those that are not muted, the worst first; ``session.problems_changed`` is published with their number."""

    def __init__(self, app: App[Any], session: Session, *, asks_registries: bool = False) -> None:
        """``asks_registries``: the person lets registries be asked what they have for the images of running containers."""
        self.problems: list[Problem] = []
        self.muted: set[str] = set()
        #: Published when the list differs.
        self.changed: Signal[None] = Signal(app, "problems changed")
        self._session = session
        self._all: list[Problem] = []
        self._ends: dict[str, list[float]] = defaultdict(list)
        self._out_of_memory: dict[str, list[float]] = defaultdict(list)
        self._inspected: dict[str, tuple[str, ContainerInspect]] = {}
        self._tags: dict[str, str] | None = None
        #: the images' digests in repositories, by their ids
        self._digests: dict[str, list[str]] = {}
        self.asks_registries = asks_registries
        #: made once somebody wants them to be asked
        self._registries: RegistryDigests | None = None
        self._asking: asyncio.Task[None] | None = None
        self._host: list[Check] = []
        self._wake = asyncio.Event()
        self._connected = asyncio.Event()
        self._knows_past = False
        #: When the host was examined, on the clock of this process; before that of each connection.
        self._examined = -HOST_EVERY

    async def run(self) -> None:
        """Looks for as long as it runs. What an engine does not know costs only the problems that would come of it."""
        self._session.event_received.subscribe(self._session.app, self._take, immediate=True)
        self._session.connection_changed.subscribe(self._session.app, self._connection, immediate=True)
        self._connection(self._session.connection)
        try:
            await self._watch()
        finally:
            if self._asking:
                self._asking.cancel()

    async def _watch(self) -> None:
        while True:
            await self._connected.wait()
            self._wake.clear()
            try:
                client = self._session.client
                if time.monotonic() - self._examined >= HOST_EVERY:
                    self._examined = time.monotonic()
                    self._host = await _checks(client.system.examine())
                await self._look(client)
            except TROUBLE as error:
                self._session.app.log.debug(f"no look for problems: {error}")
            try:
                async with asyncio.timeout(HOST_EVERY):
                    await self._wake.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(GATHER)

    def mute(self, problem: Problem) -> None:
        """Hides a problem until it is another one: another run, another image."""
        self.muted.add(problem.key)
        self._publish()

    def unmute_all(self) -> None:
        self.muted.clear()
        self._publish()

    def ask_registries(self, *, allowed: bool) -> None:
        """Begins to ask registries, or ends it."""
        self.asks_registries, self._registries = allowed, None
        self._wake.set()

    def _connection(self, connection: Connection) -> None:
        if connection.up and self._connected.is_set():
            return  # more is known of the same connection
        if connection.up:
            self._tags, self._knows_past, self._examined = None, False, -HOST_EVERY
            self._inspected.clear()
            if self._registries:
                self._registries.forget_errors()
            self._connected.set()
            self._wake.set()
        else:
            self._connected.clear()

    def _take(self, event: Event) -> None:
        action = event.action.partition(":")[0]
        if event.type == "image":
            self._tags = None
            if self._registries and action in ("push", "pull"):
                self._registries.forget({event.actor.id, event.actor.attributes.get("name", "")})
        if action in _EVENTS:
            self._remember(event)
            self._inspected.pop(event.actor.id, None)
            self._wake.set()

    def _remember(self, event: Event) -> None:
        kept = self._ends if event.action == "die" else self._out_of_memory if event.action == "oom" else None
        if event.type == "container" and kept is not None:
            times = kept[event.actor.id]
            moment = event.time_nano / 1e9 or float(event.time)
            if moment not in times:
                times.append(moment)
                del times[:-ENDS]
        elif event.action == "destroy":
            self._ends.pop(event.actor.id, None)
            self._out_of_memory.pop(event.actor.id, None)

    async def _look(self, client: Client) -> None:
        from moby_tui.screens.problems import finding  # the first look comes after the first picture

        now = time.time()
        if not self._knows_past:
            self._knows_past = True
            async for event in client.events.stream(since=now - PAST, until=now, filters={"event": ["die", "oom"]}):
                self._remember(event)
        rows = await client.containers.list(all=True)
        pasts = {row.id: self._past(row.id, now) for row in rows}
        suspects = sorted((row for row in rows if finding.is_suspect(row, pasts[row.id])), key=lambda row: -row.created)[:MOST]
        inspected = await self._inspect(client, suspects)
        problems = [problem for key, one in inspected.items() for problem in finding.in_container(one, pasts[key], now)]
        problems += await self._compare_images(client, rows)
        try:
            exposures: list[Exposure] = await client.networks.exposure()
        except TROUBLE:
            exposures = finding.published(rows)
        problems += finding.open_ports(exposures)
        self._all = sorted([*problems, *finding.on_host(self._host)], key=lambda one: (one.severity, -one.since, one.name))
        self._publish()

    def _past(self, identifier: str, now: float) -> Past:
        from moby_tui.screens.problems.finding import Past

        ends = tuple(moment for moment in self._ends.get(identifier, ()) if now - moment < PAST)
        out_of_memory = tuple(moment for moment in self._out_of_memory.get(identifier, ()) if now - moment < PAST)
        return Past(ends, out_of_memory)

    async def _inspect(self, client: Client, rows: list[ContainerSummary]) -> dict[str, ContainerInspect]:
        """All settings of these; what is known of the same state is not fetched again."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(row: ContainerSummary) -> None:
            state = f"{row.state} {row.status.partition(')')[0] if '(' in row.status else ''}"
            if self._inspected.get(row.id, ("",))[0] == state and "unhealthy" not in state:
                return
            async with turns:
                try:
                    self._inspected[row.id] = state, await client.containers.inspect(row.id)
                except NotFound:
                    self._inspected.pop(row.id, None)

        await asyncio.gather(*map(one, rows))
        kept = {row.id for row in rows}
        self._inspected = {key: value for key, value in self._inspected.items() if key in kept}
        return {key: container for key, (_, container) in self._inspected.items()}

    async def _compare_images(self, client: Client, rows: list[ContainerSummary]) -> list[Problem]:
        """Containers whose image's name means another image by now, here or in its registry."""
        from moby_tui.screens.problems import finding

        if self._tags is None:
            images = await client.images.list()
            self._digests = {image.id: image.repo_digests for image in images}
            self._tags = {finding.short_name(tag): image.id for image in images for tag in image.repo_tags or []}
        references = {}
        for row in rows:
            if row.state == "running" and not finding.full_name(row.image):
                known = self._inspected.get(row.id)
                references[row.id] = known[1].config.image if known else ""
        drifted = finding.drift(rows, references, self._tags)
        if not self.asks_registries:
            return drifted
        names = finding.comparable(rows, references, self._digests)
        registries = self._ask(client, sorted(set(names.values())))
        moved = {one.container for one in drifted}
        others = [row for row in rows if row.id not in moved]
        outdated = finding.outdated(others, names, self._digests, registries.digests)
        return [*drifted, *outdated, *finding.silent(registries.errors)]

    def _ask(self, client: Client, names: Sequence[str]) -> RegistryDigests:
        """Has registries asked for what is not known yet; the next look takes the answers into account. Returns what is known."""
        if self._registries is None:
            # few let them be asked
            from moby_tui.screens.problems.registries import RegistryDigests

            self._registries = RegistryDigests()
        self._registries.keep(names)
        if (due := self._registries.due(names, time.time())) and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask_and_look(client, self._registries, due))
        return self._registries

    async def _ask_and_look(self, client: Client, registries: RegistryDigests, names: Sequence[str]) -> None:
        await registries.ask(client, names, time.time())
        self._wake.set()

    def _publish(self) -> None:
        problems = [problem for problem in self._all if problem.key not in self.muted]
        if problems != self.problems:
            from moby_tui.screens.problems.problem import counted

            self.problems = problems
            self._session.tell_problems(counted(problems))
            self.changed.publish(None)


async def _checks(question: Any) -> list[Check]:
    """What the engine answers; an engine that does not know the question has no answer."""
    try:
        checks: list[Check] = await question
    except TROUBLE:
        return []
    return [
        Check(about=text.clean(one.about), severity=one.severity, message=text.clean(one.message), advice=text.clean(one.advice))
        for one in checks
    ]
