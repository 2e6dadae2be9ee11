"""The lines of a log store on the screen, and the keys by which one moves, selects, marks and searches in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from moby_tui.screens.actions.action import Action, bindings
from moby_tui.screens.logs.store import LogLine, LogStore
from moby_tui.screens.logs.terms import Term
from moby_tui.screens.widgets.log_line import Times
from moby_tui.screens.widgets.log_view import LogView

#: What a line for searching says of the language (``logs/query.py``).
LANGUAGE = 'words · "as it stands" · /regex/ · and or not ( ) · level>=warn · field=value · since:5m'


class _Sought(NamedTuple):
    """The line to which one wants to go: the next hit from ``number`` on."""

    number: int
    step: int
    round_the_end: bool = False


class LogStream(LogView):
    """A view of a log in which keys move the cursor, select and mark lines, and go to what matches the search."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(id="log.follow", title="Follow", keys="f,end,G", key_display="f", tooltip="Jump to the end and follow it"),
        Action(id="log.wrap", title="Wrap", keys="w", tooltip="Wrap long lines"),
        Action(id="log.times", title="Times", keys="t", tooltip="Show local times, UTC, how long ago, or none"),
        Action(id="log.next", title="Next", keys="n", call="find(1)", footer=False, tooltip="Go to the next line that matches"),
        Action(id="log.previous", title="Previous", keys="N", call="find(-1)", footer=False, tooltip="Go to the match before"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(ACTIONS),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("shift+up,K", "move(-1, True)", "Select up", show=False),
        Binding("shift+down,J", "move(1, True)", "Select down", show=False),
        Binding("pageup,b", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "top", "Top", show=False),
    ]

    class Opened(Message):
        """A line is to be shown in full."""

        def __init__(self, line: LogLine) -> None:
            super().__init__()
            self.line = line

    def __init__(self, store: LogStore, names: Callable[[], dict[int, str]], *, id: str | None = None, empty: str = "") -> None:
        super().__init__(store, names, id=id, empty=empty)
        self._sought: _Sought | None = None

    def search(self, term: Term | None) -> None:
        self._sought = None
        super().search(term)

    def looked_through(self) -> None:
        self._seek()

    def go_to(self, number: int, *, keep: bool = False) -> None:
        self._sought = None
        super().go_to(number, keep=keep)

    def action_follow(self) -> None:
        """Jumps to the end and follows it."""
        self._sought = None
        self.following = True
        self._settle()

    def action_wrap(self) -> None:
        self.wrap = not self.wrap

    def action_times(self) -> None:
        order = [Times.LOCAL, Times.UTC, Times.RELATIVE, Times.OFF]
        self.times = order[(order.index(self.times) + 1) % len(order)]

    def action_top(self) -> None:
        if len(self.shown):
            self.go_to(self.shown.number(0))

    def action_move(self, step: int, select: bool = False) -> None:
        """Moves the cursor; with ``select`` the lines between are selected."""
        number = self.cursor_number
        if number is None:
            return
        place = self.shown.place(number) + step
        if place >= len(self.shown):
            if not select:
                self.action_follow()
            return
        if select and self._selected_from < 0:
            self._selected_from = number
        elif not select:
            self._selected_from = -1
        self.go_to(self.shown.number(max(place, 0)), keep=select)

    def action_page(self, step: int) -> None:
        number = self.cursor_number
        if number is None:
            return
        rows = self._visible()
        seen = len({row.number for row in rows}) or 1
        place = self.shown.place(number) + step * max(seen - 1, 1)
        if place >= len(self.shown):
            self.action_follow()
        else:
            self.go_to(self.shown.number(max(place, 0)))

    def action_find(self, step: int) -> None:
        """Goes to the next line that matches the search, round the end."""
        number = self.cursor_number
        if self.hits is not None and number is not None:
            self._sought = _Sought(number + step, step, round_the_end=True)
            self._seek()

    def find_here(self, number: int | None = None) -> None:
        """Goes to the last line that matches, from this one back, or from the cursor."""
        number = self.cursor_number if number is None else number
        if self.hits is not None and number is not None:
            self._sought = _Sought(number, -1)
            self._seek()

    def _seek(self) -> None:
        """Goes to the line that is sought, once the lines on the way to it were looked through."""
        sought, hits = self._sought, self.hits
        if sought is None or hits is None:
            return
        first, end = self.store.first, self.store.end
        line = hits.next(sought.number, sought.step) if first <= sought.number < end else None
        if line is None and not hits.settled:
            return
        if line is None and sought.round_the_end:
            line = hits.next(first if sought.step > 0 else end - 1, sought.step)
            if line is None:
                self.notify("no line matches the search", severity="warning", timeout=3)
        self._sought = None
        if line is not None:
            self.go_to(line)

    def hit_at_cursor(self) -> tuple[int, int, bool]:
        """Which hit the cursor is on (0: none), how many there are, and whether all lines were looked through."""
        if self.hits is None:
            return 0, 0, True
        number = self.cursor_number
        count = len(self.hits)
        if number is None or not count:
            return 0, count, self._turn is None
        place = self.hits.place(number)
        here = place < count and self.hits.number(place) == number
        return place + 1 if here else 0, count, self._turn is None

    @property
    def selected(self) -> list[LogLine]:
        """The lines from one end of the selection to the cursor, in order of time."""
        number = self.cursor_number
        if number is None:
            return []
        first = last = self.shown.place(number)
        if self._selected_from >= 0:
            other = min(self.shown.place(self._selected_from), len(self.shown) - 1)
            first, last = min(first, other), max(last, other)
        return [self.store.line(self.shown.number(place)) for place in range(first, last + 1)]

    def mark(self) -> None:
        """Marks the selected lines, or takes the marks away if all of them have one."""
        number = self.cursor_number
        if number is None:
            return
        place = self.shown.place(number)
        other = self.shown.place(self._selected_from) if self._selected_from >= 0 else place
        numbers = [self.shown.number(one) for one in range(min(place, other), max(place, other) + 1) if one < len(self.shown)]
        on = not all(self.store.line(one).marked for one in numbers)
        for one in numbers:
            self.store.mark(one, on=on)
        self._strips.clear()
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Puts the cursor on a line, unless text was selected."""
        if self.text_selection is not None:
            return
        rows = self._visible()
        if 0 <= event.y < len(rows):
            self.go_to(rows[event.y].number)

    def clear(self) -> None:
        """Nothing is kept of the lines, the search and the cursor."""
        self.store.clear()
        self._cursor, self._selected_from = -1, -1
        self.following = True
        self._strips.clear()
        self._settle()
