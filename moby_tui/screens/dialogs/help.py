"""The keys of the page that one came from."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from moby_tui.screens.dialogs.key_names import key_of
from moby_tui.screens.dialogs.shown import Shown

_ALWAYS = "tab next part · the mouse works · shift+drag selects in most terminals · keys are changed in {path}"
_IN_BROWSER = (
    "tab next part · the mouse works · keys that the browser keeps for itself (ctrl+w, ctrl+t, ctrl+n) do not come here: all that keys do "
    "is in the prompt (:) and the palette, and keys are changed in {path} on the machine of the server · an editor and commands of one's "
    "own that need the terminal are refused · q ends this dashboard, ctrl+c in the server's terminal all of them"
)

#: A heading, and rows of keys, title, explanation and id.
Section = tuple[str, Sequence[tuple[str, str, str, str]]]


#: On a screen of fewer columns the id stands below the explanation.
NARROW = 100


class Help(Shown[None]):
    """Lists the keys, made of the declarations of the actions. ``path`` is the file in which keys are changed.

    ``in_browser``: what is said below them is of ``moby tui --web``.
    """

    BINDINGS = [Binding("escape,q,question_mark,f1", "dismiss", "Close", id="help.close", key_display="esc")]  # noqa: RUF012

    def __init__(self, sections: Sequence[Section], path: str, *, in_browser: bool = False) -> None:
        super().__init__()
        self._sections = sections
        self._note = (_IN_BROWSER if in_browser else _ALWAYS).format(path=path)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            for title, rows in self._sections:
                yield Static(Text(title), classes="heading")
                yield Static(_table(rows, narrow=self.app.size.width < NARROW))
            yield Static(Text(self._note), classes="note")

    def on_mount(self) -> None:
        self.query_one("#help").border_title = "Keys"
        self.query_one("#help").border_subtitle = Content(f"{key_of(self, 'help.close')} closes")


def _table(rows: Sequence[tuple[str, str, str, str]], *, narrow: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True, width=10)
    table.add_column(no_wrap=True, width=17)
    table.add_column(ratio=1)
    if not narrow:
        table.add_column(no_wrap=True)
    for keys, name, tooltip, identifier in rows:
        about, known = Text(tooltip, "dim"), Text(identifier, "dim italic")
        cells = (Text("\n").join([about, known]),) if narrow else (about, known)
        table.add_row(Text(keys, "bold"), Text(name), *cells)
    return table
