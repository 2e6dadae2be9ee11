"""The figures of all containers in one table, sorted by any of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on, work
from textual.containers import Vertical
from textual.widget import Widget

from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.pages.page import Page
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.usage.polling import Polling
from moby_tui.screens.usage.rows import COLUMNS, UsageRow, columns_for, find_column, make_row, sort
from moby_tui.screens.widgets.figure_table import FigureTable
from moby_tui.screens.widgets.filter_bar import FilterBar


class OverviewPage(Page):
    """Samples containers only while it is seen."""

    mode = "overview"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="overview.sort", title="Sort", keys="s,right", key_display="s", call="turn(1)", tooltip="Sort by the next column"
        ),
        Action(
            id="overview.sort_before",
            title="Sort before",
            keys="left",
            footer=False,
            call="turn(-1)",
            tooltip="Sort by the column before",
        ),
        Action(id="overview.reverse", title="Reverse", keys="R", tooltip="Turn the order round"),
        Action(id="overview.all", title="All", keys="a", tooltip="Show containers that do not run, or hide them"),
        Action(
            id="overview.filter", title="Filter", keys="slash", key_display="/", tooltip="Words that must match; !word must not"
        ),
        Action(
            id="overview.logs",
            title="Logs",
            keys="l",
            on=On.ROW,
            tooltip="Show its log on the page of the logs",
            command="moby logs {names}",
        ),
        Action(
            id="overview.open",
            title="Open",
            keys="enter",
            on=On.ROW,
            footer=False,
            tooltip="Show it on the page of the containers",
        ),
        Action(id="overview.back", title="Back", keys="escape", footer=False, tooltip="End the filter"),
    )

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._polling = Polling(self.session)
        self._column = COLUMNS[2]
        self._reverse = False
        self._all = True
        self._query = ""
        self._seen = asyncio.Event()

    def content(self) -> Iterable[Widget]:
        yield Vertical(
            FigureTable(id="figures"), FilterBar("filter", "words · !not", id="overview-filter", kind="lists"), id="list"
        )

    def on_mount(self) -> None:
        self.query_one("#list").border_title = "Overview"
        self.query_one(FigureTable).focus()
        self.session.containers_changed.subscribe(self, lambda _: self._draw())
        self._draw()
        self._poll()

    async def arrive(self, words: Sequence[str]) -> None:
        """The name of a column to sort by: ``:overview mem``."""
        if words and (column := find_column(words[0])):
            self._column, self._reverse = column, False
            self._draw()

    def on_screen_suspend(self) -> None:
        self._seen.clear()

    def on_screen_resume(self) -> None:
        self._seen.set()
        self._draw()

    @work(group="poll", exclusive=True)
    async def _poll(self) -> None:
        while True:
            await self._seen.wait()
            count = await self._polling.round() if self.session.connection.up else 0
            self._draw()
            await asyncio.sleep(self._polling.pause(count))

    def _draw(self) -> None:
        if not self.is_current:
            return
        now = time.time()
        containers = [one for one in self.session.model.sorted(self._query) if self._all or one.running]
        rows = [
            make_row(one, self._polling.histories.get(one.id), now, self._polling.trouble.get(one.id, "")) for one in containers
        ]
        table = self.query_one(FigureTable)
        table.empty = "no container matches" if self._query else "no container yet: moby run IMAGE"
        table.show(sort(rows, self._column, reverse=self._reverse), self._column, reverse=self._reverse)
        self.query_one("#list").border_subtitle = self._sums(rows)
        self.query_one(FilterBar).count(f"{len(rows)} of {len(self.session.model)}")
        self.refresh_bindings()

    def _sums(self, rows: Sequence[UsageRow]) -> str:
        measured = [row for row in rows if not row.missing]
        if not measured:
            return f"{len(rows)} containers"
        processor = sum(max(row.cpu, 0.0) for row in measured)
        memory = sum(row.memory for row in measured)
        column = next(one for one in COLUMNS if one.id == "memory")
        totals = column.told(UsageRow("", "", "", 0.0, memory=memory))
        return f"{len(measured)} of {len(rows)} with figures · together {processor:.0f}% CPU, {totals} memory"

    def targets(self) -> Sequence[UsageRow]:
        chosen = self.query_one(FigureTable).chosen if self.is_mounted else None
        return (chosen,) if chosen else ()

    @on(FigureTable.Chosen)
    def _chosen(self) -> None:
        self.refresh_bindings()

    @on(FigureTable.Sorted)
    def _heading(self, event: FigureTable.Sorted) -> None:
        self._reverse = not self._reverse if event.column is self._column else False
        self._column = event.column
        self._draw()

    @on(FilterBar.Changed)
    def _filtered(self, event: FilterBar.Changed) -> None:
        self._query = event.value
        self._draw()

    @on(FilterBar.Left)
    def _left(self) -> None:
        self.query_one(FigureTable).focus()

    def action_turn(self, step: int) -> None:
        """The order of the columns that are on the screen."""
        columns = columns_for(self.query_one(FigureTable).scrollable_content_region.width)
        place = columns.index(self._column) if self._column in columns else 0
        self._column, self._reverse = columns[(place + step) % len(columns)], False
        self._draw()

    def action_reverse(self) -> None:
        self._reverse = not self._reverse
        self._draw()

    def action_all(self) -> None:
        self._all = not self._all
        self._draw()

    def action_filter(self) -> None:
        self.query_one(FilterBar).open()

    def action_back(self) -> None:
        self.query_one(FilterBar).drop()

    def action_logs(self) -> None:
        for row in self.targets():
            self.workspace.guide.go("logs", row.name)

    def action_open(self) -> None:
        for row in self.targets():
            self.workspace.guide.go("containers", row.name)
