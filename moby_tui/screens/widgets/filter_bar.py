"""The line in which a filter is typed; it shows only while it is used."""

from __future__ import annotations

from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from moby_tui.screens.actions.searches import Searches


class KeepsSearches:
    """A mixin of screens whose lines have saved texts."""

    searches: Searches


class FilterBar(Horizontal):
    """Enter keeps the filter and leaves the line; escape drops it, then and later (the page's own escape calls ``drop``).

    ``kind`` is the kind of the texts that can be saved in it, and gone through by up and down; without it none can.
    """

    DEFAULT_CSS = """
    FilterBar { height: 1; display: none; background: $boost; }
    FilterBar.-open { display: block; }
    FilterBar .label { width: auto; padding: 0 1; color: $accent; text-style: bold; }
    FilterBar Input { width: 1fr; }
    FilterBar .count { width: auto; padding: 0 1; color: $text-muted; }
    """
    BINDINGS = [  # noqa: RUF012
        Binding("escape", "drop", "Clear filter", id="filter.drop", tooltip="End the search or the filter"),
        Binding(
            "ctrl+s,f2", "save", "Save", id="filter.save", show=False, tooltip="Save what is typed, or forget it if it is saved"
        ),
        Binding(
            "up", "turn(1)", "Saved before", id="filter.older", show=False, tooltip="What is saved, then what was typed before"
        ),
        Binding("down", "turn(-1)", "Saved after", id="filter.newer", show=False, tooltip="Back to what was typed"),
    ]

    class Changed(Message):
        """The text has changed; empty when it was dropped."""

        def __init__(self, bar: FilterBar, value: str) -> None:
            super().__init__()
            self.bar, self.value = bar, value

        @property
        def control(self) -> FilterBar:
            return self.bar

    class Left(Message):
        """Typing is over: the list may have the keys again. ``dropped``: by escape."""

        def __init__(self, bar: FilterBar, *, dropped: bool = False) -> None:
            super().__init__()
            self.bar, self.dropped = bar, dropped

        @property
        def control(self) -> FilterBar:
            return self.bar

    def __init__(self, label: str, placeholder: str, *, id: str, kind: str = "") -> None:
        super().__init__(id=id)
        self._label, self._placeholder, self._kind = label, placeholder, kind
        #: which of the offered texts is in the line, from 1 on; 0: what was typed
        self._turned = 0
        self._typed = self._offered = ""
        self._note = ""

    @property
    def _line(self) -> Input:
        """The line, which is made when it is first used."""
        if not self.children:
            line = Input(placeholder=self._placeholder, compact=True)
            self.mount(
                Static(self._label, classes="label", markup=False), line, Static(self._note, classes="count", markup=False)
            )
        return self.query_one(Input)

    def open(self) -> None:
        self.add_class("-open")
        line = self._line
        if self._searches and self._searches.offered(self._kind):
            line.placeholder = f"↑ saved · {self._placeholder}"
        line.focus()

    def ask(self, label: str, placeholder: str, value: str) -> None:
        """Opens the line for something else: with another label, and this text to begin with."""
        line = self._line
        self.query_one(".label", Static).update(label)
        line.placeholder, line.value = placeholder, value
        self.open()

    @property
    def value(self) -> str:
        """What is typed."""
        return self._line.value.strip() if self.children else ""

    def fill(self, value: str) -> None:
        """Sets the filter without the keys; an empty one ends it."""
        self.set_class(bool(value), "-open")
        if value or self.children:
            self._line.value = value

    def count(self, note: str) -> None:
        """Says beside the text what it found."""
        if note != self._note:
            self._note = note
            for count in self.query(".count").results(Static):
                count.update(note)

    @property
    def filled(self) -> bool:
        """True while there is a filter."""
        return self.has_class("-open")

    def drop(self) -> None:
        """Ends the filter."""
        if self.children:
            self._line.clear()
        self.remove_class("-open")
        self.post_message(self.Changed(self, ""))

    def action_drop(self) -> None:
        self._turned = 0
        self.drop()
        self.post_message(self.Left(self, dropped=True))

    # Saved texts

    @property
    def _searches(self) -> Searches | None:
        return self.screen.searches if self._kind and isinstance(self.screen, KeepsSearches) else None

    def action_save(self) -> None:
        """Saves what is typed; if it is saved, forgets it."""
        if (searches := self._searches) is None or not self.value:
            return
        saved = searches.turn(self._kind, self.value)
        self._show_saved()
        self.notify("saved: up in this line has it" if saved else "forgotten", timeout=3)

    def action_turn(self, step: int) -> None:
        """Puts the next of the offered texts into the line, or back what was typed."""
        if (searches := self._searches) is None:
            return
        line = self._line
        if self._turned == 0 or line.value != self._offered:
            self._turned, self._typed = 0, line.value
        offered = [one for one in searches.offered(self._kind) if one != self._typed]
        self._turned = min(max(self._turned + step, 0), len(offered))
        self._offered = offered[self._turned - 1] if self._turned else self._typed
        line.value = self._offered
        line.cursor_position = len(line.value)

    def _show_saved(self) -> None:
        """A star beside what is saved."""
        if searches := self._searches:
            star = " ★" if searches.is_saved(self._kind, self.value) else ""
            self.query_one(".label", Static).update(f"{self._label}{star}")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show_saved()
        self.post_message(self.Changed(self, event.value.strip()))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._turned = 0
        if (searches := self._searches) and event.value.strip():
            searches.use(self._kind, event.value.strip())
        if not event.value.strip():
            self.remove_class("-open")
        self.post_message(self.Left(self))
