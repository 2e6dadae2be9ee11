"""The lines of a log store on the screen, as they are drawn and followed: only the rows that are seen are made, however fast the logs are."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.timer import Timer

from moby_tui.screens.logs.rows import Row, Rows
from moby_tui.screens.logs.shown import Shown
from moby_tui.screens.logs.store import CHUNK_LINES, LogLine, LogStore
from moby_tui.screens.logs.terms import And, Everything, Term
from moby_tui.screens.theme import row_ground
from moby_tui.screens.widgets.log_line import LEVELS, LineDrawing, Times

#: Lines that can be selected with the mouse at once.
MOST_SELECTED = 10_000
#: Seconds of each turn spent on looking through lines for a filter; keys are answered between two turns.
TURN = 0.012
#: Lines that are looked through at once at first.
FIRST_SLICE = 256
#: The scroll bar is fitted to new lines so often while the end is followed, seconds.
FIT_EVERY = 1.0
#: Of a name this many cells are shown.
NAME_WIDTH = 18


class LogView(ScrollView, can_focus=True):
    """Follows the end until one goes up, and again when one is back at the end. One line has the cursor.

    ``names`` gives the containers' names by their number in the store. The subclass has the keys.
    """

    DEFAULT_CSS = """
    LogView { height: 1fr; scrollbar-size: 1 1; scrollbar-gutter: stable; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *("log--stderr", "log--stamp", "log--found", "log--empty", "log--note", "log--cursor", "log--selected", "log--mark"),
        *LEVELS.values(),
    }

    wrap = reactive(True)
    times = reactive(Times.LOCAL)
    following = reactive(True)
    #: None: names are shown if there is more than one container.
    show_names: reactive[bool | None] = reactive(None)
    #: Fields that have columns of their own; empty: lines are shown as they are.
    columns: reactive[tuple[str, ...]] = reactive(())

    class Changed(Message, namespace="log_stream"):
        """What the line below tells may have changed: counts, the place, whether it follows."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, LogView.Changed)

    def __init__(self, store: LogStore, names: Callable[[], dict[int, str]], *, id: str | None = None, empty: str = "") -> None:
        super().__init__(id=id)
        self.store = store
        self.empty = empty
        self.shown = Shown(store)
        self.hits: Shown | None = None
        self._names = names
        self._drawing = LineDrawing(self._ink, names, lambda: self.app.current_theme.dark)
        self._cursor = -1
        self._cursor_stamp = 0
        #: the other end of the selected lines; -1: only the cursor's line is selected
        self._selected_from = -1
        #: the first line on the screen while it does not follow
        self._top = 0
        #: the number that the next line had when it ceased to follow
        self._left_at = 0
        self._generation = store.generation
        self._window: list[Row] | None = None
        self._strips: LRUCache[tuple[int, int, Style, int, int], Strip] = LRUCache(512)
        self._turn: Timer | None = None
        #: Lines that are looked through at once: as many as there is time for.
        self._slice = FIRST_SLICE
        self._settling = False
        self._fitting: Timer | None = None
        self._ticking: Timer | None = None
        self._drawn_once = False
        #: the oldest line that was there when the store was last looked at
        self._dropped = store.first
        #: the styles below a row: plain, under the cursor, selected
        self._grounds: tuple[Style, Style, Style] | None = None

    # What is shown

    def refill(self) -> None:
        """The store has changed; to be called at most once a frame."""
        renumbered = self._generation != self.store.generation
        if renumbered:
            self._generation = self.store.generation
            self._strips.clear()
            self._cursor = self.store.number_at(self._cursor_stamp)
        names = self._names()
        most = min(NAME_WIDTH, max(self.size.width // 6, 8))
        wide = min(max((cell_len(name) for name in names.values()), default=0), most)
        shown = len(names) > 1 if self.show_names is None else self.show_names
        if (width := wide if shown else 0) != self._drawing.name_width:
            self._drawing.name_width = width
            self._strips.clear()
        self._look_through()
        stays = self._drawn_once and not renumbered and self._dropped == self.store.first
        self._dropped = self.store.first
        if stays:
            self._go_on_later()
        else:
            self._settle()

    def _go_on_later(self) -> None:
        """Draws the new end, if that is seen. The scroll bar and the counts follow once a second: they make much of the screen anew."""
        if self.following:
            self._window = None
            self.refresh()
        if self._fitting is None:
            self._fitting = self.set_timer(FIT_EVERY, self._fit)

    def _fit(self) -> None:
        self._fitting = None
        self._settle()

    def filter(self, term: Term) -> None:
        """Shows only the lines that match."""
        self._slice = FIRST_SLICE
        self.shown = Shown(self.store, term)
        if self.hits is not None:
            self.search(self.hits.term.right if isinstance(self.hits.term, And) else self.hits.term)
        self._look_through()
        self._settle()

    def search(self, term: Term | None) -> None:
        """Marks what matches; None ends the search."""
        self._slice = FIRST_SLICE
        if term is None or isinstance(term, Everything):
            self.hits = None
        else:
            self.hits = Shown(self.store, term if self.shown.everything else And(self.shown.term, term))
        self._strips.clear()
        self._look_through()
        self.refresh()
        self.post_message(self.Changed())

    def looked_through(self) -> None:
        """Called when more lines were looked through for the filter and the search."""

    @property
    def new_lines(self) -> int:
        """How many lines came since it ceased to follow."""
        return 0 if self.following else len(self.shown) - self.shown.place(self._left_at)

    @property
    def cursor(self) -> LogLine | None:
        """The line under the cursor: the last one while it follows."""
        number = self.cursor_number
        return self.store.line(number) if number is not None else None

    @property
    def cursor_number(self) -> int | None:
        """The number of the line under the cursor; None if there is no line."""
        count = len(self.shown)
        if not count:
            return None
        if self.following or self._cursor < 0:
            return self.shown.number(count - 1)
        return self.shown.number(min(self.shown.place(self._cursor), count - 1))

    @property
    def line_of_cursor(self) -> int:
        """The line of the row under the cursor, from the first line of the widget on."""
        number = self.cursor_number
        return next((place for place, row in enumerate(self._visible()) if row.number == number), 0)

    def _look_through(self) -> None:
        """Looks through the lines for the filter and the search, a turn at a time."""
        todo = [shown for shown in (self.shown, self.hits) if shown is not None]
        begun = before = time.perf_counter()
        while todo and before - begun < TURN:
            if todo[0].advance(self._slice):
                todo.pop(0)
            now = time.perf_counter()
            self._fit_slice(now - before)
            before = now
        if todo and self._turn is None:
            self._turn = self.set_timer(0.001, self._go_on)
        self.looked_through()

    def _fit_slice(self, taken: float) -> None:
        if taken > TURN / 2:
            self._slice = max(self._slice // 4, 1)
        elif taken < TURN / 8:
            self._slice = min(self._slice * 2, CHUNK_LINES)

    def _go_on(self) -> None:
        self._turn = None
        self._look_through()
        self._settle()

    def _settle(self) -> None:
        """Fits the scrolled area to the lines that there are, and stays where one was."""
        if self._settling:
            return
        self._settling = True
        self._drawn_once = self.size.height > 0
        try:
            width, height = self.scrollable_content_region.size
            self._window = None
            count = len(self.shown)
            across = width if self.wrap else max(self.store.longest + self._drawing.margin(), width)
            self.styles.overflow_x = "hidden" if self.wrap else "auto"
            self.virtual_size = Size(across, max(count - self._rows.lines_on_last_page(height) + height, 0) if count else 0)
            if self.following:
                self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)
            else:
                self.scroll_to(y=self.shown.place(self._top), animate=False, immediate=True, force=True)
        finally:
            self._settling = False
        self.refresh()
        self.post_message(self.Changed())

    def on_resize(self, event: events.Resize) -> None:
        self._relay()

    def watch_wrap(self) -> None:
        self._relay()

    def watch_times(self) -> None:
        """Times that say how long ago grow by the second."""
        self._drawing.times = self.times
        if self._ticking is not None:
            self._ticking.stop()
            self._ticking = None
        if self.times is Times.RELATIVE:
            self._ticking = self.set_interval(1.0, self._tick)
        self._relay()

    def _tick(self) -> None:
        if self.screen.is_current:
            self.refresh()

    def watch_columns(self) -> None:
        self._drawing.columns = self.columns
        self._relay()

    def watch_show_names(self) -> None:
        self.refill()

    def _relay(self) -> None:
        self._strips.clear()
        self._grounds = None
        self._settle()

    def watch_following(self, following: bool) -> None:
        if following:
            self._cursor = self._selected_from = -1
        else:
            self._left_at = self.store.end
        self.post_message(self.Changed())

    def watch_show_vertical_scrollbar(self, shown: bool) -> None:
        """Textual tells a bar only of scrolling while it is shown."""
        if shown:
            self.vertical_scrollbar.position = self.scroll_y

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._window = None
        if self._settling or not len(self.shown):
            return
        if new_value < old_value and self.max_scroll_y - new_value >= 1:
            self.following = False
        elif new_value >= self.max_scroll_y and self._cursor < 0:
            self.following = True
        self._top = self.shown.number(min(int(new_value), len(self.shown) - 1))
        self.post_message(self.Changed())

    def notify_style_update(self) -> None:
        self._strips.clear()
        self._grounds = None
        super().notify_style_update()

    def go_to(self, number: int, *, keep: bool = False) -> None:
        """Puts the cursor on a line and scrolls as far as needed to show it."""
        if not keep:
            self._selected_from = -1
        self.following = False
        self._cursor = number
        self._cursor_stamp = self.store.line(number).stamp
        rows = self._visible()
        place = self.shown.place(number)
        whole = {row.number for row in rows}
        if rows and number not in whole:
            height = self.scrollable_content_region.height
            above = place < self.shown.place(rows[0].number)
            self._top = self.shown.number(place if above else self._rows.top_of_page_before(place, height))
            far = abs(place - self.shown.place(rows[0].number)) > 2 * height
            if far:
                self._top = self.shown.number(max(place - height // 3, 0))
        elif rows:
            self._top = rows[0].number if rows[0].start == 0 or len(rows) == 1 else self._after(rows[0].number)
            if number == rows[0].number:
                self._top = number
        self._settle()

    # Drawing

    @property
    def _rows(self) -> Rows:
        """The rows of the lines that are shown, at the width of now."""
        room = max(self.scrollable_content_region.width - self._drawing.margin(), 8)
        return Rows(self.shown, lambda number: self._drawing.words(self.store.line(number)), room if self.wrap else 0)

    def _visible(self) -> list[Row]:
        """What the rows of the screen show, from the top."""
        if self._window is None:
            self._window = self._lay_window()
        return self._window

    def _lay_window(self) -> list[Row]:
        count, height = len(self.shown), self.scrollable_content_region.height
        if not count or not height:
            return []
        if self.following or self.scroll_offset.y >= self.max_scroll_y:
            return self._rows.last_page(height)
        return self._rows.page(min(self.scroll_offset.y, count - 1), height)

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width or self.size.width
        rows = self._visible()
        if y >= len(rows):
            return self._blank(y, width)
        row = rows[y]
        cursor = not self.following and row.number == self._cursor
        ground = self._ground(row.number, cursor)
        scroll_x = self.scroll_offset.x
        key = (row.number, row.start, ground, scroll_x, width)
        strip = self._strips.get(key)
        if strip is None or self.times is Times.RELATIVE or self.text_selection is not None:
            strip = self._draw(row, ground).crop_extend(scroll_x, scroll_x + width, ground)
            self._strips[key] = strip
        # for a selection with the mouse: the place of the line, and the character in it
        return strip.apply_offsets(row.start - self._drawing.margin() + scroll_x, self.shown.place(row.number))

    def _blank(self, y: int, width: int) -> Strip:
        if y == 0 and self.empty and not len(self.shown):
            words = Segment(self.empty, self.rich_style + self._ink("log--empty"))
            return Strip([words]).adjust_cell_length(width, self.rich_style)
        return Strip.blank(width, self.rich_style)

    def _ground(self, number: int, cursor: bool) -> Style:
        if self._grounds is None:
            plain = self.rich_style
            cursors, selected = (
                plain + row_ground(self.get_component_rich_style(name)) for name in ("log--cursor", "log--selected")
            )
            self._grounds = plain, cursors, selected
        plain, under_cursor, selected = self._grounds
        if cursor:
            return under_cursor
        if self._selected_from >= 0 and not self.following:
            low, high = sorted((self._selected_from, self._cursor))
            if low <= number <= high:
                return selected
        return plain

    def _draw(self, row: Row, ground: Style) -> Strip:
        line = self.store.line(row.number)
        body = self._drawing.body(line)
        if self.hits is not None:
            style = self.get_component_rich_style("log--found")
            for begin, end in self.hits.term.marks(body.plain):
                body.stylize(style, begin, end)
        self._mark_selection(body, row.number)
        piece = body[row.start : row.end] if (row.start, row.end) != (0, len(body.plain)) else body
        whole = self._drawing.prefix(line, first=row.start == 0) + piece
        return Strip(whole.render(self.app.console)).apply_style(ground).simplify()

    def _mark_selection(self, body: Text, number: int) -> None:
        selection = self.text_selection
        span = selection.get_span(self.shown.place(number)) if selection is not None else None
        if span is not None:
            begin, end = span
            style: Style = self.screen.get_component_rich_style("screen--selection")
            body.stylize(style, max(begin, 0), len(body) if end == -1 else max(end, 0))

    def selection_updated(self, selection: Selection | None) -> None:
        self._strips.clear()
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text that was selected with the mouse."""
        count = len(self.shown)
        first = selection.start.y if selection.start is not None else 0
        last = min(selection.end.y if selection.end is not None else count - 1, count - 1, first + MOST_SELECTED)
        pieces = []
        for place in range(max(first, 0), last + 1):
            words = self._drawing.words(self.store.line(self.shown.number(place)))
            begin, end = selection.get_span(place) or (0, -1)
            pieces.append(words[max(begin, 0) : len(words) if end == -1 else max(end, 0)])
        return "\n".join(pieces), "\n"

    def colour_of(self, source: int) -> str:
        """The colour of a container's name."""
        return self._drawing.colour_of(source)

    def _ink(self, name: str) -> Style:
        """The colour of a component class without its ground."""
        return Style(color=self.get_component_rich_style(name).color)

    def _after(self, number: int) -> int:
        place = min(self.shown.place(number) + 1, len(self.shown) - 1)
        return self.shown.number(place)
