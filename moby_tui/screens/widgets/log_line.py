"""How one line of a log is drawn: its mark, time and container's name, then its words or the fields that have columns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import Enum

from rich.cells import set_cell_size
from rich.style import Style
from rich.text import Text

from moby_tui.schema.stream import STDERR
from moby_tui.screens import text
from moby_tui.screens.logs import moments
from moby_tui.screens.logs.fields import fields, message
from moby_tui.screens.logs.levels import Level
from moby_tui.screens.logs.store import NOTE, LogLine

#: Of a field this many cells are shown.
FIELD_WIDTH = 14
#: The local time of an older line is told with its date instead of its seconds.
DAY = 20 * 3600
#: Bright enough on a dark ground, and dark enough on a light one.
_DARK = (
    "#5fb3ff",
    "#7fdc8a",
    "#ffb86b",
    "#d7a1ff",
    "#4fd6c9",
    "#ff8fa3",
    "#e5d36a",
    "#9db2ff",
    "#b7d97a",
    "#f5a3df",
    "#7ad1ff",
    "#e0a27c",
)
_LIGHT = (
    "#005fb8",
    "#1a7f37",
    "#b35900",
    "#8250df",
    "#00757a",
    "#c2255c",
    "#7a6500",
    "#3f51b5",
    "#4f7a00",
    "#a6338f",
    "#006a9e",
    "#8a4b20",
)
#: The component class of each level.
LEVELS = {
    Level.TRACE: "log--trace",
    Level.DEBUG: "log--debug",
    Level.INFO: "log--info",
    Level.WARN: "log--warn",
    Level.ERROR: "log--error",
    Level.FATAL: "log--fatal",
}


class Times(Enum):
    """How the time of a line is shown; the value is the width in cells."""

    OFF = 0
    LOCAL = 12
    UTC = 13
    RELATIVE = 7


class LineDrawing:
    """``times``, ``columns`` (fields) and ``name_width`` (cells; 0: no names) are set by the widget whose settings they are.

    ``ink`` gives the style of a component class, ``names`` the containers' names by their number in the store.
    """

    def __init__(self, ink: Callable[[str], Style], names: Callable[[], dict[int, str]], is_dark: Callable[[], bool]) -> None:
        self.times = Times.LOCAL
        self.columns: tuple[str, ...] = ()
        self.name_width = 0
        self._ink, self._names, self._is_dark = ink, names, is_dark

    def words(self, line: LogLine) -> str:
        """What is shown of a line behind its time and name."""
        plain = line.text.decode("utf-8", "replace")
        if not self.columns or line.fd == NOTE:
            return plain
        values = fields(plain)
        if not values:
            return plain
        shown = [set_cell_size(text.clean(values.get(name, "")), FIELD_WIDTH) for name in self.columns]
        return " ".join([*shown, text.clean(message(values)) or plain])

    def margin(self) -> int:
        """The cells before the words."""
        stamp = self.times.value + 1 if self.times is not Times.OFF else 0
        return 1 + stamp + (self.name_width + 1 if self.name_width else 0)

    def body(self, line: LogLine) -> Text:
        """The words with their colours."""
        if line.coloured and not self.columns:
            body = Text.from_ansi(line.coloured, no_wrap=True, end="")
        else:
            body = Text(self.words(line), no_wrap=True, end="")
        if line.fd == NOTE:
            body.stylize(self._ink("log--note"))
        elif not line.coloured and line.level >= Level.WARN:
            body.stylize(self._ink(LEVELS[Level(line.level)]))
        elif not line.coloured and line.fd == STDERR:
            body.stylize(self._ink("log--stderr"))
        return body

    def prefix(self, line: LogLine, *, first: bool) -> Text:
        """The line's mark or level, its time and its container's name; blank before the later rows of a line."""
        prefix = Text(no_wrap=True, end="")
        if line.marked:
            prefix.append("◆", self._ink("log--mark"))
        elif line.level:
            prefix.append("▎", self._ink(LEVELS[Level(line.level)]))
        else:
            prefix.append(" ")
        if self.times is not Times.OFF:
            prefix.append(f"{self._time(line) if first else '':<{self.times.value}} ", self._ink("log--stamp"))
        if self.name_width:
            name = self._names().get(line.source, "") if first else ""
            prefix.append(set_cell_size(name, self.name_width) + " ", Style(color=self.colour_of(line.source)))
        return prefix

    def _time(self, line: LogLine) -> str:
        if not line.stamp:
            return ""
        if self.times is Times.UTC:
            return moments.utc(line.stamp)
        if self.times is Times.RELATIVE:
            return f"{moments.relative(line.stamp, time.time()):>7}"
        if time.time() - line.stamp / moments.SECOND > DAY:
            return moments.day(line.stamp)
        return moments.local(line.stamp)

    def colour_of(self, source: int) -> str:
        """The colour of a container's name."""
        colours: Sequence[str] = _DARK if self._is_dark() else _LIGHT
        return colours[source % len(colours)]
