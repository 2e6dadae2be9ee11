"""A letter on each part and row that is seen; the letter goes there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.geometry import Offset
from textual.screen import ModalScreen
from textual.widgets import Static

LETTERS = "asdfghjklqwertyuiopzxcvbnm"


@dataclass(frozen=True, slots=True)
class Target:
    """``at`` is a place on the screen; ``go`` is called when it is chosen."""

    at: Offset
    go: Callable[[], object]


def labels(count: int) -> list[str]:
    """One letter each, or two if there are more than letters; as many as there are pairs."""
    if count <= len(LETTERS):
        return list(LETTERS[:count])
    return [first + second for first in LETTERS for second in LETTERS][:count]


class Jump(ModalScreen[Target | None]):
    """The answer is what was chosen, or None."""

    DEFAULT_CSS = """
    Jump { background: transparent; }
    Jump Static { position: absolute; width: auto; height: 1; background: $accent; color: $background; text-style: bold; }
    Jump Static.-other { display: none; }
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        super().__init__()
        self._targets = dict(zip(labels(len(targets)), targets, strict=False))
        self._typed = ""

    def compose(self) -> ComposeResult:
        for label, target in self._targets.items():
            mark = Static(label, markup=False)
            mark.styles.offset = target.at
            yield mark

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        self._typed += event.key
        if self._typed in self._targets:
            self.dismiss(self._targets[self._typed])
        elif not any(label.startswith(self._typed) for label in self._targets):
            self.dismiss(None)
        else:
            for label, mark in zip(self._targets, self.query(Static), strict=True):
                mark.set_class(not label.startswith(self._typed), "-other")
