"""The page of the activity: what was done in this dashboard, with the command line that does the same."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget

from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.listing.columns import Cells, Column
from moby_tui.screens.pages.list_page import ListPage
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.session.activity import Deed, Outcome
from moby_tui.screens.session.resources import matches
from moby_tui.screens.widgets.filter_bar import FilterBar
from moby_tui.screens.widgets.object_table import ObjectTable

_COLOURS = {Outcome.RUNNING: "accent", Outcome.DONE: "success", Outcome.FAILED: "error", Outcome.TAKEN_BACK: "warning"}


class ActivityTable(ObjectTable[Deed]):
    @classmethod
    def parts(cls) -> tuple[type[Widget], ...]:
        return (ObjectTable,)

    def __init__(self) -> None:
        columns: tuple[Column[Deed], ...] = (
            Column("began", "TIME", 8, 8, lambda deed: deed.began, number=True),
            Column("title", "ACTION", 8, 24, lambda deed: deed.title, rank=2),
            Column("command", "COMMAND", 20, 90, lambda deed: deed.command, rank=1),
            Column("outcome", "RESULT", 10, 10, lambda deed: deed.outcome.value, rank=3),
            Column("took", "TOOK", 7, 7, lambda deed: deed.took, rank=5, number=True),
            Column("detail", "", 16, 100, lambda deed: deed.detail, rank=4, late=True),
        )
        super().__init__(columns, id="rows")

    def cells(self, row: Deed) -> Cells:
        return {
            "began": self.cell(time.strftime("%H:%M:%S", time.localtime(row.began)), "text-muted"),
            "title": self.cell(row.title),
            "command": self.cell(row.command, "accent"),
            "outcome": self.cell(row.outcome.value, _COLOURS[row.outcome]),
            "took": self.cell(f"{row.took:.1f}s" if row.took else "", "text-muted", right=True),
            "detail": self.cell(row.detail, "error" if row.outcome is Outcome.FAILED else "text-muted"),
        }


class ActivityPage(ListPage[Deed]):
    """The page of what the person has done in this session, the newest action first."""

    mode = "activity"
    has_details = False
    noun = "action"
    heading = "Activity"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="activity.copy", title="Copy command", keys="c", tooltip="Copy the command lines", call="copy_lines", on=On.ROWS
        ),
        Action(id="activity.filter", title="Filter", keys="slash", key_display="/", tooltip="Words that must be in the row"),
        Action(id="activity.back", title="Back", keys="escape", footer=False, tooltip="End the filter, then the marks"),
    )

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._query = ""

    def content(self) -> Iterable[Widget]:
        yield Vertical(ActivityTable(), FilterBar("filter", "words · !not", id="activity-filter", kind="lists"), id="list")

    def on_mount(self) -> None:
        self.session.activity_changed.subscribe(self, lambda _: self._changed())
        self.app.theme_changed_signal.subscribe(self, lambda _: self._restyle())
        self.query_one("#list").border_title = self.heading
        self.table().fit()
        self.use_preferences()
        self.table().focus()
        self.draw()

    def on_screen_resume(self) -> None:
        self.draw()

    def find(self, identifier: str) -> Deed | None:
        return self.session.activity.get(identifier)

    def every(self) -> Iterable[Deed]:
        return self.session.activity

    async def arrive(self, words: Sequence[str]) -> None:
        self.query_one(FilterBar).fill(" ".join(words))

    def _changed(self) -> None:
        if self.is_current:
            self.draw_soon()

    def _restyle(self) -> None:
        self.table().restyle()
        self.draw()

    def draw(self) -> None:
        rows = [deed for deed in reversed(list(self.session.activity)) if matches(deed.words, self._query)]
        self.table().put_rows(rows)
        self.table().fit()
        total = len(self.session.activity)
        counted = f"{len(rows)} of {total}" if self._query else f"{total}" if total else "nothing was done in this dashboard yet"
        self.table().say("no row has these words" if total else counted)
        self.query_one("#list").border_subtitle = Content(counted if total else "")
        self.query_one(FilterBar).count(f"{len(rows)} of {total}")

    @on(FilterBar.Changed)
    def _filtered(self, event: FilterBar.Changed) -> None:
        self._query = event.value
        self.draw()

    @on(FilterBar.Left)
    def _left(self) -> None:
        self.table().focus()

    @on(ObjectTable.Chosen)
    def _chosen(self) -> None:
        self.refresh_bindings()

    def action_filter(self) -> None:
        self.query_one(FilterBar).open()

    def action_back(self) -> None:
        if self.query_one(FilterBar).filled:
            self.query_one(FilterBar).drop()
        else:
            self.table().action_unmark()
        self.table().focus()

    def action_copy_lines(self) -> None:
        lines = "\n".join(deed.command for deed in self.targets() if deed.command)
        if lines:
            self.app.copy_to_clipboard(lines)
            self.notify(lines, title="Copied", markup=False)
