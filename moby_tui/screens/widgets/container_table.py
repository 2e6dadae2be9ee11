"""The list of containers: rows by key, of which only what differs is redrawn."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.widgets import DataTable

from moby_tui.screens import text
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.history import Histories, History
from moby_tui.screens.widgets.plot import spark

_SPARK = 8
#: Rows removed one by one; more at once are cheaper by laying the table anew, as each removal costs the table's length.
_FEW = 20
#: Column, its title, and the least and greatest width; between the two it is as wide as what stands in it.
_COLUMNS = (
    ("name", "NAME", 10, 44),
    ("state", "STATE", 10, 28),
    ("cpu", "CPU %", 6, 6 + 1 + _SPARK),
    ("memory", "MEM", 7, 7),
    ("image", "IMAGE", 10, 40),
    ("ports", "PORTS", 8, 30),
    ("command", "COMMAND", 16, 80),
    ("id", "ID", 12, 12),
)
#: The order in which columns get their place: one for which there is no room is left out. The second group gets what the first
#: does not need.
_FIRST = (("name", "state", "cpu", "image", "ports", "memory"), ("command", "id"))
#: Columns grow by this.
_STEP = 4
#: The characters of a CPU number.
_NUMBER = 6
#: Between two columns.
_GAP = 2
_STATE_MARK = {"running": ("●", "success"), "restarting": ("↻", "warning"), "paused": ("‖", "warning"), "dead": ("✗", "error")}


class _Name(Text):
    """The name's cell; it knows the row's place, which is what the table is sorted by."""

    place = 0


Cells = dict[str, Text]


class ContainerTable(DataTable[Text]):
    """Shows the rows it is given, in their order, and keeps the cursor on the same container."""

    DEFAULT_CSS = """
    ContainerTable { height: 1fr; scrollbar-size-vertical: 1; }
    """
    BINDINGS = [  # noqa: RUF012
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("g", "scroll_top", "Top", show=False),
        Binding("G", "scroll_bottom", "Bottom", show=False),
    ]

    class Chosen(Message):
        """The cursor stands on another container, or on none."""

        def __init__(self, identifier: str) -> None:
            super().__init__()
            self.identifier = identifier

    class Scrolled(Message):
        """Other rows are seen now."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, cursor_type="row", cursor_foreground_priority="renderable")
        self._shown: dict[str, Cells] = {}
        self._order: list[str] = []
        self._columns: dict[str, int] = {}
        self._chosen = ""

    @property
    def chosen(self) -> str:
        """The container under the cursor, or empty."""
        return self._chosen

    def seen(self) -> list[str]:
        """The containers whose rows are on the screen."""
        top = self.scroll_offset.y
        return self._order[top : top + max(self.size.height, 1)]

    def show(self, containers: list[Container], touched: frozenset[str], histories: Histories, now: float) -> None:
        """Takes the whole list. Only rows that are new or ``touched`` are made again, and of those only the cells that differ."""
        order = [one.id for one in containers]
        fresh = {
            one.id: self._cells(one, histories.get(one.id), now)
            for one in containers
            if one.id in touched or one.id not in self._shown
        }
        with self.app.batch_update():
            if len(self._shown.keys() - set(order)) > _FEW:
                self.clear()
                kept = {identifier: self._shown[identifier] for identifier in order if identifier in self._shown}
                self._shown, self._order = {}, []
                fresh = {identifier: fresh.get(identifier) or kept[identifier] for identifier in order}
            self._remove(order)
            for identifier, cells in fresh.items():
                self._put(identifier, cells)
            if order != self._order:
                self._arrange(order)
            self._choose(order[self.cursor_row] if order and self.cursor_row < len(order) else "")

    def _remove(self, order: list[str]) -> None:
        for identifier in self._shown.keys() - set(order):
            self.remove_row(identifier)
            del self._shown[identifier]

    def _put(self, identifier: str, cells: Cells) -> None:
        shown = self._shown.get(identifier)
        if shown is None:
            self.add_row(*(self._fitted(key, cells[key]) for key in self._columns), key=identifier)
            self._shown[identifier] = cells
            return
        for key, cell in cells.items():
            if shown[key] != cell:
                shown[key] = cell
                if key in self._columns:
                    self.update_cell(identifier, key, self._fitted(key, cell))

    def _arrange(self, order: list[str]) -> None:
        """Brings the rows into this order; the cursor stays on its container, or else on its place."""
        chosen, row = self._chosen, self.cursor_row
        for place, identifier in enumerate(order):
            name = self._shown[identifier]["name"]
            assert isinstance(name, _Name)
            name.place = place
        if "name" in self._columns:
            self.sort("name", key=attrgetter("place"))
        self._order = order
        if order:
            target = order.index(chosen) if chosen in self._shown else min(max(row, 0), len(order) - 1)
            self.move_cursor(row=target, animate=False)

    def show_use(self, identifier: str, history: History) -> None:
        """One container's new sample."""
        if identifier in self._shown:
            cpu, memory = self._use(history)
            self._put(identifier, {"cpu": cpu, "memory": memory})

    def show_ages(self, containers: Iterable[Container], now: float) -> None:
        """The state column of these rows: time has passed."""
        for one in containers:
            if one.id in self._shown:
                self._put(one.id, {"state": self._state(one, now)})

    def fit(self) -> None:
        """Shows the columns that there is room for, each as wide as its cells need where that is possible.

        The room is that with the scroll bar: else the bar's coming and going would change the columns, and they the bar.
        """
        widths = self._widths(self.outer_size.width)
        if widths == self._columns:
            return
        self._columns = widths
        shown, order, row = self._shown, self._order, self.cursor_row
        self.clear(columns=True)
        for key, label, _, _ in _COLUMNS:
            if key in widths:
                self.add_column(label, key=key, width=widths[key])
        for identifier in order:
            self.add_row(*(self._fitted(key, shown[identifier][key]) for key in widths), key=identifier)
        self.move_cursor(row=row, animate=False)

    def _widths(self, width: int) -> dict[str, int]:
        """The width of each column that is shown. In the order of ``_FIRST`` each gets its least width, then what it needs."""
        limits = {key: (least, most) for key, _, least, most in _COLUMNS}
        room = width - self.scrollbar_size_vertical
        taken: dict[str, int] = {}
        for group in _FIRST:
            placed = []
            for key in group:
                if (least := limits[key][0]) + _GAP <= room:
                    placed.append(key)
                    taken[key] = least
                    room -= least + _GAP
            for key in placed:
                more = min(self._needs(key) - taken[key], room)
                if key == "cpu" and taken[key] + more < limits[key][1]:
                    continue  # its plot whole or not at all
                taken[key] += more
                room -= more
        return {key: taken[key] for key, _, _, _ in _COLUMNS if key in taken}

    def _needs(self, key: str) -> int:
        """The width of the widest cell, in steps, so that a longer word does not lay the whole table anew each time."""
        least, most = next((least, most) for name, _, least, most in _COLUMNS if name == key)
        if least == most or key == "cpu":
            return most
        widest = max((cells[key].cell_len for cells in self._shown.values()), default=0)
        return min(max(-(-widest // _STEP) * _STEP, least), most)

    def _fitted(self, key: str, cell: Text) -> Text:
        """The cell as it has room: the number of a narrow CPU column stands without its plot."""
        return cell[-_NUMBER:] if key == "cpu" and self._columns[key] < _SPARK + _NUMBER else cell

    def on_resize(self, event: events.Resize) -> None:
        self.fit()
        self.post_message(self.Scrolled())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Scrolled())

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        if event.row_key.value and event.row_key.value in self._shown:
            self._choose(event.row_key.value)

    def _choose(self, identifier: str) -> None:
        if identifier != self._chosen:
            self._chosen = identifier
            self.post_message(self.Chosen(identifier))

    def _cells(self, one: Container, history: History | None, now: float) -> Cells:
        mark, colour = _mark(one)
        shade = "foreground" if one.running else "text-muted"
        cpu, memory = self._use(history) if history and one.running else (Text("", justify="right"), Text("", justify="right"))
        name = _Name(no_wrap=True, overflow="ellipsis")
        name.append(f"{mark} ", self._colour(colour)).append(one.name, f"bold {self._colour(shade)}")
        return {
            "name": name,
            "state": self._state(one, now),
            "cpu": cpu,
            "memory": memory,
            "image": self._cell(one.image, shade),
            "ports": self._cell(one.ports, "accent"),
            "command": self._cell(one.command, "text-muted"),
            "id": self._cell(text.short_id(one.id), "text-muted"),
        }

    def _state(self, one: Container, now: float) -> Text:
        return self._cell(one.describe(now), "error" if one.status == "unhealthy" else _mark(one)[1])

    def _use(self, history: History) -> tuple[Text, Text]:
        values = list(history.cpu)
        latest = values[-1] if values else 0.0
        heat = "error" if latest >= 90 else "warning" if latest >= 50 else "primary"
        cpu = Text(spark(values, _SPARK, max(100.0, *values[-_SPARK:]) if values else 100.0), self._colour(heat), no_wrap=True)
        cpu.append(f" {latest:5.1f}", self._colour("foreground"))
        used = history.memory[-1] if history.memory else 0.0
        return cpu, Text(text.size(used), self._colour("foreground"), justify="right", no_wrap=True)

    def _cell(self, value: str, colour: str) -> Text:
        return Text(value, self._colour(colour), no_wrap=True, overflow="ellipsis")

    def restyle(self) -> None:
        """The theme has changed: all cells are to be made anew."""
        self.clear()
        self._shown, self._order = {}, []

    def _colour(self, name: str) -> str:
        """A colour of the theme; one that is relative to its ground is the text's."""
        value = self.app.theme_variables.get(name, "")
        return value if value.startswith("#") else self.app.theme_variables.get("foreground", "")


def _mark(one: Container) -> tuple[str, str]:
    """The sign before the name, and its colour in the theme."""
    if one.state == "exited" and one.status not in ("", "0"):
        return "●", "error"
    return _STATE_MARK.get(one.state, ("○", "text-muted"))
