"""A list of objects: rows by key of which only what differs is redrawn, columns that fit, an order of one's choice, marks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import ClassVar, Generic, Protocol, TypeVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.cache import LRUCache
from textual.message import Message
from textual.strip import Strip
from textual.widgets import DataTable
from textual.widgets.data_table import ColumnKey, RowKey

from moby_tui.screens.actions.action import Action, bindings
from moby_tui.screens.listing.columns import Cells, Column, Order, coloured, label, widths
from moby_tui.screens.palette import ink

#: Rows removed one by one; more at once are cheaper by laying the table anew, as each removal costs the table's length.
_FEW = 20
#: Cells that are kept as they were drawn.
DRAWN = 1_000
_MARK = "✓ "


class Keyed(Protocol):
    """A row."""

    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=Keyed)


class _First(Text):
    """The first cell; it knows the row's place, which is what the table is sorted by."""

    place = 0


class ObjectTable(DataTable[Text], Generic[R]):
    """Shows the rows it is given and keeps the cursor on the same object. A subclass makes a row's cells."""

    DEFAULT_CSS = """
    ObjectTable { height: 1fr; scrollbar-size-vertical: 1; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(id="table.mark", title="Mark", keys="space", footer=False, tooltip="Mark the row, or take the mark off; then go down"),
        Action(
            id="table.extend_down", title="Mark down", keys="shift+down", call="extend(1)", footer=False,
            tooltip="Mark this row and the next",
        ),
        Action(
            id="table.extend_up", title="Mark up", keys="shift+up", call="extend(-1)", footer=False,
            tooltip="Mark this row and the one above",
        ),
        Action(id="table.range", title="Mark range", keys="V", footer=False, tooltip="Mark all from the last mark to here"),
        Action(
            id="table.mark_all", title="Mark all", keys="asterisk", footer=False,
            tooltip="Mark all rows that are shown: with a filter, those that match",
        ),
        Action(id="table.invert", title="Invert marks", keys="exclamation_mark", footer=False, tooltip="Mark the others instead"),
        Action(id="table.unmark", title="Unmark", keys="minus", footer=False, tooltip="Take all marks off"),
        Action(
            id="table.sort_right", title="Sort", keys="greater_than_sign", call="sort_by(1)", footer=False,
            tooltip="Sort by the next column",
        ),
        Action(
            id="table.sort_left", title="Sort left", keys="less_than_sign", call="sort_by(-1)", footer=False,
            tooltip="Sort by the column before",
        ),
        Action(id="table.reverse", title="Reverse", keys="equals_sign", footer=False, tooltip="Turn the order round"),
    )  # fmt: skip
    BINDINGS = [  # noqa: RUF012
        *bindings(ACTIONS),
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("g", "scroll_top", "Top", show=False),
        Binding("G", "scroll_bottom", "Bottom", show=False),
    ]

    class Chosen(Message):
        """The cursor stands on another object, or on none."""

        def __init__(self, identifier: str) -> None:
            super().__init__()
            self.identifier = identifier

    class Scrolled(Message):
        """Other rows are seen now."""

    class Marked(Message):
        """The marks have changed."""

    class OrderChanged(Message):
        """The person chose another order or other columns."""

    def __init__(self, columns: Sequence[Column[R]], *, id: str) -> None:
        super().__init__(id=id, cursor_type="row", cursor_foreground_priority="renderable")
        self.kinds: dict[str, Column[R]] = {column.key: column for column in columns}
        # Textual keeps ten thousand drawn cells; of more than a screen's the search for those that changed would cost too much.
        self._cell_render_cache = LRUCache(DRAWN)
        self._changed: set[tuple[str, str]] = set()
        self._objects: dict[str, R] = {}
        self._shown: dict[str, Cells] = {}
        #: The rows as they were handed over, and as they stand.
        self._given: list[str] = []
        self._order: list[str] = []
        self._columns: dict[str, int] = {}
        self._chosen = ""
        self._marked: dict[str, None] = {}
        self._last_mark = ""
        self._by = Order()
        self._hidden: frozenset[str] = frozenset()
        self._empty = ""

    def cells(self, row: R) -> Cells:
        """One row's cells by the keys of the columns."""
        raise NotImplementedError

    # What is shown

    def say(self, message: str) -> None:
        """Shows a clean line below the headings while there is no row."""
        if message != self._empty:
            self._empty = message
            self.refresh()

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        if self._order or not self._empty or y != self.header_height:
            return strip
        style = self.rich_style + Style.parse(ink(self.app.theme_variables, "text-muted") or "default")
        message = Text(f" {self._empty}", style, no_wrap=True, overflow="ellipsis", end="")
        message.truncate(self.size.width, overflow="ellipsis")
        return Strip([Segment(message.plain, style)]).adjust_cell_length(self.size.width, self.rich_style)

    @property
    def chosen(self) -> str:
        """The object under the cursor, or empty."""
        return self._chosen

    @property
    def line_of_cursor(self) -> int:
        """The line of the row under the cursor, from the first line of the widget on."""
        return self.header_height + self.cursor_row - self.scroll_offset.y

    @property
    def order_of_rows(self) -> list[str]:
        """All objects in the order in which they stand."""
        return list(self._order)

    def seen(self) -> list[str]:
        """The objects whose rows are on the screen."""
        top = self.scroll_offset.y
        return self._order[top : top + max(self.size.height, 1)]

    def put_rows(self, rows: Sequence[R], touched: frozenset[str] | None = None) -> None:
        """Takes the whole list. Of those that were there already only the ``touched`` are made again (None: all), and of their cells
        only those that differ.
        """
        self._objects = {row.id: row for row in rows}
        self._given = list(self._objects)
        self._marked = {key: None for key in self._marked if key in self._objects}
        order = self._sorted()
        fresh = {
            row.id: self._dressed(row.id, self.cells(row))
            for row in rows
            if touched is None or row.id in touched or row.id not in self._shown
        }
        with self.app.batch_update():
            if len(self._shown.keys() - set(order)) > _FEW:
                fresh = {identifier: fresh.get(identifier) or self._shown[identifier] for identifier in order}
                self._shown = {}
            if self._shown:
                self._remove(order)
                for identifier, cells in fresh.items():
                    self._put(identifier, cells)
            else:
                self._fill({identifier: fresh[identifier] for identifier in order})
            if order != self._order:
                self._arrange(order)
            self._draw_changed()
            self._choose(order[self.cursor_row] if order and self.cursor_row < len(order) else "")

    def update_cells(self, rows: Mapping[str, Cells]) -> None:
        """Some cells of some rows anew, by their ids."""
        for identifier, cells in rows.items():
            if identifier in self._shown:
                self._put(identifier, self._dressed(identifier, cells))
        self._draw_changed()

    def order_again(self) -> None:
        """What the order depends on has changed."""
        if self._by.column and (order := self._sorted()) != self._order:
            with self.app.batch_update():
                self._arrange(order)

    def restyle(self) -> None:
        """The theme has changed: all cells are to be made anew."""
        self.clear()
        self._shown, self._order = {}, []

    def colour(self, name: str) -> str:
        """A colour of the theme; one that is relative to its ground is the text's."""
        return ink(self.app.theme_variables, name)

    def cell(self, value: str, colour: str = "foreground", *, right: bool = False) -> Text:
        """A cell of one colour of the theme."""
        return coloured(value, self.colour(colour), right=right)

    def _dressed(self, identifier: str, cells: Cells) -> Cells:
        """The cells as they stand; the first has the mark."""
        first = next(iter(self.kinds))
        if first not in cells:
            return cells
        head = _First(no_wrap=True, overflow="ellipsis")
        if identifier in self._marked:
            head.append(_MARK, f"bold {self.colour('accent')}")
        head.append_text(cells[first])
        return {**cells, first: head}

    def _fill(self, rows: dict[str, Cells]) -> None:
        """Lays an empty table with these rows, once: the columns are fitted to them before."""
        row = self.cursor_row
        self._shown, self._order = rows, list(rows)
        self._columns = self._widths(self.outer_size.width)
        self._lay()
        self._hold_cursor(row)

    def _update_dimensions(self, new_rows: Iterable[RowKey]) -> None:
        """Textual measures each cell of new rows here, for columns as wide as their cells; ours have widths of their own."""
        super()._update_dimensions(())

    def _remove(self, order: list[str]) -> None:
        for identifier in self._shown.keys() - set(order):
            self.remove_row(identifier)
            del self._shown[identifier]

    def _put(self, identifier: str, cells: Cells) -> None:
        shown = self._shown.get(identifier)
        if shown is None:
            self.add_row(*(self.fitted(key, cells[key]) for key in self._columns), key=identifier)
            self._shown[identifier] = cells
            return
        for key, cell in cells.items():
            if shown[key] != cell:
                if isinstance(cell, _First) and isinstance(before := shown[key], _First):
                    cell.place = before.place
                shown[key] = cell
                if key in self._columns:
                    self._data[RowKey(identifier)][ColumnKey(key)] = self.fitted(key, cell)
                    self._changed.add((identifier, key))

    def _draw_changed(self) -> None:
        """Draws the cells that differ. ``update_cell`` would have the whole table drawn anew for each of them."""
        changed, self._changed = self._changed, set()
        if not changed:
            return
        rows = {identifier for identifier, _ in changed}
        drawn, lines = list(self._cell_render_cache.keys()), list(self._row_render_cache.keys())
        for cell in drawn:
            if (cell[0].value, cell[1].value) in changed:
                self._cell_render_cache.discard(cell)
        for line in lines:
            if line[0].value in rows:
                self._row_render_cache.discard(line)
        self._row_renderable_cache.clear()
        self._line_cache.clear()
        for identifier in rows:
            self.refresh_row(self.get_row_index(identifier))

    def _arrange(self, order: list[str]) -> None:
        """Brings the rows into this order."""
        row, first = self.cursor_row, next(iter(self.kinds))
        for place, identifier in enumerate(order):
            head = self._shown[identifier][first]
            assert isinstance(head, _First)
            head.place = place
        if first in self._columns:
            self.sort(first, key=attrgetter("place"))
        self._order = order
        self._hold_cursor(row)

    def _hold_cursor(self, row: int) -> None:
        """The cursor stays on its object, or else on its place."""
        if self._order:
            target = self._order.index(self._chosen) if self._chosen in self._shown else min(max(row, 0), len(self._order) - 1)
            self.move_cursor(row=target, animate=False)

    # The columns

    def fit(self) -> None:
        """Shows the columns that there is room for, each as wide as its cells need where that is possible."""
        fitting = self._widths(self.outer_size.width)
        if fitting != self._columns:
            self._columns = fitting
            self._lay()

    def _lay(self) -> None:
        """Lays the table anew with its columns as they are now."""
        shown, order, row = self._shown, self._order, self.cursor_row
        self.clear(columns=True)
        for key, width in self._columns.items():
            self.add_column(label(self.kinds[key], self._by), key=key, width=width)
        for identifier in order:
            self.add_row(*(self.fitted(key, shown[identifier][key]) for key in self._columns), key=identifier)
        self.move_cursor(row=row, animate=False)

    def _widths(self, width: int) -> dict[str, int]:
        """The width of each column that is shown. The scroll bar has its room before it is there: columns that are too wide beside it
        would bring a second one, which takes a line.
        """
        bar = self.styles.scrollbar_size_vertical if len(self._shown) + self.header_height > self.outer_size.height else 0
        return widths(self.kinds, self._hidden, self._shown.values(), width - bar)

    def fitted(self, key: str, cell: Text) -> Text:
        """The cell as it has room."""
        return cell

    @property
    def hidden(self) -> frozenset[str]:
        """The columns that the person does not want to see."""
        return self._hidden

    def hide(self, columns: Iterable[str]) -> None:
        """Shows all columns but these; the first is always shown."""
        first = next(iter(self.kinds))
        self._hidden = frozenset(key for key in columns if key in self.kinds and key != first)
        self.fit()

    def on_resize(self, event: events.Resize) -> None:
        self.fit()
        self.post_message(self.Scrolled())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Scrolled())

    # The order

    @property
    def order(self) -> Order:
        return self._by

    def order_by(self, order: Order) -> None:
        """Sorts by a column; one that is not there leaves the page's own order."""
        self._by = order if order.column in self.kinds else Order()
        self._lay()
        if (places := self._sorted()) != self._order:
            self._arrange(places)

    def _sorted(self) -> list[str]:
        column = self.kinds.get(self._by.column)
        if column is None:
            return list(self._given)
        rows = [self._objects[identifier] for identifier in self._given]
        return [row.id for row in sorted(rows, key=column.order, reverse=self._by.reverse)]

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        """A click sorts; another turns the order round; a third ends it."""
        event.stop()
        key = str(event.column_key.value)
        begins = self.kinds[key].number
        if self._by.column != key:
            self._order_chosen(Order(key, begins))
        elif self._by.reverse is begins:
            self._order_chosen(Order(key, not begins))
        else:
            self._order_chosen(Order())

    def _order_chosen(self, order: Order) -> None:
        self.order_by(order)
        self.post_message(self.OrderChanged())

    def action_sort_by(self, step: int) -> None:
        """By the next column that is shown; beyond the last, the page's own order."""
        keys = ["", *self._columns]
        place = keys.index(self._by.column) if self._by.column in keys else 0
        key = keys[(place + step) % len(keys)]
        self._order_chosen(Order(key, bool(key) and self.kinds[key].number))

    def action_reverse(self) -> None:
        if self._by.column:
            self._order_chosen(Order(self._by.column, not self._by.reverse))

    # Marks

    @property
    def marked(self) -> list[str]:
        """The marked objects, in the order in which they stand."""
        return [identifier for identifier in self._order if identifier in self._marked]

    def mark(self, identifiers: Iterable[str]) -> None:
        """Marks these and no others."""
        before = self._marked
        self._marked = {identifier: None for identifier in identifiers if identifier in self._objects}
        self._redress(before.keys() ^ self._marked.keys())

    def _redress(self, identifiers: Iterable[str]) -> None:
        first = next(iter(self.kinds))
        objects = (self._objects[identifier] for identifier in identifiers if identifier in self._objects)
        self.update_cells({row.id: {first: self.cells(row)[first]} for row in objects})
        self.post_message(self.Marked())

    def action_mark(self) -> None:
        if one := self._chosen:
            others = [identifier for identifier in self._marked if identifier != one]
            self.mark(others if one in self._marked else [*others, one])
            self._last_mark = one
            self.action_cursor_down()

    def action_extend(self, step: int) -> None:
        if not self._chosen:
            return
        place = self._order.index(self._chosen)
        following = self._order[min(max(place + step, 0), len(self._order) - 1)]
        self.mark([*self._marked, self._chosen, following])
        self._last_mark = following
        self.move_cursor(row=self._order.index(following), animate=False)

    def action_range(self) -> None:
        if self._chosen and self._last_mark in self._order:
            first, last = sorted((self._order.index(self._last_mark), self._order.index(self._chosen)))
            self.mark([*self._marked, *self._order[first : last + 1]])
        elif self._chosen:
            self.mark([*self._marked, self._chosen])
        self._last_mark = self._chosen

    def action_mark_all(self) -> None:
        self.mark(self._order)

    def action_invert(self) -> None:
        self.mark([identifier for identifier in self._order if identifier not in self._marked])

    def action_unmark(self) -> None:
        self.mark(())

    # The cursor

    def go_to(self, identifier: str) -> bool:
        """Moves the cursor to an object. False if it is not shown."""
        if identifier not in self._order:
            return False
        self.move_cursor(row=self._order.index(identifier), animate=False)
        self._choose(identifier)
        return True

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        # without a key in a table without rows, in which a key of a page moves the cursor all the same
        key: RowKey | None = event.row_key
        if key is not None and key.value and key.value in self._shown:
            self._choose(key.value)

    def _choose(self, identifier: str) -> None:
        if identifier != self._chosen:
            self._chosen = identifier
            self.post_message(self.Chosen(identifier))
