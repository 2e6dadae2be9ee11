"""What dialogs with fields share: one line or switch for each field, and the ways to end them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textual import events, on
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.suggester import Suggester, SuggestFromList
from textual.widget import Widget
from textual.widgets import Button, Checkbox, Input

from moby_tui.screens.dialogs.fitting import fit
from moby_tui.screens.dialogs.key_names import key_of
from moby_tui.screens.dialogs.paths import PathSuggester
from moby_tui.screens.dialogs.ticks import Tick

#: What was answered, by the ids of the fields; of a switch ``yes`` or nothing.
Answers = dict[str, str]
YES = "yes"
#: The class of the part of a form that scrolls.
SCROLLS = "-fields"


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


class Form(ModalScreen[Answers]):
    """Gives the answers, or None if the person leaves it. Enter in any line is the verb's button. What is wrong keeps the form open.

    A subclass composes ``entry`` of each field, in a part of the class ``SCROLLS``, and the ``buttons``.
    """

    BINDINGS = [Binding("escape", "dismiss(None)", "Leave", id="form.leave", key_display="esc")]  # noqa: RUF012

    def __init__(self, title: str, verb: str, fields: Sequence[Field]) -> None:
        super().__init__()
        self._title, self._verb, self._fields = title, verb, fields

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """The fields scroll where there is little room; what is said below them, and the buttons, are always on the screen."""
        parts = self.query(f".{SCROLLS}")
        if parts:
            part = parts.first()
            assert isinstance(part.parent, Widget)
            fit(part.parent, part)
            if self.focused:
                self.focused.scroll_visible(animate=False)

    def entry(self, field: Field, label: str = "") -> Tick | Line:
        """The widget that a field is filled in with. ``label`` is shown beside a switch."""
        if field.switch:
            return Tick(label, value=bool(field.value), compact=True, id=f"field-{field.id}")
        return Line(field)

    def buttons(self) -> Iterable[Button]:
        """The two ways to end the form."""
        yield Button(f"Leave ({key_of(self, 'form.leave')})", id="leave", compact=True)
        yield Button(f"{self._verb} (enter)", id="go", variant="primary", compact=True)

    def changed(self) -> None:
        """Called after each change of a field."""

    def check(self) -> bool:
        """Shows what is wrong with the answers. True if nothing is."""
        raise NotImplementedError

    @property
    def answers(self) -> Answers:
        """What the fields say now."""
        return {field.id: self._answer(field) for field in self._fields}

    def _answer(self, field: Field) -> str:
        if field.switch:
            return YES if self.query_one(f"#field-{field.id}", Checkbox).value else ""
        return self.query_one(f"#field-{field.id}", Input).value

    @on(Input.Changed)
    @on(Checkbox.Changed)
    def _changed(self) -> None:
        self.changed()
        self.call_after_refresh(self._fit)

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
        if self.check():
            self.dismiss(self.answers)
        else:
            self.call_after_refresh(self._fit)
