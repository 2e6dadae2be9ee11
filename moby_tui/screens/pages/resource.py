"""What the pages of images, volumes and networks share: a list that events keep up to date, a filter, and all settings of one row."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Generic

from textual import on, work
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget

from moby_tui.schema.base import to_builtins
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action
from moby_tui.screens.listing.columns import Cells, Column
from moby_tui.screens.pages.list_page import ListPage
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.session.resource_feed import ResourceFeed
from moby_tui.screens.session.resources import R
from moby_tui.screens.session.session import TROUBLE
from moby_tui.screens.widgets.filter_bar import FilterBar
from moby_tui.screens.widgets.inspect_view import InspectView
from moby_tui.screens.widgets.object_table import ObjectTable

#: A command waits this long for the first list; seconds.
LONGEST = 5.0


class ResourceTable(ObjectTable[Any]):
    """A table whose page makes the cells."""

    @classmethod
    def parts(cls) -> tuple[type[Widget], ...]:
        return (ObjectTable, InspectView)

    def __init__(self, page: ResourcePage[Any], columns: Sequence[Column[Any]]) -> None:
        super().__init__(columns, id="rows")
        self._page = page

    def cells(self, row: Any) -> Cells:
        return self._page.cells(self, row)


class ResourcePage(ListPage[R], Generic[R]):
    """A subclass has a feed, columns and cells, and inspects one row."""

    heading: ClassVar[str]
    empty: ClassVar[str] = "none yet"

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="resource.filter", title="Filter", keys="slash", key_display="/", tooltip="Words that must be in the row; !word must not"
        ),
        Action(id="resource.zoom", title="Zoom", keys="z", footer=False, tooltip="Give the whole page to the details, or to both"),
        Action(id="resource.back", title="Back", keys="escape", footer=False, tooltip="Back to the list; there, end the filter"),
    )  # fmt: skip

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._query = ""
        self._detail_of = ""
        self._outdated = False

    @property
    def feed(self) -> ResourceFeed[Any, R]:
        """The list."""
        raise NotImplementedError

    def columns(self) -> Sequence[Column[R]]:
        raise NotImplementedError

    def cells(self, table: ObjectTable[R], row: R) -> Cells:
        """One row's cells, by the columns' keys."""
        raise NotImplementedError

    def gather(self) -> None:
        """Called before the rows are drawn: what the cells need of other lists."""

    async def inspect(self, key: str) -> object:
        raise NotImplementedError

    def content(self) -> Iterable[Widget]:
        yield Vertical(
            ResourceTable(self, self.columns()), FilterBar("filter", "words · !not", id="row-filter", kind="lists"), id="list"
        )
        yield Vertical(InspectView(id="row-inspect"), id="detail")

    def find(self, identifier: str) -> R | None:
        return self.feed.model.get(identifier)

    async def ready(self) -> None:
        self.feed.want()
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST):
                await self.feed.first.wait()

    def every(self) -> Iterable[R]:
        return self.feed.model.rows()

    @property
    def chosen(self) -> R | None:
        return self.find(self._detail_of)

    def on_mount(self) -> None:
        self.feed.changed.subscribe(self, self._changed)
        self.session.containers_changed.subscribe(self, self._changed)
        self.app.theme_changed_signal.subscribe(self, lambda _: self._restyle())
        self.query_one("#list").border_title = self.heading
        self.query_one("#detail").border_title = "nothing selected"
        self.table().fit()
        self.use_preferences()
        self.table().focus()
        self.feed.want()
        self.draw()

    def on_screen_resume(self) -> None:
        self.feed.want()
        if self._outdated:
            self.draw()

    async def arrive(self, words: Sequence[str]) -> None:
        """The words are a filter; the name of a row puts the cursor there."""
        if len(words) == 1 and (row := next((one for one in self.feed.model.rows() if one.name == words[0]), None)):
            if not self.table().go_to(row.id) and self._query:
                self.query_one(FilterBar).drop()
                self._query = ""
                self.draw()
                self.table().go_to(row.id)
        else:
            self.query_one(FilterBar).fill(" ".join(words))

    def _changed(self, touched: frozenset[str]) -> None:
        self._outdated = True
        if self.is_current:
            self.draw_soon()

    def _restyle(self) -> None:
        self.table().restyle()
        self.draw()

    def draw(self) -> None:
        self._outdated = False
        self.gather()
        rows = self.feed.model.sorted(self._query)
        table = self.table()
        table.put_rows(rows)
        table.fit()
        shown, total = len(rows), len(self.feed.model)
        table.say(self._count(shown, total) if not total else "no row has these words")
        self.set_class(self.feed.loaded and not total, "-nothing")
        self.query_one(FilterBar).count(f"{shown} of {total}")
        self.query_one("#list").border_subtitle = Content(self._count(shown, total))
        self._show_detail(table.chosen)

    def _count(self, shown: int, total: int) -> str:
        if self.feed.trouble:
            return self.feed.trouble
        if not self.feed.loaded:
            return "fetching …"
        return f"{shown} of {total}" if self._query else f"{total}" if total else self.empty

    @on(ObjectTable.Chosen)
    def _row_chosen(self, event: ObjectTable.Chosen) -> None:
        self._show_detail(event.identifier)

    def _show_detail(self, key: str) -> None:
        self._detail_of = key
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
            document = await self.inspect(key)
        except TROUBLE as error:
            view.show({"error": text.clean(str(error))})
            return
        if key == self._detail_of:
            view.show(to_builtins(document))

    @on(ObjectTable.RowSelected, "#rows")
    def _selected(self) -> None:
        self.query_one(InspectView).focus()

    @on(FilterBar.Changed)
    def _filtered(self, event: FilterBar.Changed) -> None:
        self._query = event.value
        self.draw()

    @on(FilterBar.Left)
    def _left(self) -> None:
        self.table().focus()

    def action_filter(self) -> None:
        self.query_one(FilterBar).open()

    def action_zoom(self) -> None:
        self.toggle_class("-detail-only")

    def action_back(self) -> None:
        """Both panels and the keys to the list; there already, it ends the filter, then the marks."""
        bar, table = self.query_one(FilterBar), self.table()
        if table.has_focus:
            if bar.filled:
                bar.drop()
            else:
                table.action_unmark()
        self.remove_class("-detail-only")
        table.focus()
