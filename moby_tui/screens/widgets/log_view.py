"""A log on the screen: only the rows that are seen are drawn, whatever the log's length and speed."""

from __future__ import annotations

import re

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from moby_tui.schema.stream import STDERR
from moby_tui.screens.logs.lines import Line, LogLines


class LogView(ScrollView, can_focus=True):
    """Follows the end until one scrolls up, and again when one is back at the end."""

    DEFAULT_CSS = """
    LogView { height: 1fr; scrollbar-size: 1 1; scrollbar-gutter: stable; }
    """
    BINDINGS = [  # noqa: RUF012
        Binding("f,end,G", "follow", "Follow", id="log.follow", key_display="f", tooltip="Jump to the end and follow it"),
        Binding("w", "turn('wrap')", "Wrap", id="log.wrap", tooltip="Wrap long lines"),
        Binding("t", "turn('stamps')", "Times", id="log.times", tooltip="Show each line's time"),
        Binding("n", "find(1)", "Next", id="log.next", show=False),
        Binding("N", "find(-1)", "Previous", id="log.previous", show=False),
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
        Binding("g", "scroll_home", "Top", show=False),
        Binding("space", "page_down", "Page down", show=False),
        Binding("b", "page_up", "Page up", show=False),
    ]
    COMPONENT_CLASSES = {"log--stderr", "log--stamp", "log--found", "log--empty"}  # noqa: RUF012

    wrap = reactive(True)
    stamps = reactive(False)
    following = reactive(True)

    class FollowingChanged(Message):
        """It has begun or ceased to follow the end."""

        def __init__(self, view: LogView, following: bool) -> None:
            super().__init__()
            self.view, self.following = view, following

        @property
        def control(self) -> LogView:
            return self.view

    def __init__(self, *, id: str | None = None, empty: str = "") -> None:
        super().__init__(id=id)
        self.lines = LogLines()
        self.empty = empty
        self.pattern: re.Pattern[str] | None = None
        self._only_matching = False
        self._strips: LRUCache[tuple[int, int], Strip] = LRUCache(512)

    # What is shown

    def write(self, lines: list[Line]) -> None:
        """Appends a batch; meant to be called at most once a frame."""
        dropped = self.lines.add(lines)
        self._settle()
        if self.following:
            self._go_to_end()
        elif dropped:
            self.scroll_to(y=max(self.scroll_offset.y - dropped, 0), animate=False, immediate=True)

    def clear(self) -> None:
        self.lines.clear()
        self._strips.clear()
        self.following = True
        self._settle()

    def search(self, pattern: re.Pattern[str] | None, *, only: bool = False) -> None:
        """Marks what matches, or shows nothing else; None ends the search."""
        self.pattern, self._only_matching = pattern, only and pattern is not None
        self._strips.clear()
        self._settle()
        if self.following:
            self._go_to_end()

    def matches(self) -> int:
        """How many rows match."""
        pattern = self.pattern
        return sum(pattern.search(row) is not None for row in self.lines.plain_rows()) if pattern else 0

    def _settle(self) -> None:
        width = self.scrollable_content_region.width
        room = max(width - self._margin(), 1)
        self.lines.lay_out(room if self.wrap and width else 0, self.pattern if self._only_matching else None)
        across = width if self.wrap else max(self.lines.longest + self._margin(), width)
        self.styles.overflow_x = "hidden" if self.wrap else "auto"
        self.virtual_size = Size(across, self.lines.row_count)
        self.refresh()

    def _margin(self) -> int:
        return 13 if self.stamps else 0

    def _go_to_end(self) -> None:
        self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)

    # Reactions

    def on_resize(self, event: events.Resize) -> None:
        self._strips.clear()
        self._settle()
        if self.following:
            self._go_to_end()

    def watch_wrap(self) -> None:
        self._relay()

    def watch_stamps(self) -> None:
        self._relay()

    def _relay(self) -> None:
        self._strips.clear()
        self._settle()
        if self.following:
            self.call_after_refresh(self._go_to_end)

    def watch_following(self, following: bool) -> None:
        self.post_message(self.FollowingChanged(self, following))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if new_value < old_value and self.max_scroll_y - new_value >= 1:
            self.following = False
        elif new_value >= self.max_scroll_y:
            self.following = True

    def notify_style_update(self) -> None:
        self._strips.clear()
        super().notify_style_update()

    def selection_updated(self, selection: Selection | None) -> None:
        self._strips.clear()
        self.refresh()

    # Actions

    def action_follow(self) -> None:
        self.following = True
        self._go_to_end()

    def action_turn(self, name: str) -> None:
        setattr(self, name, not getattr(self, name))

    def action_find(self, step: int) -> None:
        if self.pattern is None or not self.lines.row_count:
            return
        start = self.scroll_offset.y + (1 if step > 0 else -1)
        found = self.lines.find(self.pattern, start, step)
        if found is None:
            self.notify(f"no line matches {self.pattern.pattern!r}", severity="warning")
            return
        self.following = False
        self.scroll_to(y=found, animate=False, force=True)

    # Drawing

    def render_line(self, y: int) -> Strip:
        scroll_x, scroll_y = self.scroll_offset
        width = self.scrollable_content_region.width or self.size.width
        index = scroll_y + y
        if index >= self.lines.row_count:
            return self._blank(y, width)
        row, line = self.lines.row(index)
        strip = self._strips.get((row.line, row.start))
        if strip is None:
            strip = self._draw(index, line, row.start, row.end)
            self._strips[(row.line, row.start)] = strip
        return strip.crop_extend(scroll_x, scroll_x + width, self.rich_style).apply_offsets(scroll_x, index)

    def _blank(self, y: int, width: int) -> Strip:
        if y == 0 and self.empty and not self.lines.row_count:
            style = self.rich_style + self._ink("log--empty")
            return Strip([Segment(self.empty, style)]).adjust_cell_length(width, self.rich_style)
        return Strip.blank(width, self.rich_style)

    def _draw(self, index: int, line: Line, start: int, end: int) -> Strip:
        body = (
            Text.from_ansi(line.coloured, no_wrap=True, end="")
            if "\x1b" in line.coloured
            else Text(line.plain, no_wrap=True, end="")
        )
        base = self.rich_style
        if line.fd == STDERR:
            base += self._ink("log--stderr")
        if self.pattern is not None:
            found = self.get_component_rich_style("log--found")
            for match in self.pattern.finditer(line.plain):
                body.stylize(found, *match.span())
        self._mark_selection(body, index, start)
        piece = body[start:end] if (start, end) != (0, len(line.plain)) else body
        if self.stamps:
            piece = self._stamp(line, start) + piece
        # A text without spans renders without its own style too, hence the style is laid under the strip.
        return Strip(piece.render(self.app.console)).apply_style(base).simplify()

    def _stamp(self, line: Line, start: int) -> Text:
        clock = line.stamp[11:23].ljust(12) if start == 0 else " " * 12
        return Text.assemble((f"{clock} ", self._ink("log--stamp")), end="")

    def _ink(self, name: str) -> Style:
        """The colour of a component class without its ground."""
        return Style(color=self.get_component_rich_style(name).color)

    def _mark_selection(self, body: Text, index: int, start: int) -> None:
        selection = self.text_selection
        span = selection.get_span(index) if selection is not None else None
        if span is None:
            return
        left, right = span
        margin = self._margin()
        style: Style = self.screen.get_component_rich_style("screen--selection")
        body.stylize(style, start + max(left - margin, 0), len(body) if right == -1 else start + max(right - margin, 0))

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        margin = " " * self._margin()
        return selection.extract("\n".join(margin + row for row in self.lines.plain_rows())), "\n"
