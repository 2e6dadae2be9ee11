"""The line in which a command is typed, at the bottom of the page, with what it may become above it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from moby_tui.screens.actions.vocabulary import History, Vocabulary
from moby_tui.screens.dialogs.key_names import key_of

#: Completions listed.
LISTED = 8


class _Line(Input):
    """Up and down look back, tab completes."""

    def on_key(self, event: events.Key) -> None:
        prompt = self.screen
        if isinstance(prompt, Prompt) and event.key in ("up", "down", "tab", "shift+tab"):
            event.stop()
            event.prevent_default()
            prompt.step(event.key)


def _common(lines: Sequence[str]) -> str:
    """What all lines begin with."""
    first, last = min(lines), max(lines)
    return first[: next((place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))]


class Prompt(ModalScreen[str | None]):
    """The answer is the line, or None. Lines that begin with ``value`` may be completed at once."""

    BINDINGS = [Binding("escape", "dismiss", "Leave", id="prompt.leave", key_display="esc")]  # noqa: RUF012

    def __init__(self, vocabulary: Vocabulary, history: History, value: str = "") -> None:
        super().__init__()
        self._vocabulary, self._history, self._value = vocabulary, history, value
        self._lines: list[str] = []
        #: The completion that tab has put in, and what was typed before.
        self._turn = -1
        self._typed = value

    def compose(self) -> ComposeResult:
        with Vertical(id="prompt"):
            yield Static(id="completions")
            with Horizontal():
                yield Static(":", id="colon")
                keys = f"command · tab completes · up looks back · {key_of(self, 'prompt.leave')}"
                yield _Line(self._value, compact=True, placeholder=keys)

    def on_mount(self) -> None:
        line = self.query_one(_Line)
        line.focus()
        line.cursor_position = len(self._value)
        self._complete()

    def step(self, key: str) -> None:
        line = self.query_one(_Line)
        if key in ("up", "down"):
            self._turn = -1
            line.value = self._history.older(line.value) if key == "up" else self._history.newer(line.value)
        elif self._lines:
            self._next(line, 1 if key == "tab" else -1)
        line.cursor_position = len(line.value)

    def _next(self, line: Input, step: int) -> None:
        """What all completions have in common, then one after the other."""
        common = _common(self._lines)
        if self._turn < 0 and len(common) > len(self._typed):
            line.value = common if len(self._lines) > 1 else common + " "
            return
        self._turn = (self._turn + step) % len(self._lines)
        with line.prevent(Input.Changed):
            line.value = self._lines[self._turn]
        self._draw()

    @on(Input.Changed)
    def _changed(self) -> None:
        self._turn = -1
        self._complete()

    def _complete(self) -> None:
        self._typed = self.query_one(_Line).value
        self._lines = self._vocabulary.complete(self._typed)
        self._draw()

    def _draw(self) -> None:
        about = {command.words: command.about for command in self._vocabulary}
        first = max(self._turn - LISTED + 1, 0)
        shown = Text(no_wrap=True, overflow="ellipsis")
        for place, line in enumerate(self._lines[first : first + LISTED], first):
            shown.append(f"{'▸' if place == self._turn else ' '} {line}", "bold" if place == self._turn else "")
            shown.append(f"   {about.get(line, '')}\n", "dim")
        if (more := len(self._lines) - first - LISTED) > 0:
            shown.append(f"  … {more} more", "dim")
        self.query_one("#completions", Static).update(shown)

    @on(Input.Submitted)
    def _sent(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)
