"""What the pages of images, volumes and networks share: a table that events keep up to date, a filter and removal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.containers import Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import DataTable

from moby_tui.schema.base import to_builtins
from moby_tui.schema.event import Event
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action
from moby_tui.screens.pages.page import Page
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.session.session import TROUBLE
from moby_tui.screens.widgets.filter_bar import FilterBar
from moby_tui.screens.widgets.inspect_view import InspectView

GATHER = 0.2


@dataclass(frozen=True, slots=True)
class Row:
    """``key`` is what the engine knows it by; cells are in the order of the page's columns, and clean."""

    key: str
    name: str
    cells: tuple[str, ...]


class ResourcePage(Page):
    """A subclass says its columns (title and width; 0 takes what is left), fetches rows and inspects one."""

    heading: ClassVar[str]
    columns: ClassVar[tuple[tuple[str, int], ...]]
    #: Columns whose numbers stand at the right.
    right: ClassVar[frozenset[int]] = frozenset()
    #: Types of the events after which the list is fetched again.
    follows: ClassVar[frozenset[str]]
    empty: ClassVar[str] = "none yet"

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(id="resource.filter", title="Filter", keys="slash", key_display="/", tooltip="Words that must be in the row"),
        Action(
            id="resource.zoom", title="Zoom", keys="z", footer=False, tooltip="Give the whole page to the details, or to both"
        ),
        Action(id="resource.back", title="Back", keys="escape", footer=False, tooltip="Back to the list; there, end the filter"),
    )

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._rows: list[Row] = []
        self._query = ""
        self._pending: Timer | None = None
        self._chosen = ""

    def content(self) -> Iterable[Widget]:
        yield Vertical(
            DataTable(id="rows", cursor_type="row", cursor_foreground_priority="renderable"),
            FilterBar("filter", "words", id="row-filter"),
            id="list",
        )
        yield Vertical(InspectView(id="row-inspect"), id="detail")

    async def fetch(self) -> list[Row]:
        raise NotImplementedError

    async def inspect(self, key: str) -> object:
        raise NotImplementedError

    @property
    def chosen(self) -> Row | None:
        return next((row for row in self._rows if row.key == self._chosen), None)

    def targets(self) -> Sequence[Row]:
        return [self.chosen] if self.chosen else []

    def on_mount(self) -> None:
        self.session.event_received.subscribe(self, self._event)
        self.session.connection_changed.subscribe(self, lambda connection: self.reload() if connection.up else None)
        self.query_one("#list").border_title = self.heading
        self.query_one("#detail").border_title = "nothing selected"
        self._lay_columns()
        self.query_one("#rows").focus()
        self.reload()

    def on_screen_resume(self) -> None:
        self.reload()

    def _event(self, event: Event) -> None:
        if event.type in self.follows and self.is_current and self._pending is None:
            self._pending = self.set_timer(GATHER, self.reload)

    def reload(self) -> None:
        """Fetches the list again."""
        self._pending = None
        self._reload()

    @work(group="reload", exclusive=True)
    async def _reload(self) -> None:
        if not self.session.connection.up:
            return
        try:
            self._rows = await self.fetch()
        except TROUBLE as error:
            self.query_one("#list").border_subtitle = Content(text.clean(str(error)))
            return
        self._draw()

    def _lay_columns(self) -> None:
        table = self._table()
        table.clear(columns=True)
        room = table.size.width - sum(width + 2 for _, width in self.columns) - 2
        flexible = sum(1 for _, width in self.columns if not width) or 1
        for title, width in self.columns:
            table.add_column(title, width=width or max(room // flexible, 12))

    def on_resize(self) -> None:
        self.call_after_refresh(self._relay)

    def _relay(self) -> None:
        self._lay_columns()
        self._draw()

    def _draw(self) -> None:
        shown = [row for row in self._rows if all(word in " ".join(row.cells).lower() for word in self._query.lower().split())]
        table, place = self._table(), self._table().cursor_row
        keys = [row.key for row in shown]
        with self.app.batch_update():
            table.clear()
            for row in shown:
                cells = (
                    Text(
                        cell,
                        style="bold" if not index else "",
                        justify="right" if index in self.right else "left",
                        overflow="ellipsis",
                    )
                    for index, cell in enumerate(row.cells)
                )
                table.add_row(*cells, key=row.key)
            if keys:
                table.move_cursor(row=keys.index(self._chosen) if self._chosen in keys else min(place, len(keys) - 1))
        total = len(self._rows)
        self.query_one("#list").border_subtitle = (
            f"{len(shown)} of {total}" if self._query else f"{total}" if total else self.empty
        )
        self.query_one(FilterBar).count(f"{len(shown)} of {total}")
        if not keys:
            self._choose("")

    def _table(self) -> DataTable[Text]:
        return self.query_one("#rows", DataTable)

    @on(DataTable.RowHighlighted, "#rows")
    def _highlighted(self, event: DataTable.RowHighlighted) -> None:
        self._choose(event.row_key.value or "")

    def _choose(self, key: str) -> None:
        self._chosen = key
        row = self.chosen
        self.query_one("#detail").border_title = Content(row.name) if row else "nothing selected"
        self.refresh_bindings()
        self._inspect(key)

    @work(group="inspect", exclusive=True)
    async def _inspect(self, key: str) -> None:
        view = self.query_one(InspectView)
        if not key:
            view.show({})
            return
        try:
            found = await self.inspect(key)
        except TROUBLE as error:
            view.show({"error": text.clean(str(error))})
            return
        if key == self._chosen:
            view.show(to_builtins(found))

    @on(DataTable.RowSelected, "#rows")
    def _selected(self) -> None:
        self.query_one(InspectView).focus()

    @on(FilterBar.Changed)
    def _filtered(self, event: FilterBar.Changed) -> None:
        self._query = event.value
        self._draw()

    @on(FilterBar.Left)
    def _left(self) -> None:
        self._table().focus()

    def action_filter(self) -> None:
        self.query_one(FilterBar).open()

    def action_zoom(self) -> None:
        self.toggle_class("-detail-only")

    def action_back(self) -> None:
        """Both panels and the keys to the list; there already, it ends the filter."""
        bar = self.query_one(FilterBar)
        if self._table().has_focus and bar.filled:
            bar.drop()
        self.remove_class("-detail-only")
        self._table().focus()
