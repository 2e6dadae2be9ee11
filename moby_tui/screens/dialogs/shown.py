"""What dialogs share that only show something, or let one choose: nothing is lost by leaving them."""

from __future__ import annotations

from typing import TypeVar

from textual.events import Click
from textual.screen import ModalScreen

T = TypeVar("T")


class Shown(ModalScreen[T]):
    """A click beside it leaves it, as escape does."""

    def on_click(self, event: Click) -> None:
        """Closes the dialog at a click beside it, which goes to the screen itself."""
        if event.widget is self:
            self.dismiss(None)
