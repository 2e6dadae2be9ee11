"""Picks one of a list, or several, of a list that words may narrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, OptionList, SelectionList, Static
from textual.widgets.option_list import Option
from textual.widgets.selection_list import Selection

from moby_tui.screens.dialogs.key_names import key_of
from moby_tui.screens.dialogs.shown import Shown
from moby_tui.screens.dialogs.ticks import Ticks

#: More rows are not listed by a chooser: words find the others.
MOST_ROWS = 500


class Picker(Shown[str | None]):
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
            yield OptionList(*(Option(_line(title), id=identifier) for identifier, title in self._options))

    def on_mount(self) -> None:
        self.query_one("#picker").border_title = Content(self._title)
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


class Chooser(Shown[tuple[str, ...] | None]):
    """Chooses several. The answer is the ids that are chosen, in the order of the list, or None for no change.

    ``find`` gives the rows (id, title) that match words; for none it gives all. With a ``hint`` a line above the list takes such words,
    and enter with nothing chosen takes the row under the cursor.
    """

    BINDINGS = [  # noqa: RUF012
        Binding("enter", "take", "Take", id="chooser.take", priority=True, key_display="enter"),
        Binding("escape", "dismiss", "Close", id="chooser.close", key_display="esc"),
        Binding("down", "to_list", "List", show=False),
        Binding("ctrl+a", "all", "All shown", id="chooser.all", show=False, priority=True, key_display="ctrl+a"),
    ]

    def __init__(
        self,
        title: str,
        find: Callable[[str], Sequence[tuple[str, str | Text]]],
        chosen: Iterable[str] = (),
        *,
        hint: str = "",
    ) -> None:
        super().__init__()
        self._title, self._find, self._hint = title, find, hint
        self._chosen = set(chosen)
        self._rows: Sequence[tuple[str, str | Text]] = ()
        self._filling = False

    def compose(self) -> ComposeResult:
        with Vertical(id="picker", classes="-narrowed" if self._hint else ""):
            if self._hint:
                yield Input(placeholder=self._hint, compact=True)
            yield Ticks(compact=True)
            with Horizontal(id="answers"):
                keys = f"space chooses · {key_of(self, 'chooser.all')} all shown · {key_of(self, 'chooser.close')} leaves"
                yield Static(keys, classes="note", markup=False)
                yield Button(f"Take ({key_of(self, 'chooser.take')})", id="take", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one("#picker").border_title = Content(self._title)
        self._fill("")
        (self.query_one(Input) if self._hint else self.query_one(Ticks)).focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def _fill(self, query: str) -> None:
        matches = self._find(query)
        self._rows = matches[:MOST_ROWS]
        choices = self.query_one(Ticks)
        self._filling = True
        choices.clear_options()
        choices.add_options(Selection(_line(title), identifier, identifier in self._chosen) for identifier, title in self._rows)
        choices.highlighted = 0 if self._rows else None
        self._filling = False
        hidden = f" · {len(matches) - MOST_ROWS} more: type to find them" if len(matches) > MOST_ROWS else ""
        self.query_one("#picker").border_subtitle = f"{len(self._chosen)} chosen of {len(matches)}{hidden}"

    @on(SelectionList.SelectedChanged)
    def _selected(self) -> None:
        if self._filling:
            return
        shown = {identifier for identifier, _ in self._rows}
        self._chosen = (self._chosen - shown) | set(self.query_one(Ticks).selected)
        self.query_one("#picker").border_subtitle = f"{len(self._chosen)} chosen"

    def action_to_list(self) -> None:
        self.query_one(Ticks).focus()

    def action_all(self) -> None:
        """Chooses all rows that are listed; if they are chosen already, none of them."""
        choices = self.query_one(Ticks)
        if len(choices.selected) == len(self._rows):
            choices.deselect_all()
        else:
            choices.select_all()

    @on(Button.Pressed)
    def _pressed(self) -> None:
        self.action_take()

    def action_take(self) -> None:
        chosen = self._chosen
        if self._hint and not chosen and self._rows:
            chosen = {self._rows[self.query_one(Ticks).highlighted or 0][0]}
        self.dismiss(tuple(identifier for identifier, _ in self._find("") if identifier in chosen))


def _line(title: str | Text) -> Text:
    return title if isinstance(title, Text) else Text(title, no_wrap=True)
