"""The form of ``moby run`` and ``moby build``: one line for each field, and below them the command line that they make, as one types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Checkbox, Input, Static

from moby_tui.screens.dialogs.ask import YES, Field, Line

#: From the fields' texts: the command line that they make, and what is wrong with it, or nothing.
Reading = Callable[[Mapping[str, str]], tuple[str, str]]


class CommandForm(ModalScreen[dict[str, str]]):
    """Gives the fields' texts, or None if the person leaves it. What is wrong keeps the form open."""

    BINDINGS = [("escape", "dismiss(None)", "Leave")]  # noqa: RUF012

    def __init__(self, title: str, verb: str, fields: Sequence[Field], read: Reading) -> None:
        super().__init__()
        self._title, self._verb, self._fields, self._read = title, verb, fields, read

    def compose(self) -> ComposeResult:
        with Vertical(id="run-form"):
            with VerticalScroll(id="run-fields", can_focus=False):
                for field in self._fields:
                    with Horizontal(classes="field"):
                        yield Static(field.label, classes="label", markup=False)
                        if field.switch:
                            yield Checkbox(value=bool(field.value), compact=True, id=f"field-{field.id}")
                        else:
                            yield Line(field)
            yield Static("", id="run-line", markup=False)
            yield Static("", id="run-wrong", markup=False)
            with Horizontal(id="answers"):
                yield Static("tab next · → completes · ↑↓ choices", id="run-keys", markup=False)
                yield Button("Leave (esc)", id="leave", compact=True)
                yield Button(f"{self._verb} (enter)", id="go", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one("#run-form").border_title = self._title
        self.query(Input).first().focus()
        self._tell()

    @property
    def written(self) -> dict[str, str]:
        return {field.id: self._value(field) for field in self._fields}

    def _value(self, field: Field) -> str:
        if field.switch:
            return YES if self.query_one(f"#field-{field.id}", Checkbox).value else ""
        return self.query_one(f"#field-{field.id}", Input).value

    @on(Input.Changed)
    @on(Checkbox.Changed)
    def _changed(self) -> None:
        self._tell()

    def _tell(self) -> str:
        line, wrong = self._read(self.written)
        self.query_one("#run-line", Static).update(line)
        told = self.query_one("#run-wrong", Static)
        told.update(wrong)
        told.display = bool(wrong)
        return wrong

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
        if not self._tell():
            self.dismiss(self.written)
