"""The form of ``moby run`` and ``moby build``: one line for each field, and below them the command line that they make, as one types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from moby_tui.screens.dialogs.form import SCROLLS, Field, Form

#: From the fields' texts: the command line that they make, and what is wrong with it, or nothing.
Reading = Callable[[Mapping[str, str]], tuple[str, str]]


class CommandForm(Form):
    """The command line, and what is wrong with it, are shown as the fields are filled in."""

    def __init__(self, title: str, verb: str, fields: Sequence[Field], read: Reading) -> None:
        super().__init__(title, verb, fields)
        self._read = read

    def compose(self) -> ComposeResult:
        with Vertical(id="run-form"):
            with VerticalScroll(id="run-fields", classes=SCROLLS, can_focus=False):
                for field in self._fields:
                    with Horizontal(classes="field"):
                        yield Static(field.label, classes="label", markup=False)
                        yield self.entry(field)
            yield Static("", id="run-line", markup=False)
            yield Static("", id="run-wrong", markup=False)
            with Horizontal(id="answers"):
                yield Static("tab next · → completes · ↑↓ choices", id="run-keys", markup=False)
                yield from self.buttons()

    def on_mount(self) -> None:
        self.query_one("#run-form").border_title = Content(self._title)
        self.query(Input).first().focus()
        self.changed()

    def changed(self) -> None:
        self.check()

    def check(self) -> bool:
        line, wrong = self._read(self.answers)
        self.query_one("#run-line", Static).update(line)
        below = self.query_one("#run-wrong", Static)
        below.update(wrong)
        below.display = bool(wrong)
        return not wrong
