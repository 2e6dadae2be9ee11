"""The table of all containers' figures: only the rows that are seen are drawn, so that a thousand rows cost as much as thirty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from moby_tui.screens.theme import row_ground
from moby_tui.screens.usage.rows import LEAST_NAME, Column, UsageRow, columns_for
from moby_tui.screens.widgets.plot import spark


class FigureTable(ScrollView, can_focus=True):
    """The cursor stays on its container whatever the order becomes."""

    DEFAULT_CSS = """
    FigureTable { height: 1fr; scrollbar-size: 1 1; }
    """
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,b", "page(-1)", "Page up", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("home,g", "move(-100000)", "Top", show=False),
        Binding("end,G", "move(100000)", "End", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(
            "figures--heading",
            "figures--sorted",
            "figures--cursor",
            "figures--missing",
            "figures--spark",
            "figures--warm",
            "figures--hot",
        ),
    }

    class Sorted(Message):
        """A heading was clicked."""

        def __init__(self, column: Column) -> None:
            super().__init__()
            self.column = column

    class Chosen(Message):
        """The cursor is on another container."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._rows: Sequence[UsageRow] = ()
        self._chosen = ""
        self._column: Column | None = None
        self._reverse = False
        self.empty = "no container"

    @property
    def chosen(self) -> UsageRow | None:
        """The row under the cursor."""
        return next((row for row in self._rows if row.id == self._chosen), None)

    @property
    def line_of_cursor(self) -> int:
        """The line of the row under the cursor, from the first line of the widget on."""
        return 1 + self._place() - self.scroll_offset.y

    @property
    def rows(self) -> Sequence[UsageRow]:
        return self._rows

    def show(self, rows: Sequence[UsageRow], column: Column, *, reverse: bool) -> None:
        """Draws these rows in their order; ``column`` is the one they are sorted by."""
        self._rows, self._column, self._reverse = rows, column, reverse
        if self.chosen is None:
            self._chosen = rows[0].id if rows else ""
            self.post_message(self.Chosen())
        self.virtual_size = Size(self.scrollable_content_region.width, len(rows) + 1)
        self.refresh()

    def _place(self) -> int:
        return next((place for place, row in enumerate(self._rows) if row.id == self._chosen), 0)

    def action_move(self, step: int) -> None:
        if not self._rows:
            return
        place = min(max(self._place() + step, 0), len(self._rows) - 1)
        self._chosen = self._rows[place].id
        height = self.scrollable_content_region.height - 1
        top = self.scroll_offset.y
        if place < top:
            self.scroll_to(y=place, animate=False, immediate=True)
        elif place >= top + height:
            self.scroll_to(y=place - height + 1, animate=False, immediate=True)
        self.refresh()
        self.post_message(self.Chosen())

    def action_page(self, step: int) -> None:
        self.action_move(step * max(self.scrollable_content_region.height - 2, 1))

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            column = self._column_at(event.x)
            if column is not None:
                self.post_message(self.Sorted(column))
            return
        place = self.scroll_offset.y + event.y - 1
        if 0 <= place < len(self._rows):
            self._chosen = self._rows[place].id
            self.refresh()
            self.post_message(self.Chosen())

    def on_resize(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows) + 1)

    # Drawing

    def _columns(self, width: int) -> list[tuple[Column, int]]:
        columns = columns_for(width)
        fixed = sum(column.width + 1 for column in columns if column.width)
        return [(column, column.width or max(min(width - fixed - 1, 48), LEAST_NAME)) for column in columns]

    def _column_at(self, x: int) -> Column | None:
        for column, width in self._columns(self.scrollable_content_region.width):
            if x <= width:
                return column
            x -= width + 1
        return None

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if y == 0:
            return self._strip(self._heading(width), width, self.rich_style)
        place = self.scroll_offset.y + y - 1
        if place >= len(self._rows):
            if place == 0 and y == 1:
                return self._strip(Text(end="").append(self.empty, self._ink("figures--missing")), width, self.rich_style)
            return Strip.blank(width, self.rich_style)
        row = self._rows[place]
        ground = self.rich_style
        if row.id == self._chosen:
            ground += row_ground(self.get_component_rich_style("figures--cursor"))
        return self._strip(self._line(row, width), width, ground)

    def _strip(self, line: Text, width: int, ground: Style) -> Strip:
        return Strip(line.render(self.app.console)).adjust_cell_length(width).apply_style(ground)

    def _heading(self, width: int) -> Text:
        line = Text(no_wrap=True, end="")
        for column, wide in self._columns(width):
            here = column is self._column
            arrow = ("↑" if self._reverse == column.descends else "↓") if here else ""
            title = set_cell_size(column.title + arrow, wide) if _is_left(column) else f"{column.title + arrow:>{wide}}"
            line.append(title + " ", self._ink("figures--sorted" if here else "figures--heading"))
        return line

    def _line(self, row: UsageRow, width: int) -> Text:
        line = Text(no_wrap=True, end="")
        columns = self._columns(width)
        if row.missing:
            ink = self._ink("figures--missing")
            name, state = columns[0][1], columns[1][1]
            room = max(width - name - 2, state)
            line.append(_cut(row.name, name) + " ", ink)
            return line.append(_cut(row.missing, room), ink)
        for column, wide in columns:
            line.append_text(self._cell(row, column, wide)).append(" ")
        return line

    def _cell(self, row: UsageRow, column: Column, width: int) -> Text:
        if column.id == "cpu_past":
            top = max(100.0, *row.cpu_past) if row.cpu_past else 100.0
            return Text(spark(row.cpu_past, width, top), self._ink("figures--spark"), end="")
        content = column.told(row)
        content = _cut(content, width) if _is_left(column) else " " * (width - cell_len(content)) + content
        return Text(content, self._heat(row, column), end="")

    def _heat(self, row: UsageRow, column: Column) -> Style | str:
        """Much of a core, or of the limit, is coloured; so is a container that is not well."""
        hot = {"cpu": row.cpu >= 90, "share": row.share >= 90, "memory": row.share >= 90, "state": "unhealthy" in row.state}
        warm = {"cpu": row.cpu >= 50, "share": row.share >= 75, "memory": row.share >= 75, "state": "paused" in row.state}
        if hot.get(column.id):
            return self._ink("figures--hot")
        if warm.get(column.id):
            return self._ink("figures--warm")
        return "bold" if column.id == "name" else ""

    def _ink(self, name: str) -> Style:
        """The colour of a component class without its ground."""
        return Style(color=self.get_component_rich_style(name).color)


def _cut(said: str, width: int) -> str:
    """As wide as that, with an ellipsis where something is left out."""
    return set_cell_size(said, width) if cell_len(said) <= width else set_cell_size(said, max(width - 1, 0)) + "…"


def _is_left(column: Column) -> bool:
    return column.id in ("name", "state", "cpu_past")
