"""A terminal in memory: pyte's screen with what it lacks, guarded against what it mishandles."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pyte
from pyte.screens import Char, Cursor, Margins, Savepoint
from wcwidth import wcwidth

#: Lines kept above the screen.
SCROLLBACK = 5000
#: An escape sequence that has not ended after this many characters never will.
_LONGEST_SEQUENCE = 4096
#: The same for a text that the process puts on the clipboard, where it may.
_LONGEST_COPY = 1 << 18
#: Combining marks on one character; more are an attack on the screen.
_MARKS = 8

#: One whole control sequence or string, as ECMA-48 (5.4, 5.6) and xterm have them; or a lone control that pyte would misread.
_SEQUENCE = re.compile(
    r"\x1b\[(?P<prefix>[<=>?]?)(?P<parameters>[0-9;:]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b(?P<escape>[78cDEHM]|[()][0-~]|#8)"
    r"|\x1b[ -/]+[0-~]"
    r"|\x1b[0-Z\\`-~]"
    r"|[\x1b\x80-\x9f]"
)
#: A sequence whose end has not arrived yet.
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)\Z")
#: OSC 52 that sets the clipboard (xterm's control sequences, "Manipulate Selection Data"); one that asks for it has ``?``.
_COPY = re.compile(r"\x1b\]52;[cpqs0-7]*;([A-Za-z0-9+/=]+)(?:\x07|\x1b\\)")
_STRING_END = re.compile(r"\x07|\x1b\\|\A\\")
#: The sequences that pyte acts on, with the most parameters it takes; it raises on any more.
_ARITY = {
    **dict.fromkeys("@ABCDEFGLMPSTXZabde`", 1),
    **dict.fromkeys("Hfr", 2),
    **dict.fromkeys("su", 0),
    **dict.fromkeys("JKcgn", 1),
    **dict.fromkeys("hlm", 64),
}
_ALTERNATE = (47, 1047, 1049)
#: DECCOLM would resize the screen behind our back.
_IGNORED_MODES = (3,)


class _Stream(pyte.Stream):  # type: ignore[misc]
    """With the sequences of xterm's terminfo entry that pyte does not know."""

    csi = {  # noqa: RUF012
        **pyte.Stream.csi,
        "S": "scroll_up",
        "T": "scroll_down",
        "Z": "back_tab",
        "b": "repeat",
        "s": "save_cursor",
        "u": "restore_cursor",
    }


