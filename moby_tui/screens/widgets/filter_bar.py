"""The line in which a filter is typed; it shows only while it is used."""

from __future__ import annotations

from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static


class FilterBar(Horizontal):
    """Enter keeps the filter and leaves the line; escape drops it, then and later (the page's own escape calls ``drop``)."""

    DEFAULT_CSS = """
    FilterBar { height: 1; display: none; background: $boost; }
    FilterBar.-open { display: block; }
    FilterBar .label { width: auto; padding: 0 1; color: $accent; text-style: bold; }
    FilterBar Input { width: 1fr; }
    FilterBar .count { width: auto; padding: 0 1; color: $text-muted; }
    """
    BINDINGS = [Binding("escape", "drop", "Clear filter", id="filter.drop")]  # noqa: RUF012

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

    def __init__(self, label: str, placeholder: str, *, id: str) -> None:
        super().__init__(id=id)
        self._label, self._placeholder = label, placeholder
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
        self._line.focus()

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
        self.drop()
        self.post_message(self.Left(self, dropped=True))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(self, event.value.strip()))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value.strip():
            self.remove_class("-open")
        self.post_message(self.Left(self))
