"""All that the engine knows of an object as text, JSON or YAML, to read, search, select and copy."""

from __future__ import annotations

import json
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.document._document import Document
from textual.widgets import Input, TextArea

from moby_tui.screens import text
from moby_tui.screens.dialogs.key_names import key_of
from moby_tui.screens.dialogs.shown import Shown


def as_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def as_yaml(value: object) -> str:
    import yaml  # for those who ask for it alone

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000))


class Source(Shown[None]):
    """Shows it as JSON first; ``y`` changes to YAML and back."""

    BINDINGS = [  # noqa: RUF012
        Binding("escape,q,J", "leave", "Close", id="source.close", key_display="esc"),
        Binding("y", "turn", "JSON, YAML", id="source.turn"),
        Binding("slash", "search", "Search", id="source.search", key_display="/"),
        Binding("n", "find(1)", "Next", id="source.next"),
        Binding("N", "find(-1)", "Previous", id="source.previous"),
        Binding("c", "copy", "Copy", id="source.copy"),
    ]

    def __init__(self, title: str, value: dict[str, Any]) -> None:
        super().__init__()
        self._title, self._value, self._yaml, self._word = title, value, False, ""

    def compose(self) -> ComposeResult:
        with Vertical(id="source"):
            yield TextArea(read_only=True, show_line_numbers=True, soft_wrap=False, id="source-text")
            yield Input(placeholder="find", compact=True, id="source-word")

    def on_mount(self) -> None:
        self.query_one("#source").border_title = Content(self._title)
        self.query_one("#source").border_subtitle = Content(self._keys())
        self.query_one(Input).display = False
        self._fill()
        self.query_one(TextArea).focus()

    def _keys(self) -> str:
        """What the keys do, in one line."""
        turn, find, following, before, copy, close = (
            key_of(self, f"source.{name}") for name in ("turn", "search", "next", "previous", "copy", "close")
        )
        return f"{turn} JSON/YAML · {find} find · {following} {before} · {copy} copy · {close}"

    def _fill(self) -> None:
        """Each line is cleaned: an escape sequence in a label is none on the screen."""
        whole = as_yaml(self._value) if self._yaml else as_json(self._value)
        self.query_one(TextArea).load_text("\n".join(map(text.clean, whole.split("\n"))))

    def action_leave(self) -> None:
        bar = self.query_one(Input)
        if bar.display:
            self._close_bar()
        else:
            self.dismiss()

    def action_turn(self) -> None:
        self._yaml = not self._yaml
        self._fill()

    def action_search(self) -> None:
        bar = self.query_one(Input)
        bar.display = True
        bar.focus()

    def _close_bar(self) -> None:
        self.query_one(Input).display = False
        self.query_one(TextArea).focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self._word = event.value
        self._close_bar()
        self.action_find(1)

    def action_find(self, step: int) -> None:
        """Selects the next place, round the end too."""
        area = self.query_one(TextArea)
        whole, word = area.text.lower(), self._word.lower()
        document = area.document
        if not word or not isinstance(document, Document):
            return
        start, end = (document.get_index_from_location(at) for at in sorted((area.selection.start, area.selection.end)))
        if step > 0:
            at = whole.find(word, end)
            at = whole.find(word) if at < 0 else at
        else:
            at = whole.rfind(word, 0, start)
            at = whole.rfind(word) if at < 0 else at
        if at < 0:
            self.notify(f"{text.clean(self._word)} is not in it", severity="warning", markup=False)
            return
        places = document.get_location_from_index
        area.selection = type(area.selection)(places(at), places(at + len(word)))
        area.scroll_cursor_visible(center=True)

    def action_copy(self) -> None:
        """Copies what is selected, else all of it."""
        area = self.query_one(TextArea)
        copied = area.selected_text or area.text
        self.app.copy_to_clipboard(copied)
        self.notify(f"{len(copied.splitlines())} lines", title="Copied", markup=False)
