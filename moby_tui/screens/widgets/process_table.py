"""What runs in a container."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import DataTable

from moby_tui.schema.container import Top
from moby_tui.screens import text


class ProcessTable(DataTable[Text]):
    """The answer of ``top`` as a table."""

    DEFAULT_CSS = """
    ProcessTable { height: 1fr; scrollbar-size-vertical: 1; background: transparent; }
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, cursor_type="row")
        self._titles: list[str] = []

    def show(self, top: Top) -> None:
        """Shows these processes and keeps the cursor's place."""
        row = self.cursor_row
        with self.app.batch_update():
            if top.titles != self._titles:
                self.clear(columns=True)
                self._titles = top.titles
                self.add_columns(*(Text(text.clean(title)) for title in top.titles))
            self.clear()
            for process in top.processes:
                self.add_row(*(Text(text.clean(value), no_wrap=True) for value in process[: len(top.titles)]))
            self.move_cursor(row=min(row, max(len(top.processes) - 1, 0)), animate=False)

    def empty(self) -> None:
        self.clear(columns=True)
        self._titles = []
