"""What pages of lists share: the filter, the marks, the order and the columns, which are remembered, and actions on many rows."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Generic

from textual import on
from textual.geometry import Size
from textual.timer import Timer

from moby_tui.screens.actions.action import Action
from moby_tui.screens.listing.arrangement import is_beside, part_of
from moby_tui.screens.listing.columns import Order
from moby_tui.screens.pages.page import Page, R
from moby_tui.screens.preferences import ListView, Preferences
from moby_tui.screens.session.resources import matches
from moby_tui.screens.widgets.object_table import ObjectTable

#: Between two drawings of a list; seconds.
GATHER = 0.08


class ListPage(Page, Generic[R]):
    """A subclass has one ``ObjectTable``, and gives a row by its id."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="list.sort", title="Sort by", keys="S", footer=False, tooltip="Choose the column to sort by; again turns it round"
        ),
        Action(id="list.columns", title="Columns", keys="v", footer=False, tooltip="Choose the columns to see"),
        Action(
            id="list.larger",
            title="List larger",
            keys="ctrl+down",
            call="resize(5)",
            footer=False,
            tooltip="Give the list more room",
        ),
        Action(
            id="list.smaller",
            title="List smaller",
            keys="ctrl+up",
            call="resize(-5)",
            footer=False,
            tooltip="Give the details more room",
        ),
        Action(
            id="list.beside",
            title="Side by side",
            keys="backslash",
            footer=False,
            tooltip="List and details beside or below each other (on a screen of 160 columns and more they begin beside)",
        ),
    )

    #: Whether a panel below the list, or beside it, tells of the row under the cursor.
    has_details: ClassVar[bool] = True
    #: The list, once it has been looked for.
    _list: ObjectTable[Any] | None = None

    #: The drawing that is due, and when the list was drawn last, by the monotonic clock.
    _due: Timer | None = None
    _drawn_at = -math.inf

    def draw(self) -> None:
        """Draws the list as its model is now."""
        raise NotImplementedError

    def draw_soon(self) -> None:
        """Draws the list at once; of a burst of changes those that follow are drawn together, ``GATHER`` later."""
        if self._due is None:
            pause = self._drawn_at + GATHER - time.monotonic()
            if pause > 0:
                self._due = self.set_timer(pause, self._draw_now)
            else:
                self._draw_now()

    def _draw_now(self) -> None:
        self._due = None
        self.draw()
        self._drawn_at = time.monotonic()

    def table(self) -> ObjectTable[Any]:
        """The list."""
        return self.query_one(ObjectTable)

    def find(self, identifier: str) -> R | None:
        """The row of this id."""
        raise NotImplementedError

    def every(self) -> Iterable[R]:
        """All rows, whether or not a filter hides them."""
        raise NotImplementedError

    def rows_named(self, names: Sequence[str]) -> Sequence[R]:
        rows = []
        for name in names:
            row = next((one for one in self.every() if name in (one.name, one.id) or name in one.name.split(", ")), None)
            if row is None:
                raise ValueError(f"there is no {self.noun} {name}")
            rows.append(row)
        return rows

    def row(self) -> str:
        return self.table().chosen

    def return_to(self, row: str) -> None:
        self.table().go_to(row)

    def targets(self) -> Sequence[R]:
        """The rows that a command names, else the marked ones, else the one under the cursor."""
        if self._named is not None:
            return self._named
        table = self._list
        if table is None or not table.is_attached:
            # kept, since each key that is offered asks for the rows, and the search goes through all widgets
            table = self._list = next(iter(self.query(ObjectTable)), None)
        if table is None:
            return []
        rows = (self.find(identifier) for identifier in table.marked or [table.chosen])
        return [row for row in rows if row is not None]

    def mark(self, query: str) -> None:
        """Marks those of the rows that are shown in which the words of a filter stand."""
        table = self.table()
        shown = (self.find(identifier) for identifier in table.order_of_rows)
        table.mark(row.id for row in shown if row and self.matches(row, query))

    def matches(self, row: R, query: str) -> bool:
        """Whether a row has the words of a filter."""
        return matches(getattr(row, "words", row.name), query)

    def acted(self) -> None:
        self.table().mark(())

    # Order and columns

    def fit_to(self, size: Size) -> None:
        super().fit_to(size)
        if view := self.workspace.preferences.lists.get(self.mode):
            self._share, self._beside = view.share, view.beside
        if self.has_details and self._is_beside(size):
            self.add_class("-beside", update=False)

    def use_preferences(self) -> None:
        """Takes up the order and columns of last time; called once the table is there."""
        view = self.workspace.preferences.lists.get(self.mode)
        if view:
            self.table().hide(view.hidden)
            self.table().order_by(Order(view.sort, view.reverse))
        self.lay_out()

    #: The list's part of the page in percent, and whether it is beside its details; 0 and None: as the page's size has it.
    _share = 0
    _beside: bool | None = None

    def on_resize(self) -> None:
        self.lay_out()

    def lay_out(self) -> None:
        """Puts list and details below each other, or on a broad screen beside each other."""
        details = self.query("#detail")
        if not details:
            return
        beside = self._is_beside(self.app.size)
        self.set_class(beside, "-beside")
        share = part_of(self._share, beside=beside)
        for panel, part in ((self.query_one("#list"), share), (details.first(), 100 - share)):
            panel.styles.width, panel.styles.height = (f"{part}fr", "1fr") if beside else ("1fr", f"{part}fr")

    def _is_beside(self, size: Size) -> bool:
        """True if the details stand beside the list: as the person chose, else on a broad screen."""
        return is_beside(size.width, self._beside)

    def action_resize(self, step: int) -> None:
        beside = self.has_class("-beside")
        self._share = min(max(part_of(self._share, beside=beside) + step, 10), 90)
        self.lay_out()
        self._remember()

    def action_beside(self) -> None:
        self._beside = not self.has_class("-beside")
        self.lay_out()
        self._remember()

    @on(ObjectTable.OrderChanged)
    def _remember(self) -> None:
        table, mode = self.table(), self.mode
        order = table.order
        view = ListView(order.column, order.reverse, sorted(table.hidden), self._share, self._beside)

        def change(preferences: Preferences) -> None:
            preferences.lists[mode] = view

        self.workspace.guide.remember(change)

    @on(ObjectTable.Marked)
    def _marked(self) -> None:
        self.refresh_bindings()
        count = len(self.table().marked)
        self.query_one("#list").border_title = f"{self.heading} · {count} marked" if count else self.heading

    heading: ClassVar[str]

    def action_sort(self) -> None:
        from moby_tui.screens.dialogs.picker import Picker

        table = self.table()
        options = [("", "as the page has it"), *((key, column.title) for key, column in table.kinds.items())]

        def picked(key: str | None) -> None:
            if key is None:
                return
            again = key == table.order.column
            table.order_by(Order(key, not table.order.reverse if again else bool(key) and table.kinds[key].number))
            self._remember()

        self.app.push_screen(Picker("Sort by", options, table.order.column), picked)

    def action_columns(self) -> None:
        from moby_tui.screens.dialogs.picker import Chooser

        table = self.table()
        first, *others = table.kinds.values()
        options = [(column.key, column.title) for column in others]

        def chosen(keys: tuple[str, ...] | None) -> None:
            if keys is not None:
                table.hide({column.key for column in others} - set(keys))
                self._remember()

        seen = {column.key for column in others} - set(table.hidden)
        self.app.push_screen(Chooser(f"Columns beside {first.title}", lambda _: options, seen), chosen)
