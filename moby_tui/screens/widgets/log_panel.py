"""One container's log with its search line."""

from __future__ import annotations

from textual.worker import Worker

from moby_tui.schema.event import Event
from moby_tui.screens.logs.gathering import Gathering
from moby_tui.screens.logs.store import LogStore
from moby_tui.screens.session.session import Session
from moby_tui.screens.widgets.lines.searched_log import SearchedLog
from moby_tui.screens.widgets.log_stream import LogStream

#: Bytes and lines of the log that are kept and read here; the page of the logs has more.
LIMIT, TAIL = 16 << 20, 2000


class LogPanel(SearchedLog):
    """Shows the log of the container that it was last given."""

    def __init__(self, session: Session, *, id: str) -> None:
        store = LogStore(LIMIT)
        super().__init__(store, lambda: self.gathering.names, empty="no log lines yet", id=id)
        self._session = session
        self._container = ""
        #: True if there are lines that are not shown yet.
        self._behind = False
        self.gathering = Gathering(session, store, self.refill, with_runs=False)
        self.gathering.tail = TAIL
        self._worker: Worker[None] | None = None

    def on_mount(self) -> None:
        self._session.containers_changed.subscribe(self, self.gathering.wake)
        self._session.connection_changed.subscribe(self, lambda _: self.gathering.wake(frozenset()))
        self._session.event_received.subscribe(self, self._event)
        self._worker = self.run_worker(self.gathering.run(), group="logs", exclusive=True)

    def _event(self, event: Event) -> None:
        self.gathering.take_event(event)

    def refill(self) -> None:
        """Shows new lines, unless another page is in front."""
        self._behind = self.screen not in self.app.screen_stack
        if not self._behind:
            super().refill()

    def catch_up(self) -> None:
        """Shows what has come while another page was in front."""
        if self._behind:
            self.refill()

    def show(self, container: str) -> None:
        """Turns to another container; empty for none."""
        if container == self._container:
            return
        self._container = container
        self.drop()  # the next log has lines of its own
        stream = self.query_one(LogStream)
        stream.clear()
        stream.empty = "no log lines yet" if container else "no container is selected"
        known = self._session.model.get(container)
        self.gathering.want({container: known.name if known else ""} if container else {})
        stream.refill()
