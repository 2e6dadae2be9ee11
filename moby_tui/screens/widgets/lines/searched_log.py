"""The lines of a log with the line for searching them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from moby_tui.screens.actions.action import Action, bindings
from moby_tui.screens.logs.query import QueryError, parse
from moby_tui.screens.logs.store import LogStore
from moby_tui.screens.logs.terms import Everything, Term
from moby_tui.screens.widgets.filter_bar import FilterBar
from moby_tui.screens.widgets.log_line import Times
from moby_tui.screens.widgets.log_stream import LANGUAGE, LogStream


class SearchedLog(Vertical):
    """``names`` gives the containers' names by their number in the store; ``empty`` is shown if there is no line."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(id="log.search", title="Search", keys="slash", key_display="/", tooltip="Mark the lines that match"),
        Action(id="log.drop", title="End search", keys="escape", footer=False, tooltip="End the search"),
        Action(id="log.only", title="Only matches", keys="ampersand", key_display="&", tooltip="Show only the lines that match"),
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings(ACTIONS)

    def __init__(self, store: LogStore, names: Callable[[], dict[int, str]], *, empty: str, id: str) -> None:
        super().__init__(id=id)
        self.store, self._names, self._empty = store, names, empty
        self._term: Term = Everything()
        self._only = False

    def compose(self) -> ComposeResult:
        yield LogStream(self.store, self._names, id="log", empty=self._empty)
        yield FilterBar("search", LANGUAGE, id="log-search", kind="logs")

    def on_mount(self) -> None:
        for stream in self.query(LogStream):
            stream.times = Times.OFF

    def focus_lines(self) -> None:
        for stream in self.query(LogStream):
            stream.focus()

    def refill(self) -> None:
        """The store has changed."""
        # the last lines may come when the dashboard ends, and what is in the widget is gone before the widget
        if self.query("LogStream") and self.query("FilterBar"):
            self.query_one(LogStream).refill()
            self._count()

    def drop(self) -> None:
        """Ends the search."""
        self._term, self._only = Everything(), False
        self.query_one(FilterBar).drop()
        self._search()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape is the page's where no search is to end."""
        return action != "drop" or self._only or self.query_one(FilterBar).filled

    def action_drop(self) -> None:
        self.drop()

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
            content = f"{here} of {count:,}" if here else f"{count:,} lines"
            self.query_one(FilterBar).count(f"{content}{'' if settled else '+'}{only}")
