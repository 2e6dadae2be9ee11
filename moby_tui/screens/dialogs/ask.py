"""Asks for a few words before something is done: a command, a name, a path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.suggester import Suggester, SuggestFromList
from textual.widgets import Button, Checkbox, Input, Static

from moby_tui.screens.dialogs.paths import PathSuggester

#: What was answered, by the ids of the fields; of a switch ``yes`` or nothing.
Answers = dict[str, str]
YES = "yes"


@dataclass(frozen=True, slots=True)
class Field:
    """One line to fill in, or with ``switch`` a question of yes or no. ``choices`` are offered by up, down and completion.

    ``path``: files and folders of this machine are completed.
    """

    id: str
    label: str
    value: str = ""
    hint: str = ""
    choices: Sequence[str] = ()
    switch: bool = False
    path: bool = False


class Line(Input):
    """A line whose choices up and down go through."""

    def __init__(self, field: Field) -> None:
        suggester: Suggester | None = PathSuggester() if field.path else None
        if field.choices:
            suggester = SuggestFromList(field.choices, case_sensitive=True)
        super().__init__(field.value, placeholder=field.hint, suggester=suggester, compact=True, id=f"field-{field.id}")
        self._choices = list(field.choices)

    def on_key(self, event: events.Key) -> None:
        if event.key not in ("up", "down") or not self._choices:
            return
        event.stop()
        event.prevent_default()
        step = 1 if event.key == "down" else -1
        here = self._choices.index(self.value) if self.value in self._choices else -1 if step == 1 else 0
        self.value = self._choices[(here + step) % len(self._choices)]
        self.cursor_position = len(self.value)


class Ask(ModalScreen[Answers]):
    """Gives the answers, or None if the person leaves it. Enter in any line is the verb's button.

    ``check`` says in one line what is wrong with the answers, or nothing. ``line`` is the command line that does the same; it is shown
    below the fields as they are filled in.
    """

    BINDINGS = [("escape", "dismiss(None)", "Leave")]  # noqa: RUF012

    def __init__(
        self,
        title: str,
        explanation: str,
        fields: Sequence[Field],
        verb: str,
        check: Callable[[Answers], str] = lambda answers: "",
        line: Callable[[Answers], str] | None = None,
    ) -> None:
        super().__init__()
        self._title, self._explanation, self._verb = title, explanation, verb
        self._fields = fields
        self._check = check
        self._command = line

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="ask"):
            yield Static(self._explanation, classes="note", markup=False)
            for field in self._fields:
                if field.switch:
                    yield Checkbox(field.label, value=bool(field.value), compact=True, id=f"field-{field.id}")
                    continue
                with Vertical(classes="field"):
                    yield Static(f"{field.label}{'  ↑↓ choices' if field.choices else ''}", classes="label", markup=False)
                    yield Line(field)
            if self._command:
                yield Static("", id="ask-line", markup=False)
            yield Static("", id="ask-wrong", markup=False)
            with Horizontal(id="answers"):
                yield Button("Leave (esc)", id="leave", compact=True)
                yield Button(f"{self._verb} (enter)", id="go", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one("#ask").border_title = self._title
        self.query("Input, Checkbox").first().focus()
        self._show_line()

    @property
    def answers(self) -> Answers:
        """What the fields say now."""
        found: Answers = {}
        for field in self._fields:
            if field.switch:
                found[field.id] = YES if self.query_one(f"#field-{field.id}", Checkbox).value else ""
            else:
                found[field.id] = self.query_one(f"#field-{field.id}", Input).value.strip()
        return found

    @on(Input.Changed)
    @on(Checkbox.Changed)
    def _show_line(self) -> None:
        if self._command:
            self.query_one("#ask-line", Static).update(self._command(self.answers))

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._finish()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "go":
            self._finish()
        else:
            self.dismiss(None)

    def _finish(self) -> None:
        answers = self.answers
        if wrong := self._check(answers):
            self.query_one("#ask-wrong", Static).update(wrong)
            return
        self.dismiss(answers)
