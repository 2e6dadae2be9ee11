"""Asks before much is lost: shows what goes and how many bytes come back, and wants a word typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from rich.table import Table
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from moby_tui.screens import text
from moby_tui.screens.dialogs.fitting import fit
from moby_tui.screens.dialogs.key_names import key_of

#: Lines of the list that are seen at once, at most.
MOST_ROWS = 12
#: Gives the bytes that come back with each of the rows, by its id; -1 and what is not there: unknown.
Sizes = Callable[[], Awaitable[Mapping[str, int]]]


class Preview(ModalScreen[bool]):
    """Answers true once ``word`` is typed and sent with enter. ``rows`` are (id, name). ``sizes`` may take long: it comes later."""

    BINDINGS = [Binding("escape", "answer(False)", "No", id="preview.no", key_display="esc")]  # noqa: RUF012

    def __init__(
        self,
        question: str,
        consequence: str,
        verb: str,
        rows: Sequence[tuple[str, str]],
        word: str,
        sizes: Sizes | None = None,
    ) -> None:
        super().__init__()
        self._question, self._consequence, self._verb = question, consequence, verb
        self._rows, self._word, self._sizes = rows, word, sizes
        self._known: Mapping[str, int] = {}

    def compose(self) -> ComposeResult:
        keep = key_of(self, "preview.no")
        with Vertical(id="dialog", classes="-wide"):
            yield Static(self._question, id="question", markup=False)
            with VerticalScroll(id="going", can_focus=False):
                yield Static(id="rows")
            yield Static("", id="total", markup=False)
            yield Static(self._consequence, id="consequence", markup=False)
            yield Static(f"Type {self._word} and press enter. {keep} keeps everything.", id="wanted", markup=False)
            yield Input(placeholder=self._word, id="word", compact=True)
            with Horizontal(id="answers"):
                yield Button(f"Keep ({keep})", id="keep", variant="default", compact=True)
                yield Button(self._verb, id="go", variant="error", compact=True, disabled=True)

    def on_mount(self) -> None:
        self.query_one("#word", Input).focus()
        self._draw()
        if self._sizes:
            self.query_one("#total", Static).update("computing what comes back …")
            self._measure(self._sizes)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """The line to type into is always on the screen."""
        dialog, rows = self.query("#dialog"), self.query("#going")
        if dialog and rows:
            fit(dialog.first(), rows.first(), MOST_ROWS)

    @work
    async def _measure(self, sizes: Sizes) -> None:
        try:
            self._known = await sizes()
        except Exception as error:
            self.query_one("#total", Static).update(f"what comes back is not known: {text.clean(str(error))}")
            return
        known = [size for identifier, _ in self._rows if (size := self._known.get(identifier, -1)) >= 0]
        unknown = len(self._rows) - len(known)
        note = f", and what {unknown} of them take" if unknown and known else ""
        self.query_one("#total", Static).update(
            f"comes back: {text.size(sum(known), step=1000)}{note}" if known else "what comes back is not known to this engine"
        )
        self._draw()

    def _draw(self) -> None:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column(justify="right", no_wrap=True)
        for identifier, name in self._rows:
            size = self._known.get(identifier, -1)
            table.add_row(Text(name), Text(text.size(size, step=1000) if size >= 0 else "", "dim"))
        self.query_one("#rows", Static).update(table)

    @on(Input.Changed, "#word")
    def _typed(self, event: Input.Changed) -> None:
        self.query_one("#go", Button).disabled = event.value.strip() != self._word

    @on(Input.Submitted, "#word")
    def _sent(self, event: Input.Submitted) -> None:
        if event.value.strip() == self._word:
            self.dismiss(True)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "go")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)
