"""What dialogs share that only show something, or let one choose: nothing is lost by leaving them."""

from __future__ import annotations

from typing import TypeVar

from textual.events import Click
from textual.screen import ModalScreen

T = TypeVar("T")


class Shown(ModalScreen[T]):
    """A click beside it leaves it, as escape does."""

    def on_click(self, event: Click) -> None:
        """The screen itself is what lies around the dialog."""
        if event.widget is self:
            self.dismiss(None)
