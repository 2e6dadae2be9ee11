"""A terminal on the screen: shows an emulator's lines and sends what is typed to the program behind it."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from pyte.screens import Char
from rich.segment import Segment
from rich.style import Style
from textual import events, work
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from moby_tui.screens import text
from moby_tui.screens.session.session import TROUBLE
from moby_tui.screens.terminals.emulator import Emulator
from moby_tui.screens.terminals.keys import NO_BUTTON, Mouse, encode, encode_mouse, encode_paste, wants_mouse
from moby_tui.screens.terminals.look_back import LookBack, Wish
from moby_tui.screens.terminals.program import Program
from moby_tui.screens.theme import TERMINAL_INKS
from moby_tui.screens.widgets.all_keys import AllKeys

FRAME = 1 / 30
#: Bytes drawn before the keys have their turn again.
SIP = 4096
#: Keys that are ours: what the person who looks back presses.
_SCROLL_KEYS = {"shift+pageup": "page_up", "shift+pagedown": "page_down", "shift+home": "scroll_home", "shift+end": "scroll_end"}
LEAVE_KEY = "ctrl+right_square_bracket"
_FOUND, _SELECTED = Style(color="black", bgcolor="yellow"), Style(reverse=True)
_CURSOR = Style(color="black", bgcolor="cyan")


class Terminal(AllKeys, ScrollView, can_focus=True):
    """All keys go to the program but the prefix ``ctrl+]`` and shift with a page key; while one looks back, none does."""

    DEFAULT_CSS = """
    Terminal { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; overflow-x: hidden; overflow-y: scroll; }
    """
    ALLOW_SELECT = False

    class Prefix(Message):
        """The prefix key was pressed: the next key is the dashboard's."""

    class Command(Message):
        """The key after the prefix."""

        def __init__(self, terminal: Terminal, key: str) -> None:
            super().__init__()
            self.terminal, self.key = terminal, key

    class Ended(Message):
        """The program has ended, or never began; ``reason`` says why."""

        def __init__(self, terminal: Terminal, reason: str, *, failed: bool) -> None:
            super().__init__()
            self.terminal, self.reason, self.failed = terminal, reason, failed

        @property
        def control(self) -> Terminal:
            return self.terminal

    class KeyTooLate(Message):
        """A key was typed after the program has ended, and its tab closes."""

        def __init__(self, terminal: Terminal, key: events.Key) -> None:
            super().__init__()
            self.terminal, self.key = terminal, key

    class Copied(Message):
        """Text for the clipboard. ``by_program``: not the person but the program has copied it."""

        def __init__(self, copied: str, *, by_program: bool = False) -> None:
            super().__init__()
            self.text, self.by_program = copied, by_program

    class SearchWanted(Message):
        """Words to search for are wanted; ``search`` takes them."""

        def __init__(self, terminal: Terminal, *, up: bool) -> None:
            super().__init__()
            self.terminal, self.up = terminal, up

    class LooksBack(Message):
        """The person begins or ends looking back, or has found something: ``note`` says what."""

        def __init__(self, terminal: Terminal, note: str) -> None:
            super().__init__()
            self.terminal, self.note = terminal, note

    def __init__(self, program: Program, *, id: str, copies: bool = False) -> None:
        """``copies``: the program may put text on the clipboard (OSC 52)."""
        super().__init__(id=id)
        self.program = program
        self._input: asyncio.Queue[bytes] = asyncio.Queue()
        self._resized = asyncio.Event()
        #: Set once the terminal has its first size.
        self._sized = asyncio.Event()
        self._emulator = Emulator(80, 24, self._input.put_nowait)
        self.let_copy(copies)
        self._strips: dict[int, Strip] = {}
        self._cursor_row = 0
        self._first = 0
        self.ended = False
        #: True once the program has ended so that its tab closes.
        self._closes = False
        self._draw_pending = False
        self.looks_back: LookBack | None = None
        #: The cell where the person has pressed the mouse, until they let it go.
        self._pressed_at: tuple[int, int] | None = None
        #: True after the prefix key; the next key may come before anybody else has seen that one.
        self._prefixed = False

    @property
    def screen_text(self) -> str:
        """What the screen shows now, as plain text."""
        return "\n".join(line.rstrip() for line in self._emulator.display).rstrip()

    def let_copy(self, copies: bool) -> None:
        """Whether the program may put text on the clipboard from now on."""
        self._emulator.copy = self._copied_by_program if copies else None

    def _copied_by_program(self, copied: str) -> None:
        self.post_message(self.Copied(copied, by_program=True))

    # The program's life

    def on_mount(self) -> None:
        self._run()

    def on_unmount(self) -> None:
        self.program.close()

    def open_again(self) -> None:
        """Opens the program once more, after it has ended."""
        if self.ended:
            self.program = self.program.again()
            self.ended = False
            self._emulator.feed(b"\x1b[?1049l\x1b[!p\x1b[?25h\r\n")
            self._run()

    @work
    async def _run(self) -> None:
        await self._sized.wait()
        program = self.program
        try:
            await program.open(self._emulator.lines, self._emulator.columns, self._say)
        except TROUBLE as error:
            self._end(text.clean(str(error)), failed=True)
            return
        helpers = [asyncio.create_task(self._write(program)), asyncio.create_task(self._follow_size(program))]
        try:
            while data := await program.read():
                await self._take(data)
            self._end(await program.ending(), failed=False)
        except TROUBLE as error:
            self._end(f"the engine was lost, what ran here may run on: {text.clean(str(error))}", failed=True)
        finally:
            program.close()
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    def _say(self, line: str) -> None:
        self._emulator.feed(f"\x1b[2m── {line}\x1b[0m\r\n".encode())
        self._draw_soon()

    async def _take(self, data: bytes) -> None:
        for start in range(0, len(data), SIP):
            self._emulator.feed(data[start : start + SIP])
            self._draw_soon()
            await asyncio.sleep(0)

    async def _write(self, program: Program) -> None:
        while True:
            await program.write(await self._input.get())

    async def _follow_size(self, program: Program) -> None:
        """Tells the program of a new size once it has settled."""
        while True:
            await self._resized.wait()
            await asyncio.sleep(0.05)
            self._resized.clear()
            try:
                await program.resize(self._emulator.lines, self._emulator.columns)
            except TROUBLE as error:
                self.log.warning(f"resize of the terminal failed: {error}")

    def _end(self, reason: str, *, failed: bool) -> None:
        self.ended, self._closes = True, not failed and self.program.closes
        self._emulator.modes.clear()  # the mouse and the keys are the person's again
        self._emulator.feed(f"\x1b[?1049l\x1b[r\x1b[?25l\x1b[0m\r\n\x1b[2m── {reason} ──\x1b[0m".encode())
        self._draw_soon()
        self.post_message(self.Ended(self, reason, failed=failed))

    # Size and drawing

    def on_resize(self, event: events.Resize) -> None:
        self._fit()

    def _fit(self) -> None:
        size = self.scrollable_content_region.size
        if size.width <= 0 or size.height <= 0:
            return
        self._sized.set()
        if (size.width, size.height) != (self._emulator.columns, self._emulator.lines):
            self._emulator.resize(lines=size.height, columns=size.width)
            self._strips.clear()
            self._resized.set()
            self._draw_soon()

    def _draw_soon(self) -> None:
        if not self._draw_pending:
            self._draw_pending = True
            self.set_timer(FRAME, self._draw)

    def _draw(self) -> None:
        self._draw_pending = False
        emulator = self._emulator
        for row in (*emulator.dirty, self._cursor_row, emulator.cursor.y):
            self._strips.pop(row, None)
        emulator.dirty.clear()
        self._cursor_row = emulator.cursor.y
        if emulator.bell_rung:
            emulator.bell_rung = False
            self.app.bell()
        at_end = self.scroll_offset.y >= self.max_scroll_y and self.looks_back is None
        gone, self._first = emulator.first - self._first, emulator.first
        self.virtual_size = Size(emulator.columns, emulator.last - emulator.first + 1)
        if at_end:
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)
        elif gone > 0:
            # the oldest lines are given up: what is looked at stays where it is
            self.scroll_to(y=self.scroll_offset.y - gone, animate=False, immediate=True, force=True)
        if self.looks_back is not None:
            self.looks_back.move(0, 0)
        self.refresh()

    def on_focus(self) -> None:
        self._redraw_cursor()
        self._tell_focus(b"\x1b[I")

    def on_blur(self) -> None:
        self._prefixed = False
        self._redraw_cursor()
        self._tell_focus(b"\x1b[O")

    def _tell_focus(self, report: bytes) -> None:
        if 1004 in self._emulator.modes and not self.ended:
            self._input.put_nowait(report)

    @property
    def line_of_cursor(self) -> int:
        """The line of the program's cursor, or of the one that looks back, from the first line that is seen on."""
        emulator = self._emulator
        line = self.looks_back.line if self.looks_back else emulator.scrolled + emulator.cursor.y
        return line - emulator.first - self.scroll_offset.y

    @property
    def column_of_cursor(self) -> int:
        return self.looks_back.column if self.looks_back else self._emulator.cursor.x

    def _redraw_cursor(self) -> None:
        self._strips.pop(self._emulator.cursor.y, None)
        self.refresh()

    def notify_style_update(self) -> None:
        self._strips.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        emulator = self._emulator
        number = emulator.first + self.scroll_offset.y + y
        if number > emulator.last:
            return Strip.blank(emulator.columns, self.rich_style)
        if self.looks_back is not None:
            return self._strip(emulator.line(number), None, self._marks(self.looks_back, number))
        row = number - emulator.scrolled
        if row < 0:
            return self._strip(emulator.line(number), None)
        if row not in self._strips:
            shows_cursor = row == emulator.cursor.y and not emulator.cursor.hidden
            cursor = min(emulator.cursor.x, emulator.columns - 1) if shows_cursor else None
            self._strips[row] = self._strip(emulator.line(number), cursor)
        return self._strips[row]

    def _marks(self, looks: LookBack, number: int) -> dict[int, Style]:
        """The columns of a line that look otherwise while one looks back."""
        marks = {column: _FOUND for start, end in looks.hits(number) for column in range(start, end)}
        if span := looks.span(number):
            marks |= dict.fromkeys(range(*span), _SELECTED)
        if number == looks.line:
            marks[looks.column] = _CURSOR
        return marks

    def _strip(self, line: dict[int, Char], cursor: int | None, marks: dict[int, Style] | None = None) -> Strip:
        base, native = self.rich_style, self.app.native_ansi_color
        segments: list[Segment] = []
        run, run_style = "", None
        for column, cell in enumerate(self._emulator.cells(line)):
            style = _style(native, cell.fg, cell.bg, cell.bold, cell.italics, cell.underscore, cell.strikethrough, cell.reverse)
            if column == cursor:
                style = style + Style(reverse=not cell.reverse) if self.has_focus else style + Style(underline=True)
            if marks and column in marks:
                style = style + marks[column]
            if style is not run_style:
                if run:
                    segments.append(Segment(run, base + run_style))
                run, run_style = "", style
            run += cell.data
        segments.append(Segment(run, base + run_style))
        return Strip(segments).adjust_cell_length(self._emulator.columns, base)

    # Looking back

    def look_back(self) -> None:
        """Gives the keys to a cursor over the lines, until the person leaves."""
        if self.looks_back is None:
            emulator = self._emulator
            seen = emulator.first + self.scroll_offset.y
            line = min(max(emulator.scrolled + emulator.cursor.y, seen), seen + emulator.lines - 1)
            self.looks_back = LookBack(emulator, line, emulator.cursor.x, max(emulator.lines - 1, 1))
            self.looks_back.move(0, 0)
        self._show_looks()

    def search(self, words: str, *, up: bool) -> None:
        """Goes to the nearest line with these words."""
        if self.looks_back is not None:
            self.looks_back.search(words, up=up)
            self._show_looks()

    def _stop_looking(self) -> None:
        self.looks_back = None
        self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)
        self.refresh()
        self.post_message(self.LooksBack(self, ""))

    def _show_looks(self) -> None:
        """Brings the cursor into view."""
        looks = self.looks_back
        if looks is None:
            return
        y, top, height = looks.line - self._emulator.first, self.scroll_offset.y, self._emulator.lines
        if not top <= y < top + height:
            above = y if abs(y - top) <= 1 or y < top - height else y - height // 2
            self.scroll_to(y=above if y < top else y - height + 1, animate=False, immediate=True, force=True)
        note = f"{looks.line - self._emulator.first + 1}/{self._emulator.last - self._emulator.first + 1}"
        if looks.words:
            place, total = looks.count()
            note += f" · {place or '–'} of {total} hits" if total else " · not found"
        self.refresh()
        self.post_message(self.LooksBack(self, note))

    def _look(self, key: str) -> None:
        looks = self.looks_back
        assert looks is not None
        wish = looks.press(key)
        if wish is Wish.NONE:
            self._show_looks()
        elif wish in (Wish.SEARCH, Wish.SEARCH_DOWN):
            self.post_message(self.SearchWanted(self, up=wish is Wish.SEARCH))
        else:
            if wish is Wish.COPY:
                self.post_message(self.Copied(looks.text()))
            self._stop_looking()

    # Input

    def on_key(self, event: events.Key) -> None:
        if self._prefixed:
            event.stop()
            event.prevent_default()
            self._prefixed = False
            self.post_message(self.Command(self, event.key))
        elif event.key == LEAVE_KEY:
            event.stop()
            self._prefixed = True
            self.post_message(self.Prefix())
        elif self.looks_back is not None:
            event.stop()
            event.prevent_default()
            self._look(event.character if event.character and event.character in "GNV0$" else event.key)
        elif event.key in _SCROLL_KEYS:
            event.stop()
            getattr(self, f"action_{_SCROLL_KEYS[event.key]}")()
        else:
            event.stop()
            event.prevent_default()
            if not self.ended:
                self.send(encode(event, application_cursor=1 in self._emulator.modes))
            elif self._closes:
                self.post_message(self.KeyTooLate(self, events.Key(event.key, event.character)))
            elif event.key == "enter":
                self.open_again()

    def send(self, data: bytes) -> None:
        """Types these bytes; shows the end of the screen again."""
        if data and not self.ended:
            self._input.put_nowait(data)
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        if self.looks_back is None:
            self.send(encode_paste(event.text, bracketed=2004 in self._emulator.modes))

    # The mouse: the program's if it asks for it and shift is not held, else it selects

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if self._report(event, event.button - 1) or event.button != 1:
            return
        self._pressed_at = (event.x, event.y)
        self.capture_mouse()
        if self.looks_back is not None:
            self._stop_looking()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._pressed_at is None:
            self._report(event, event.button - 1 if event.button else NO_BUTTON, moved=True)
            return
        if self.looks_back is None:
            if self._pressed_at == (event.x, event.y):
                return
            self._begin_selection(*self._pressed_at)
        if self.looks_back is not None:
            self.looks_back.go(self._emulator.first + self.scroll_offset.y + event.y, event.x)
            self._show_looks()

    def _begin_selection(self, x: int, y: int) -> None:
        self.look_back()
        if self.looks_back is not None:
            self.looks_back.go(self._emulator.first + self.scroll_offset.y + y, x)
            self.looks_back.mark()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._pressed_at is None:
            self._report(event, event.button - 1, pressed=False)
            return
        self._pressed_at = None
        self.release_mouse()
        if self.looks_back is not None and self.looks_back.selects:
            self._look("enter")

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, 64, "up")

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, 65, "down")

    def _wheel(self, event: events.MouseEvent, button: int, arrow: str) -> None:
        """The wheel goes to a program that wants the mouse, is arrows for one that fills the screen, and else looks back."""
        if self._report(event, button) or not self._emulator.alternate or self.looks_back is not None:
            return
        event.stop()
        event.prevent_default()
        self.send(encode(events.Key(arrow, None), application_cursor=1 in self._emulator.modes) * 3)

    def _report(self, event: events.MouseEvent, button: int, *, pressed: bool = True, moved: bool = False) -> bool:
        """Tells the program of the mouse; False if it does not ask for it, or if the person holds shift to keep it."""
        if event.shift or self.looks_back is not None or self.ended or not wants_mouse(self._emulator.modes):
            return False
        event.stop()
        event.prevent_default()
        done = Mouse(button, event.x, event.y, pressed=pressed, moved=moved, meta=event.meta, ctrl=event.ctrl)
        if data := encode_mouse(done, self._emulator.modes):
            self._input.put_nowait(data)
        return True


#: pyte's names that are not rich's; one of them is misspelt there.
_NAMES = {"brown": "yellow", "brightbrown": "bright_yellow", "bfightmagenta": "bright_magenta"}


@lru_cache(maxsize=4096)
def _style(native: bool, fg: str, bg: str, bold: bool, italic: bool, underline: bool, strike: bool, reverse: bool) -> Style:
    return Style(
        color=_colour(fg, native),
        bgcolor=_colour(bg, native),
        bold=bold,
        italic=italic,
        underline=underline,
        strike=strike,
        reverse=reverse,
    )


def _colour(name: str, native: bool) -> str | None:
    """pyte's colour as rich's: with ``native`` a name of the terminal's own, else and of any other six hexadecimal digits."""
    named = _named(name)
    return named if native or named is None else TERMINAL_INKS.get(named, named)


def _named(name: str) -> str | None:
    if name == "default":
        return None
    if name in _NAMES:
        return _NAMES[name]
    if name.startswith("bright"):
        return f"bright_{name.removeprefix('bright')}"
    if name in ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"):
        return name
    return f"#{name}" if len(name) == 6 else None
