"""One container's log with its search line."""

from __future__ import annotations

import re

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.worker import Worker

from moby_tui.screens.logs.feed import LogFeed
from moby_tui.screens.session.session import Session
from moby_tui.screens.widgets.filter_bar import FilterBar
from moby_tui.screens.widgets.log_view import LogView


class LogPanel(Vertical):
    """Shows the log of the container that it was last given."""

    BINDINGS = [  # noqa: RUF012
        Binding("slash", "search", "Search", id="log.search", key_display="/", tooltip="Search the log (regular expression)"),
        Binding("escape", "drop", "End search", id="log.drop", show=False),
        Binding("ampersand", "only", "Only matches", id="log.only", key_display="&", tooltip="Show only the lines that match"),
    ]

    def __init__(self, session: Session, *, id: str) -> None:
        super().__init__(id=id)
        self._session = session
        self._container = ""
        self._feed: LogFeed | None = None
        self._worker: Worker[None] | None = None
        self._query = ""
        self._only = False

    def compose(self) -> ComposeResult:
        yield LogView(id="log", empty="no log lines yet")
        yield FilterBar("search", "regular expression · n next · N previous", id="log-search")

    def on_mount(self) -> None:
        self._session.containers_changed.subscribe(self, self._wake)

    def _wake(self, changed: frozenset[str]) -> None:
        if self._feed and (not changed or self._container in changed):
            self._feed.wake()

    def show(self, container: str) -> None:
        """Turns to another container; empty for none."""
        if container == self._container:
            return
        self._container = container
        if self._worker:
            self._worker.cancel()
        self._drop()
        view = self.query_one(LogView)
        view.clear()
        view.empty = "no log lines yet" if container else "no container is selected"
        if container:
            feed = self._feed = LogFeed(self._session, container, view.write)
            self._worker = self.run_worker(feed.run, group="logs", exclusive=True)

    def _drop(self) -> None:
        """Ends the search: the next log has lines of its own."""
        self._query, self._only = "", False
        self.query_one(FilterBar).drop()
        self._search()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape is the page's where no search is to end."""
        return action != "drop" or bool(self._query or self._only)

    def action_drop(self) -> None:
        self._drop()

    def action_search(self) -> None:
        self.query_one(FilterBar).open()

    def action_only(self) -> None:
        self._only = not self._only
        self._search()
        if self._only and not self._query:
            self.action_search()

    @on(FilterBar.Changed)
    def _typed(self, event: FilterBar.Changed) -> None:
        event.stop()
        self._query = event.value
        self._search()

    @on(FilterBar.Left)
    def _left(self, event: FilterBar.Left) -> None:
        event.stop()
        view = self.query_one(LogView)
        view.focus()
        if self._query and not self._only:
            view.action_find(-1)

    def _search(self) -> None:
        view, bar = self.query_one(LogView), self.query_one(FilterBar)
        view.search(_pattern(self._query), only=self._only)
        only = " · only these" if self._only else ""
        bar.count(f"{view.matches()} rows{only}" if self._query else "")


def _pattern(query: str) -> re.Pattern[str] | None:
    """A regular expression; what is not one is taken as it stands. Small letters match both cases."""
    if not query:
        return None
    flags = re.IGNORECASE if query == query.lower() else re.NOFLAG
    try:
        return re.compile(query, flags)
    except re.error:
        return re.compile(re.escape(query), flags)
