"""The keys of the page that one came from."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

_ALWAYS = "1–6 pages · tab next part · ctrl+p or : commands, themes · mouse works · shift+drag selects in most terminals"


class Help(ModalScreen[None]):
    """Written from the bindings themselves, so it cannot be wrong."""

    BINDINGS = [Binding("escape,q,question_mark,f1", "dismiss", "Close", key_display="esc")]  # noqa: RUF012

    def __init__(self, page: Screen[Any]) -> None:
        super().__init__()
        self._rows = _keys(page)

    def compose(self) -> ComposeResult:
        table = Table.grid(padding=(0, 2))
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(ratio=1)
        for key, name, tooltip in self._rows:
            table.add_row(Text(key, "bold"), Text(name), Text(tooltip, "dim"))
        with VerticalScroll(id="help"):
            yield Static(table)
            yield Static(_ALWAYS, classes="note")

    def on_mount(self) -> None:
        self.query_one("#help").border_title = "Keys"
        self.query_one("#help").border_subtitle = "esc closes"


def _keys(page: Screen[Any]) -> list[tuple[str, str, str]]:
    rows: dict[str, tuple[str, str, str]] = {}
    for active in page.active_bindings.values():
        binding = active.binding
        if binding.id and binding.description and not binding.system and not binding.id.startswith("page."):
            rows.setdefault(binding.id, (page.app.get_key_display(binding), binding.description, binding.tooltip))
    return list(rows.values())
