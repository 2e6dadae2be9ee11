"""Asks for a few words before something is done: a command, a name, a path."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from moby_tui.screens.dialogs.form import SCROLLS, Answers, Field, Form


class Ask(Form):
    """The answers have no blanks at their ends.

    ``check`` says in one line what is wrong with the answers, or nothing. ``line`` is the command line that does the same; it is shown
    below the fields as they are filled in.
    """

    def __init__(
        self,
        title: str,
        explanation: str,
        fields: Sequence[Field],
        verb: str,
        check: Callable[[Answers], str] = lambda answers: "",
        line: Callable[[Answers], str] | None = None,
    ) -> None:
        super().__init__(title, verb, fields)
        self._explanation = explanation
        self._check = check
        self._command = line

    def compose(self) -> ComposeResult:
        with Vertical(id="ask"):
            with VerticalScroll(id="ask-fields", classes=SCROLLS, can_focus=False):
                yield Static(self._explanation, classes="note", markup=False)
                for field in self._fields:
                    if field.switch:
                        yield self.entry(field, field.label)
                        continue
                    with Vertical(classes="field"):
                        yield Static(f"{field.label}{'  ↑↓ choices' if field.choices else ''}", classes="label", markup=False)
                        yield self.entry(field)
            if self._command:
                yield Static("", id="ask-line", markup=False)
            yield Static("", id="ask-wrong", markup=False)
            with Horizontal(id="answers"):
                yield from self.buttons()

    def on_mount(self) -> None:
        self.query_one("#ask").border_title = Content(self._title)
        self.query("Input, Checkbox").first().focus()
        self.changed()

    @property
    def answers(self) -> Answers:
        return {key: answer.strip() for key, answer in super().answers.items()}

    def changed(self) -> None:
        if self._command:
            self.query_one("#ask-line", Static).update(self._command(self.answers))

    def check(self) -> bool:
        wrong = self._check(self.answers)
        if wrong:
            self.query_one("#ask-wrong", Static).update(wrong)
        return not wrong
