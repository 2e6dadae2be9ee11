"""Lines of text with a cursor: only those that are seen are made."""

from __future__ import annotations

from collections.abc import Callable

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

#: Lines that are measured to know how far one can go to the right.
MEASURED = 300


class LinesView(ScrollView, can_focus=True):
    """``draw`` makes the line of a number, from 0 on. ``show`` tells how many there are, and that they may be others than before."""

    DEFAULT_CSS = """
    LinesView { height: 1fr; scrollbar-size: 0 1; background: $background; }
    """
    COMPONENT_CLASSES = {"lines--cursor"}  # noqa: RUF012
    BINDINGS = [  # noqa: RUF012
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "go(0)", "Top", show=False),
        Binding("end,G", "go(-1)", "Bottom", show=False),
        Binding("left", "scroll_left", "Left", show=False),
        Binding("right", "scroll_right", "Right", show=False),
        Binding("enter", "enter", "Open", show=False),
    ]
    #: The line with the cursor; -1 without lines.
    cursor = reactive(-1)

    class Moved(Message):
        """The person has moved the cursor."""

        def __init__(self, view: LinesView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> LinesView:
            return self.view

    class Entered(Moved):
        """Enter was pressed on the line with the cursor."""

    def __init__(self, draw: Callable[[int], Text], *, empty: str = "", id: str) -> None:
        super().__init__(id=id)
        self.count = 0
        self._draw, self._empty = draw, empty

    def show(self, count: int, *, empty: str | None = None) -> None:
        """There are ``count`` lines now; ``empty`` is shown if there are none."""
        self._empty = self._empty if empty is None else empty
        self.count = count
        width = max((self._draw(number).cell_len for number in range(min(count, MEASURED))), default=0)
        self.virtual_size = Size(max(width, self.scrollable_content_region.width), max(count, 1))
        if self.cursor >= count or (self.cursor < 0 < count):
            self.cursor = min(max(self.cursor, 0), count - 1)
        self.refresh()

    def go_to(self, number: int, *, middle: bool = False) -> None:
        """Puts the cursor on a line, and the line in the middle of what is seen."""
        if self.count:
            self.cursor = min(max(number, 0), self.count - 1)
            if middle:
                self.scroll_to(y=max(self.cursor - self.size.height // 2, 0), animate=False, immediate=True)

    @property
    def line_of_cursor(self) -> int:
        """The line of the row under the cursor, from the first line of the widget on."""
        return max(self.cursor, 0) - self.scroll_offset.y

    def watch_cursor(self) -> None:
        if self.cursor >= 0:
            region = Region(self.scroll_offset.x, self.cursor, 1, 1)
            self.scroll_to_region(region, animate=False, immediate=True, x_axis=False)
        self.refresh()

    def on_resize(self) -> None:
        self.show(self.count)
        self.call_after_refresh(self.watch_cursor)  # once the scrolled area has its new size

    def on_click(self, event: events.Click) -> None:
        number = event.y + self.scroll_offset.y
        if number < self.count:
            self._move_to(number)

    def action_move(self, by: int) -> None:
        self._move_to(self.cursor + by)

    def action_page(self, way: int) -> None:
        self._move_to(self.cursor + way * max(self.size.height - 1, 1))

    def action_go(self, number: int) -> None:
        self._move_to(self.count - 1 if number < 0 else number)

    def action_enter(self) -> None:
        if self.count:
            self.post_message(self.Entered(self))

    def _move_to(self, number: int) -> None:
        if self.count:
            self.cursor = min(max(number, 0), self.count - 1)
            self.post_message(self.Moved(self))

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        width, number = self.scrollable_content_region.width, top + y
        if number < self.count:
            line = self._draw(number)
        elif number == 0:
            line = Text(self._empty, style="dim")
        else:
            return Strip.blank(width, self.rich_style)
        line.no_wrap, line.end = True, ""
        strip = Strip(line.render(self.app.console)).crop_extend(left, left + width, None)
        if number == self.cursor and self.count:
            strip = strip.apply_style(Style(bgcolor=self.get_component_rich_style("lines--cursor").bgcolor))
        return strip.apply_style(self.rich_style)