class Emulator(pyte.Screen):  # type: ignore[misc]
    """Feed it what the process writes; read ``buffer``, ``cursor``, ``scrollback`` and ``modes``.

    ``reply`` is called with what a terminal answers to questions of the process, ``copy`` with what the process puts on the clipboard
    (OSC 52); without ``copy`` it cannot, and it can never read it. No input raises.
    """

    def __init__(
        self, columns: int, lines: int, reply: Callable[[bytes], None], copy: Callable[[str], None] | None = None
    ) -> None:
        self.lines: int
        self.savepoints: list[Savepoint]
        self.scrollback: deque[dict[int, Char]] = deque(maxlen=SCROLLBACK)
        #: DEC private modes that are set, by number: 1 application cursor keys, 2004 bracketed paste, 1000 to 1006 mouse.
        self.modes: set[int] = set()
        self.bell_rung = False
        #: Lines that have ever left through the top.
        self.scrolled = 0
        self._main: tuple[Any, Cursor, Margins | None] | None = None
        self._reply = reply
        self.copy = copy
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._swallowing = False
        self._last = ""
        super().__init__(columns, lines)
        self._stream = _Stream(self)
        # Without this pyte ignores the line-drawing character set, which programs use under the C locale.
        self._stream.use_utf8 = False

    @property
    def alternate(self) -> bool:
        """Whether a full-screen program has the screen; it has no scrollback."""
        return self._main is not None

    @property
    def first(self) -> int:
        """The number of the oldest line that can be seen. Lines are counted from the first that has ever left through the top."""
        return self.scrolled if self.alternate else self.scrolled - len(self.scrollback)

    @property
    def last(self) -> int:
        """The number of the screen's last line."""
        return self.scrolled + self.lines - 1

    def line(self, number: int) -> dict[int, Char]:
        """A line by its number, from ``first`` to ``last``."""
        if number >= self.scrolled:
            characters: dict[int, Char] = self.buffer[number - self.scrolled]
            return characters
        return self.scrollback[number - self.scrolled + len(self.scrollback)]

    def texts(self, number: int) -> list[str]:
        """The line of a number as one string for each column; that of a wide character's second half is empty."""
        return [cell.data for cell in self.cells(self.line(number))]

    @property
    def display(self) -> list[str]:
        """The screen as plain text, one string a line."""
        return ["".join(cell.data for cell in self.cells(self.buffer[y])) for y in range(self.lines)]

    def cells(self, line: dict[int, Char]) -> list[Char]:
        """One line's cells, which together are just as wide as the screen: halves of wide characters that were written over are blank."""
        row = [line.get(column, _BLANK) for column in range(self.columns)]
        for column, cell in enumerate(row):
            if cell.data == "":
                torn = column == 0 or not _wide(row[column - 1].data)
            elif _wide(cell.data):
                torn = column + 1 == self.columns or row[column + 1].data != ""
            else:
                continue
            if torn:
                row[column] = cell._replace(data=" ")
        return row

    def feed(self, data: bytes) -> None:
        """Takes the next piece of output, however it is cut."""
        text = self._held + self._decoder.decode(data)
        self._held = ""
        if self._swallowing:
            end = _STRING_END.search(text)
            if end is None:
                self._held = text[-1:] if text.endswith("\x1b") else ""
                return
            text, self._swallowing = text[end.end() :], False
        if unfinished := _UNFINISHED.search(text):
            text = text[: unfinished.start()]
            self._hold(unfinished.group())
        self._stream.feed(_SEQUENCE.sub(self._sanitized, text))

    def _sanitized(self, match: re.Match[str]) -> str:
        """The sequence as pyte can take it, or nothing."""
        if self.copy is not None and (request := _COPY.fullmatch(match.group())):
            self._put_on_clipboard(request[1], self.copy)
        return _sanitized(match)

    @staticmethod
    def _put_on_clipboard(encoded: str, copy: Callable[[str], None]) -> None:
        try:
            copied = base64.b64decode(encoded, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return
        if copied:
            copy(copied)

    def _hold(self, sequence: str) -> None:
        """Keeps a sequence until the rest of it arrives; of one that is too long the rest is thrown away."""
        longest = _LONGEST_COPY if self.copy is not None and sequence.startswith("\x1b]52;") else _LONGEST_SEQUENCE
        if len(sequence) <= longest:
            self._held = sequence
        else:
            self._swallowing = sequence[1] in "]PX^_"

    # What pyte lacks

    def set_mode(self, *modes: int, **kwargs: Any) -> None:
        if not kwargs.get("private"):
            super().set_mode(*(mode for mode in modes if mode < 32))
            return
        self.modes.update(modes)
        if self._main is None and any(mode in _ALTERNATE for mode in modes):
            self._main = (self.buffer, self.cursor, self.margins)
            self._clear_screen()
        super().set_mode(*(mode for mode in modes if mode not in _IGNORED_MODES), private=True)

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        if not kwargs.get("private"):
            super().reset_mode(*(mode for mode in modes if mode < 32))
            return
        self.modes.difference_update(modes)
        if self._main is not None and any(mode in _ALTERNATE for mode in modes):
            self.buffer, self.cursor, self.margins = self._main
            self._main = None
            self._fit(self.lines, max(self.buffer, default=0) + 1)
        super().reset_mode(*(mode for mode in modes if mode not in _IGNORED_MODES), private=True)

    def _clear_screen(self) -> None:
        self.buffer = type(self.buffer)(self.buffer.default_factory)
        self.cursor = Cursor(0, 0, self.cursor.attrs)
        self.margins = None
        self.dirty.update(range(self.lines))

    def index(self) -> None:
        top = self.margins.top if self.margins else 0
        bottom = self.margins.bottom if self.margins else self.lines - 1
        if self.cursor.y == bottom and top == 0:
            self._keep_line(0)
        super().index()

    def _keep_line(self, y: int) -> None:
        if not self.alternate:
            self.scrollback.append(dict(self.buffer[y]))
            self.scrolled += 1

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Lines above a cursor that would fall off the bottom go to the scrollback; those below it just go."""
        lines, columns = max(lines or self.lines, 1), max(columns or self.columns, 1)
        before, self.lines = self.lines, lines
        super().resize(lines, columns)
        self.tabstops = set(range(8, columns, 8))
        self._fit(lines, before)

    def _fit(self, lines: int, before: int) -> None:
        """Brings a buffer that had ``before`` lines to the present number, keeping the line of the cursor."""
        self.margins = None
        surplus = max(self.cursor.y + 1 - lines, 0)
        for y in range(surplus):
            self._keep_line(y)
        if surplus:
            for y in range(lines):
                self.buffer[y] = self.buffer.pop(y + surplus, self.buffer[-1])
            self.cursor.y -= surplus
        for y in [y for y in self.buffer if not 0 <= y < lines]:
            del self.buffer[y]
        self.ensure_hbounds()
        self.ensure_vbounds()
        self.dirty.update(range(max(lines, before)))

    def scroll_up(self, count: int = 1) -> None:
        """SU: the lines of the scrolling region move up; the cursor stays."""
        self._at_edge(count, self.margins.bottom if self.margins else self.lines - 1, self.index)

    def scroll_down(self, count: int = 1) -> None:
        """SD: the lines of the scrolling region move down; the cursor stays."""
        self._at_edge(count, self.margins.top if self.margins else 0, self.reverse_index)

    def _at_edge(self, count: int, edge: int, move: Callable[[], None]) -> None:
        row, self.cursor.y = self.cursor.y, edge
        for _ in range(min(count or 1, self.lines)):
            move()
        self.cursor.y = row

    def back_tab(self, count: int = 1) -> None:
        """CBT: to the tab stop before."""
        for _ in range(min(count or 1, self.columns)):
            self.cursor.x = max((stop for stop in self.tabstops if stop < self.cursor.x), default=0)

    def repeat(self, count: int = 1) -> None:
        """REP: the last character again."""
        if self._last:
            self.draw(self._last * min(count or 1, self.columns))

    def reset(self) -> None:
        self._main = None
        self.modes.clear()
        super().reset()

    def erase_in_display(self, how: int = 0, *args: Any, **kwargs: Any) -> None:
        if how == 3:
            self.scrollback.clear()
        elif how in (0, 1, 2):
            super().erase_in_display(how)

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        if how in (0, 1, 2):
            super().erase_in_line(how)

    def bell(self, *args: Any) -> None:
        self.bell_rung = True

    def set_title(self, param: str) -> None:
        """A container does not name our window."""

    def set_icon_name(self, param: str) -> None:
        """A container does not name our window."""

    def write_process_input(self, data: str) -> None:
        self._reply(data.encode())

    def save_cursor(self, *_: int) -> None:
        """There is one saved cursor, as in xterm; pyte would pile them up."""
        self.savepoints.clear()
        super().save_cursor()

    def restore_cursor(self, *_: int) -> None:
        saved = list(self.savepoints)
        super().restore_cursor()
        self.savepoints = saved
        self.ensure_hbounds()

    def draw(self, data: str) -> None:
        self._last = data[-1:]
        if data.isascii() and not self.charset and 4 not in self.mode and self.g0_charset is pyte.charsets.LAT1_MAP:
            self._draw_ascii(data)
        else:
            super().draw(data if data.isascii() else _COMBINING_RUN.sub(r"\1", data))
            self._cap_marks()

    def _draw_ascii(self, data: str) -> None:
        """The common case, several times as fast as pyte's: one cell a character, no character set, no insertion."""
        attributes, columns, cursor = self.cursor.attrs[1:], self.columns, self.cursor
        wraps = pyte.modes.DECAWM in self.mode
        line = self.buffer[cursor.y]
        x = cursor.x
        for character in data:
            if character < " ":
                continue
            if x >= columns:
                if wraps:
                    self.dirty.add(cursor.y)
                    cursor.x = 0
                    self.linefeed()
                    line = self.buffer[cursor.y]
                    x = 0
                else:
                    x = columns - 1
            line[x] = _cell(character, attributes)
            x += 1
        cursor.x = x
        self.dirty.add(cursor.y)

    def _cap_marks(self) -> None:
        x = self.cursor.x - 1
        cell = self.buffer[self.cursor.y][x] if x >= 0 else None
        if cell is not None and len(cell.data) > _MARKS:
            self.buffer[self.cursor.y][x] = cell._replace(data=cell.data[:_MARKS])


_BLANK = Char(" ")


def _wide(data: str) -> bool:
    return not data.isascii() and wcwidth(data[0]) == 2


#: A run of combining marks, cut to what a script may need.
_COMBINING = r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_COMBINING_RUN = re.compile(f"({_COMBINING}{{{_MARKS}}}){_COMBINING}+")


@lru_cache(maxsize=8192)
def _cell(character: str, attributes: tuple[Any, ...]) -> Char:
    return Char(character, *attributes)


def _sanitized(match: re.Match[str]) -> str:
    """The sequence as pyte can take it, or nothing."""
    if match["escape"]:
        return match.group()
    final = match["final"]
    if final is None or match["between"] or final not in _ARITY:
        return ""
    prefix = match["prefix"]
    if prefix in ("<", "=", ">") or (prefix == "?" and final not in "hlJK"):
        return ""
    parameters = match["parameters"]
    if final == "m":
        parameters = _colours(parameters)
    elif ":" in parameters:
        return ""
    kept = ";".join(number[-5:] for number in parameters.split(";")[: _ARITY[final]])
    return f"\x1b[{prefix}{kept}{final}"


def _colours(parameters: str) -> str:
    """Colours written with colons (ITU T.416) as pyte knows them: ``38:2::r:g:b`` is ``38;2;r;g;b``, ``4:3`` is ``4``."""
    numbers: list[str] = []
    for group in parameters.split(";"):
        parts = group.split(":")
        if len(parts) > 1 and parts[0] in ("38", "48"):
            parts = [*parts[:2], *parts[3:]] if parts[1] == "2" and len(parts) > 5 else parts
            numbers += parts
        elif parts[0] != "58":
            numbers.append("24" if parts[:2] == ["4", "0"] else parts[0])
    return ";".join(numbers)
