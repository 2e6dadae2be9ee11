"""Picks one of a list, or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, SelectionList
from textual.widgets.option_list import Option
from textual.widgets.selection_list import Selection


class Picker(ModalScreen[str | None]):
    """``options`` are (id, title). The answer is an id, or None. ``show`` is called with the id under the cursor."""

    BINDINGS = [  # noqa: RUF012
        Binding("escape,q", "dismiss", "Close", id="picker.close", key_display="esc"),
        Binding("j", "down", "Down", show=False),
        Binding("k", "up", "Up", show=False),
    ]

    def __init__(
        self, title: str, options: Sequence[tuple[str, str]], chosen: str = "", show: Callable[[str], None] | None = None
    ) -> None:
        super().__init__()
        self._title, self._options, self._chosen, self._show = title, options, chosen, show

    def compose(self) -> ComposeResult:
        with Vertical(id="picker"):
            yield OptionList(*(Option(Text(title, no_wrap=True), id=identifier) for identifier, title in self._options))

    def on_mount(self) -> None:
        self.query_one("#picker").border_title = self._title
        options = self.query_one(OptionList)
        options.focus()
        keys = [identifier for identifier, _ in self._options]
        options.highlighted = keys.index(self._chosen) if self._chosen in keys else 0 if keys else None

    def action_down(self) -> None:
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        self.query_one(OptionList).action_cursor_up()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if self._show and event.option_id:
            self._show(event.option_id)

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)


class Chooser(ModalScreen[tuple[str, ...] | None]):
    """Chooses several. ``options`` are (id, title, chosen). The answer is the ids that are chosen, or None for no change."""

    BINDINGS = [  # noqa: RUF012
        Binding("enter", "take", "Take", id="chooser.take", priority=True),
        Binding("escape,q", "dismiss", "Close", id="chooser.close", key_display="esc"),
    ]

    def __init__(self, title: str, options: Sequence[tuple[str, str, bool]]) -> None:
        super().__init__()
        self._title, self._options = title, options

    def compose(self) -> ComposeResult:
        with Vertical(id="picker"):
            yield SelectionList[str](
                *(Selection(Text(title, no_wrap=True), identifier, chosen) for identifier, title, chosen in self._options)
            )

    def on_mount(self) -> None:
        picker = self.query_one("#picker")
        picker.border_title = self._title
        picker.border_subtitle = "space chooses · enter takes it · esc"
        self.query_one(SelectionList).focus()

    def action_take(self) -> None:
        chosen: SelectionList[str] = self.query_one(SelectionList)
        self.dismiss(tuple(identifier for identifier, _, _ in self._options if identifier in chosen.selected))
