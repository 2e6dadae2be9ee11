"""One container's log with its search line."""

from __future__ import annotations

import time
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.worker import Worker

from moby_tui.schema.event import Event
from moby_tui.screens.actions.action import Action, bindings
from moby_tui.screens.logs.gathering import Gathering
from moby_tui.screens.logs.query import QueryError, parse
from moby_tui.screens.logs.store import LogStore
from moby_tui.screens.logs.terms import Everything, Term
from moby_tui.screens.session.session import Session
from moby_tui.screens.widgets.filter_bar import FilterBar
from moby_tui.screens.widgets.log_line import Times
from moby_tui.screens.widgets.log_stream import LANGUAGE, LogStream

#: Bytes and lines of the log that are kept and read here; the page of the logs has more.
LIMIT, TAIL = 16 << 20, 2000


class LogPanel(Vertical):
    """Shows the log of the container that it was last given."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(id="log.search", title="Search", keys="slash", key_display="/", tooltip="Mark the lines that match"),
        Action(id="log.drop", title="End search", keys="escape", footer=False, tooltip="End the search"),
        Action(id="log.only", title="Only matches", keys="ampersand", key_display="&", tooltip="Show only the lines that match"),
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings(ACTIONS)

    def __init__(self, session: Session, *, id: str) -> None:
        super().__init__(id=id)
        self._session = session
        self._container = ""
        self._store = LogStore(LIMIT)
        self.gathering = Gathering(session, self._store, self._came, with_runs=False)
        self.gathering.tail = TAIL
        self._worker: Worker[None] | None = None
        self._term: Term = Everything()
        self._only = False

    def compose(self) -> ComposeResult:
        yield LogStream(self._store, lambda: self.gathering.names, id="log", empty="no log lines yet")
        yield FilterBar("search", LANGUAGE, id="log-search")

    def on_mount(self) -> None:
        self.query_one(LogStream).times = Times.OFF
        self._session.containers_changed.subscribe(self, self.gathering.wake)
        self._session.connection_changed.subscribe(self, lambda _: self.gathering.wake(frozenset()))
        self._session.event_received.subscribe(self, self._event)
        self._worker = self.run_worker(self.gathering.run(), group="logs", exclusive=True)

    def _event(self, event: Event) -> None:
        self.gathering.take_event(event)

    def _came(self) -> None:
        # the last lines may come when the dashboard ends, and what is in the panel is gone before the panel
        if self.query("LogStream") and self.query("FilterBar"):
            self.query_one(LogStream).refill()
            self._count()

    def show(self, container: str) -> None:
        """Turns to another container; empty for none."""
        if container == self._container:
            return
        self._container = container
        self._drop()
        stream = self.query_one(LogStream)
        stream.clear()
        stream.empty = "no log lines yet" if container else "no container is selected"
        known = self._session.model.get(container)
        self.gathering.want({container: known.name if known else ""} if container else {})
        stream.refill()

    def _drop(self) -> None:
        """Ends the search: the next log has lines of its own."""
        self._term, self._only = Everything(), False
        self.query_one(FilterBar).drop()
        self._search()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape is the page's where no search is to end."""
        return action != "drop" or self._only or self.query_one(FilterBar).filled

    def action_drop(self) -> None:
        self._drop()

    def action_search(self) -> None:
        self.query_one(FilterBar).open()

    def action_only(self) -> None:
        self._only = not self._only
        self._search()
        if self._only and isinstance(self._term, Everything):
            self.action_search()

    @on(FilterBar.Changed)
    def _typed(self, event: FilterBar.Changed) -> None:
        event.stop()
        try:
            self._term = parse(event.value, time.time())
        except QueryError as error:
            event.bar.count(str(error))
            return
        self._search()

    @on(FilterBar.Left)
    def _left(self, event: FilterBar.Left) -> None:
        event.stop()
        stream = self.query_one(LogStream)
        stream.focus()
        if not isinstance(self._term, Everything) and not self._only:
            stream.find_here()

    @on(LogStream.Changed)
    def _changed(self, event: LogStream.Changed) -> None:
        event.stop()
        self._count()

    def _search(self) -> None:
        stream = self.query_one(LogStream)
        stream.filter(self._term if self._only else Everything())
        stream.search(self._term)
        self._count()

    def _count(self) -> None:
        stream, only = self.query_one(LogStream), " · only these" if self._only else ""
        if stream.hits is not None:
            here, count, settled = stream.hit_at_cursor()
            told = f"{here} of {count:,}" if here else f"{count:,} lines"
            self.query_one(FilterBar).count(f"{told}{'' if settled else '+'}{only}")
