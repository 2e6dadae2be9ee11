"""Asks before something is lost, and tells what is not possible where the keys that follow would otherwise be taken for others."""

from __future__ import annotations

from typing import TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from moby_tui.screens.dialogs.fitting import fit
from moby_tui.screens.dialogs.key_names import key_of

T = TypeVar("T")


#: What moves the text of a dialog that is longer than the screen.
_SCROLLING = [
    Binding("up,k", "scroll(-1)", "Up", show=False),
    Binding("down,j", "scroll(1)", "Down", show=False),
    Binding("pageup", "scroll(-10)", "Page up", show=False),
    Binding("pagedown", "scroll(10)", "Page down", show=False),
]


class _Said(ModalScreen[T]):
    """A few lines, or many: what does not fit on the screen scrolls, and the buttons stay."""

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        if labels := self.query("#said"):
            fit(self.query_one("#dialog"), labels.first())

    def action_scroll(self, lines: int) -> None:
        self.query_one("#said").scroll_relative(y=lines, animate=False)


class Confirm(_Said[bool]):
    """Answers true only to the button or ``y``: the focus is on the safe choice, so a repeated key or enter loses nothing."""

    BINDINGS = [  # noqa: RUF012
        Binding("y", "answer(True)", "Yes", id="confirm.yes"),
        Binding("n,escape,q", "answer(False)", "No", id="confirm.no", key_display="n"),
        Binding("left,right,h,l", "app.focus_next", "Other choice", show=False),
        *_SCROLLING,
    ]

    def __init__(self, question: str, consequence: str, verb: str) -> None:
        super().__init__()
        self._question, self._consequence, self._verb = question, consequence, verb

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(self._question, id="question", markup=False)
            with VerticalScroll(id="said", can_focus=False):
                yield Static(self._consequence, id="consequence", markup=False)
            with Horizontal(id="answers"):
                yield Button("Keep", id="keep", variant="default", compact=True)
                yield Button(self._verb, id="go", variant="error", compact=True)

    def on_mount(self) -> None:
        for button, verb, binding in (("#keep", "Keep", "confirm.no"), ("#go", self._verb, "confirm.yes")):
            self.query_one(button, Button).label = f"{verb} ({key_of(self, binding)})"
        self.query_one("#keep", Button).focus()

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "go")


class Notice(_Said[None]):
    """Only its key (escape) or a click on its button closes it: what a person types on is lost here and does nothing."""

    BINDINGS = [Binding("escape", "dismiss", "Close", id="notice.close", key_display="esc"), *_SCROLLING]  # noqa: RUF012

    def __init__(self, title: str, explanation: str) -> None:
        super().__init__()
        self._title, self._explanation = title, explanation

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(self._title, id="question", markup=False)
            with VerticalScroll(id="said", can_focus=False):
                yield Static(self._explanation, id="consequence", markup=False)
            with Horizontal(id="answers"):
                close = Button("Close", id="close", compact=True)
                close.can_focus = False
                yield close

    def on_mount(self) -> None:
        self.query_one("#close", Button).label = f"Close ({key_of(self, 'notice.close')})"

    @on(Button.Pressed)
    def _pressed(self) -> None:
        self.dismiss()
