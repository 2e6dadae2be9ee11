"""Chooses any number of containers, from a list that words narrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, SelectionList, Static
from textual.widgets.selection_list import Selection

from moby_tui.screens.session.containers import Container

#: More rows are not listed: words find the others.
MOST_ROWS = 500


class ContainerPicker(ModalScreen[dict[str, str]]):
    """Gives the names of the chosen containers by id, or None if the person leaves it.

    ``find`` gives the containers that match a query, as the list of containers has it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Leave", show=False),
        Binding("down", "to_list", "List", show=False),
        Binding("ctrl+a", "all", "All shown", show=False, priority=True),
    ]

    def __init__(self, find: Callable[[str], list[Container]], chosen: Iterable[str]) -> None:
        super().__init__()
        self._find = find
        self._chosen = set(chosen)
        self._rows: Sequence[Container] = ()
        self._filling = False

    def compose(self) -> ComposeResult:
        with Vertical(id="pick"):
            yield Input(placeholder="words · !not · name of a project", compact=True)
            yield SelectionList[str](compact=True)
            yield Static("space choose · ctrl+a all shown · enter read these logs · esc leave", classes="note")

    def on_mount(self) -> None:
        self.query_one("#pick").border_title = "Logs of which containers?"
        self._fill("")
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._finish()

    def _fill(self, query: str) -> None:
        rows = self._find(query)
        self._rows = rows[:MOST_ROWS]
        choices = self.query_one(SelectionList)
        self._filling = True
        choices.clear_options()
        choices.add_options(Selection(_row(row), row.id, row.id in self._chosen) for row in self._rows)
        self._filling = False
        hidden = f" · {len(rows) - MOST_ROWS} more: type to find them" if len(rows) > MOST_ROWS else ""
        self.query_one("#pick").border_subtitle = f"{len(self._chosen)} chosen of {len(rows)}{hidden}"

    @on(SelectionList.SelectedChanged)
    def _selected(self) -> None:
        if self._filling:
            return
        shown = {row.id for row in self._rows}
        self._chosen = (self._chosen - shown) | set(self.query_one(SelectionList[str]).selected)
        self.query_one("#pick").border_subtitle = f"{len(self._chosen)} chosen"

    def on_key(self, event: Key) -> None:
        """Enter in the list takes what is chosen, or else the row under the cursor."""
        if event.key == "enter" and isinstance(self.focused, SelectionList):
            event.stop()
            event.prevent_default()
            self._finish()

    def action_to_list(self) -> None:
        self.query_one(SelectionList).focus()

    def action_all(self) -> None:
        """Chooses all rows that are listed; if they are chosen already, none of them."""
        choices = self.query_one(SelectionList[str])
        if len(choices.selected) == len(self._rows):
            choices.deselect_all()
        else:
            choices.select_all()

    def _finish(self) -> None:
        chosen = self._chosen
        highlighted = self.query_one(SelectionList).highlighted
        if not chosen and self._rows:
            chosen = {self._rows[highlighted or 0].id}
        names = {row.id: row.name for row in self._find("") if row.id in chosen}
        self.dismiss(names)


def _row(row: Container) -> Text:
    mark = ("● ", "green") if row.running else ("○ ", "dim")
    project = (f"  {row.project}", "dim italic") if row.project else ""
    return Text.assemble(mark, row.name, (f"  {row.image}", "dim"), project, no_wrap=True, overflow="ellipsis")
