"""The page of the events: those of the last day that the engine still knows, then each as it happens."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterable
from typing import ClassVar

from textual import on, work
from textual.containers import Vertical
from textual.timer import Timer
from textual.widget import Widget

from moby_tui.schema.event import Event
from moby_tui.schema.stream import STDOUT
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action
from moby_tui.screens.logs.levels import Level
from moby_tui.screens.logs.lining import make_line
from moby_tui.screens.logs.moments import SECOND
from moby_tui.screens.logs.query import QueryError, parse
from moby_tui.screens.logs.store import LogLine, LogStore, by_time
from moby_tui.screens.pages.page import Page
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.session.session import REMEMBERED, TROUBLE, Connection
from moby_tui.screens.widgets.filter_bar import FilterBar
from moby_tui.screens.widgets.log_stream import LANGUAGE, LogStream

FRAME = 0.1
#: Bytes of events that are kept here.
LIMIT = 16 << 20
#: Events from before the start of the dashboard are shown as far back as this; seconds.
PAST = 86400.0
_COLOURS = {
    "start": 32,
    "create": 36,
    "die": 31,
    "oom": 31,
    "kill": 31,
    "destroy": 31,
    "stop": 33,
    "pause": 33,
    "health_status": 35,
}
#: An id, of which a person reads the beginning.
_ID = r"(?:sha256:)?[0-9a-f]{64}"
#: Attributes that the line says already, or that say nothing to a person.
_SAID = {"name", "image", "container", "type"}


class EventsPage(Page):
    """Those that the session remembers are shown once the engine has told those from before the dashboard began."""

    mode = "events"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(id="events.filter", title="Filter", keys="slash", key_display="/", tooltip="Show only the events that match"),
        Action(id="events.back", title="Back", keys="escape", footer=False, tooltip="End the filter"),
        Action(id="events.clear", title="Clear", keys="C", tooltip="Empty the list"),
    )

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        #: Not drawn yet.
        self._waiting: deque[Event] = deque(maxlen=REMEMBERED)
        self._store = LogStore(LIMIT)
        self._drawing: Timer | None = None
        self._knows_past = False

    def content(self) -> Iterable[Widget]:
        yield Vertical(
            LogStream(self._store, dict, id="events", empty="nothing has happened yet"),
            FilterBar("filter", LANGUAGE, id="event-filter", kind="logs"),
            id="list",
        )

    def on_mount(self) -> None:
        self.query_one("#list").border_title = "Events"
        self.query_one(LogStream).focus()
        self.session.event_received.subscribe(self, self._take)
        self.session.connection_changed.subscribe(self, self._connected)
        self._connected(self.session.connection)

    def _connected(self, connection: Connection) -> None:
        if connection.up and self.session.since and not self._knows_past:
            self._fetch_past()

    @work(group="past", exclusive=True)
    async def _fetch_past(self) -> None:
        """Shows what happened before the dashboard began, then what it remembers since."""
        since = self.session.since
        past: deque[LogLine] = deque(maxlen=REMEMBERED)
        try:
            async for event in self.session.client.events.stream(since=since - PAST, until=since):
                if event.time_nano < since * 1e9:
                    past.append(_line(event))
        except TROUBLE as error:
            if not self.session.connection.up:
                return  # asked for again once there is an engine
            self.notify(text.clean(str(error)), title="No events from before", severity="warning", markup=False)
        self._knows_past = True
        self._write([*past, *map(_line, self.session.events)])

    def _take(self, event: Event) -> None:
        """Another event; it is drawn with the next frame in which the page is seen."""
        if self._knows_past:
            self._waiting.append(event)
            if self.is_current and self._drawing is None:
                self._drawing = self.set_timer(FRAME, self._flush)

    def on_screen_resume(self) -> None:
        self._flush()

    def _flush(self) -> None:
        self._drawing = None
        if self._waiting:
            self._write([_line(event) for event in self._waiting])
            self._waiting.clear()

    def _write(self, lines: list[LogLine]) -> None:
        self._store.add(sorted(lines, key=by_time))
        self.query_one(LogStream).refill()

    @on(FilterBar.Changed)
    def _filtered(self, event: FilterBar.Changed) -> None:
        try:
            term = parse(event.value, time.time())
        except QueryError as error:
            event.bar.count(str(error))
            return
        stream = self.query_one(LogStream)
        stream.filter(term)
        event.bar.count("" if stream.shown.everything else f"{len(stream.shown):,} events")

    @on(FilterBar.Left)
    def _left(self) -> None:
        self.query_one(LogStream).focus()

    def action_filter(self) -> None:
        self.query_one(FilterBar).open()

    def action_back(self) -> None:
        self.query_one(FilterBar).drop()

    def action_clear(self) -> None:
        self.query_one(LogStream).clear()


def _short(value: str) -> str:
    """A value of an attribute; an id is as short as in the lists."""
    return text.short_id(value) if re.fullmatch(_ID, value) else value


def _line(event: Event) -> LogLine:
    """``container start  web (nginx)  key=value``."""
    attributes = {text.clean(key): text.clean(value) for key, value in event.actor.attributes.items()}
    name = attributes.get("name") or text.short_id(text.clean(event.actor.id))
    image = f" ({attributes['image']})" if attributes.get("image") else ""
    rest = " ".join(f"{key}={_short(value)}" for key, value in sorted(attributes.items()) if key not in _SAID and value)
    kind, action = text.clean(event.type), text.clean(event.action)
    colour = _COLOURS.get(action.partition(":")[0], 37)
    head = f"\x1b[2m{kind:<9}\x1b[0m \x1b[{colour}m{action:<12}\x1b[0m"
    coloured = f"{head} \x1b[1m{name}\x1b[0m{image}  \x1b[2m{rest}\x1b[0m"
    line = make_line(event.time_nano or event.time * SECOND, 0, STDOUT, coloured.encode("utf-8", "replace"))
    return line._replace(level=Level.NONE)
