"""A terminal on the screen: shows an emulator's lines and sends what is typed to the shell behind it."""

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
from moby_tui.screens.terminals.keys import encode, encode_mouse, encode_paste
from moby_tui.screens.terminals.shell import Shell
from moby_tui.screens.widgets.all_keys import AllKeys

FRAME = 1 / 30
#: Bytes drawn before the keys have their turn again.
SIP = 4096
#: Keys that are ours: what the person who looks back presses.
_SCROLL_KEYS = {"shift+pageup": "page_up", "shift+pagedown": "page_down", "shift+home": "scroll_home", "shift+end": "scroll_end"}
LEAVE_KEY = "ctrl+right_square_bracket"


class Terminal(AllKeys, ScrollView, can_focus=True):
    """All keys go to the shell but the prefix ``ctrl+]`` and shift with a page key."""

    DEFAULT_CSS = """
    Terminal { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; overflow-x: hidden; overflow-y: scroll; }
    """

    class Prefix(Message):
        """The prefix key was pressed: the next key is the dashboard's."""

    class Ended(Message):
        """The shell has ended, or never began; ``reason`` says why."""

        def __init__(self, terminal: Terminal, reason: str, *, failed: bool) -> None:
            super().__init__()
            self.terminal, self.reason, self.failed = terminal, reason, failed

        @property
        def control(self) -> Terminal:
            return self.terminal

    def __init__(self, shell: Shell, *, id: str) -> None:
        super().__init__(id=id)
        self._shell = shell
        self._input: asyncio.Queue[bytes] = asyncio.Queue()
        self._resized = asyncio.Event()
        self._emulator = Emulator(80, 24, self._input.put_nowait)
        self._strips: dict[int, Strip] = {}
        self._cursor_row = 0
        self._ended = False
        self._draw_pending = False

    @property
    def screen_text(self) -> str:
        """What the screen shows now, as plain text."""
        return "\n".join(line.rstrip() for line in self._emulator.display).rstrip()

    # The shell's life

    def on_mount(self) -> None:
        self.call_after_refresh(self._run)

    def on_unmount(self) -> None:
        self._shell.close()

    @work
    async def _run(self) -> None:
        self._fit()
        try:
            await self._shell.open(self._emulator.lines, self._emulator.columns)
        except TROUBLE as error:
            self._end(text.clean(str(error)), failed=True)
            return
        helpers = [asyncio.create_task(self._write()), asyncio.create_task(self._follow_size())]
        try:
            while data := await self._shell.read():
                await self._take(data)
            code = await self._shell.exit_code()
            self._end("the shell has ended" if not code else f"the shell has ended with exit code {code}", failed=False)
        except TROUBLE as error:
            self._end(text.clean(str(error)), failed=True)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _take(self, data: bytes) -> None:
        for start in range(0, len(data), SIP):
            self._emulator.feed(data[start : start + SIP])
            self._draw_soon()
            await asyncio.sleep(0)

    async def _write(self) -> None:
        while True:
            await self._shell.write(await self._input.get())

    async def _follow_size(self) -> None:
        """Tells the shell of a new size once it has settled."""
        while True:
            await self._resized.wait()
            await asyncio.sleep(0.05)
            self._resized.clear()
            try:
                await self._shell.resize(self._emulator.lines, self._emulator.columns)
            except TROUBLE as error:
                self.log.warning(f"resize of the shell failed: {error}")

    def _end(self, reason: str, *, failed: bool) -> None:
        self._ended = True
        self._emulator.feed(f"\x1b[?25l\x1b[0m\r\n\x1b[2m── {reason} ──\x1b[0m".encode())
        self._draw_soon()
        self.post_message(self.Ended(self, reason, failed=failed))

    # Size and drawing

    def on_resize(self, event: events.Resize) -> None:
        self._fit()

    def _fit(self) -> None:
        size = self.scrollable_content_region.size
        if size.width > 0 and size.height > 0 and (size.width, size.height) != (self._emulator.columns, self._emulator.lines):
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
        at_end = self.scroll_offset.y >= self.max_scroll_y
        self.virtual_size = Size(emulator.columns, self._above() + emulator.lines)
        if at_end:
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)
        self.refresh()

    def _above(self) -> int:
        return 0 if self._emulator.alternate else len(self._emulator.scrollback)

    def on_focus(self) -> None:
        self._redraw_cursor()

    def on_blur(self) -> None:
        self._redraw_cursor()

    def _redraw_cursor(self) -> None:
        self._strips.pop(self._emulator.cursor.y, None)
        self.refresh()

    def notify_style_update(self) -> None:
        self._strips.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        emulator = self._emulator
        row = self.scroll_offset.y + y - self._above()
        if row < 0:
            return self._strip(emulator.scrollback[row], None)
        if row >= emulator.lines:
            return Strip.blank(emulator.columns, self.rich_style)
        if row not in self._strips:
            shows_cursor = row == emulator.cursor.y and not emulator.cursor.hidden
            cursor = min(emulator.cursor.x, emulator.columns - 1) if shows_cursor else None
            self._strips[row] = self._strip(emulator.buffer[row], cursor)
        return self._strips[row]

    def _strip(self, line: dict[int, Char], cursor: int | None) -> Strip:
        base = self.rich_style
        segments: list[Segment] = []
        run, run_style = "", None
        for column, cell in enumerate(self._emulator.cells(line)):
            style = _style(cell.fg, cell.bg, cell.bold, cell.italics, cell.underscore, cell.strikethrough, cell.reverse)
            if column == cursor:
                style = style + Style(reverse=not cell.reverse) if self.has_focus else style + Style(underline=True)
            if style is not run_style:
                if run:
                    segments.append(Segment(run, base + run_style))
                run, run_style = "", style
            run += cell.data
        segments.append(Segment(run, base + run_style))
        return Strip(segments).adjust_cell_length(self._emulator.columns, base)

    # Input

    def on_key(self, event: events.Key) -> None:
        if event.key == LEAVE_KEY:
            event.stop()
            self.post_message(self.Prefix())
        elif event.key in _SCROLL_KEYS:
            event.stop()
            getattr(self, f"action_{_SCROLL_KEYS[event.key]}")()
        elif not self._ended:
            event.stop()
            event.prevent_default()
            self.send(encode(event, application_cursor=1 in self._emulator.modes))

    def send(self, data: bytes) -> None:
        """Types these bytes; shows the end of the screen again."""
        if data and not self._ended:
            self._input.put_nowait(data)
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self.send(encode_paste(event.text, bracketed=2004 in self._emulator.modes))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._report_mouse(event, event.button - 1, pressed=True)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self._report_mouse(event, event.button - 1, pressed=False)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, 64, "up")

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, 65, "down")

    def _wheel(self, event: events.MouseEvent, button: int, arrow: str) -> None:
        """The wheel goes to a program that wants the mouse, is arrows for one that fills the screen, and else looks back."""
        if self._report_mouse(event, button, pressed=True):
            return
        if self._emulator.alternate:
            event.stop()
            event.prevent_default()
            self.send(encode(events.Key(arrow, None), application_cursor=1 in self._emulator.modes) * 3)

    def _report_mouse(self, event: events.MouseEvent, button: int, *, pressed: bool) -> bool:
        modes = self._emulator.modes
        if 1006 not in modes or not modes & {1000, 1002, 1003}:
            return False
        event.stop()
        event.prevent_default()
        self.send(encode_mouse(button, event.x, event.y, pressed=pressed))
        return True


#: pyte's names that are not rich's; one of them is misspelt there.
_NAMES = {"brown": "yellow", "brightbrown": "bright_yellow", "bfightmagenta": "bright_magenta"}


@lru_cache(maxsize=4096)
def _style(fg: str, bg: str, bold: bool, italic: bool, underline: bool, strike: bool, reverse: bool) -> Style:
    return Style(
        color=_colour(fg), bgcolor=_colour(bg), bold=bold, italic=italic, underline=underline, strike=strike, reverse=reverse
    )


def _colour(name: str) -> str | None:
    """pyte's colour as rich's: a name, or six hexadecimal digits."""
    if name == "default":
        return None
    if name in _NAMES:
        return _NAMES[name]
    if name.startswith("bright"):
        return f"bright_{name.removeprefix('bright')}"
    if name in ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"):
        return name
    return f"#{name}" if len(name) == 6 else None
