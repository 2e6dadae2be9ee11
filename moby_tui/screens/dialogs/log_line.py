"""One log line in full: its time, its container, and its fields below each other."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from moby_tui.screens import text
from moby_tui.screens.dialogs.key_names import key_of
from moby_tui.screens.dialogs.shown import Shown
from moby_tui.screens.logs import moments
from moby_tui.screens.logs.fields import fields
from moby_tui.screens.logs.levels import Level
from moby_tui.screens.logs.store import LogLine


class ShowLine(Shown[None]):
    """``name`` is the name of the line's container."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "dismiss", "Close", id="line.close", show=False, key_display="esc")
    ]

    def __init__(self, line: LogLine, name: str) -> None:
        super().__init__()
        self._line, self._container = line, name

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="line"):
            yield Static(self._content())

    def on_mount(self) -> None:
        box = self.query_one("#line")
        box.border_title = Content(self._container)
        box.border_subtitle = Content(f"{key_of(self, 'line.close')} close")
        box.focus()

    def _content(self) -> Text:
        line = self._line
        level = f" · {Level(line.level).name.lower()}" if line.level else ""
        content = Text.assemble((f"{moments.rfc3339(line.stamp) if line.stamp else 'no time'}{level}\n\n", "dim"))
        content.append_text(Text.from_ansi(line.coloured) if line.coloured else Text(line.text.decode("utf-8", "replace")))
        values = fields(line.text.decode("utf-8", "replace"))
        if values:
            width = min(max(map(len, values)), 24)
            content.append("\n")
            for name, value in values.items():
                content.append(f"\n{text.clean(name):<{width}}  ", "bold")
                content.append(text.clean_coloured(value.replace("\n", "⏎")))
        return content
