"""Shows a pull, push or load layer by layer. It goes on when the dialog is left."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from moby_tui.screens import text
from moby_tui.screens.dialogs.key_names import key_of
from moby_tui.screens.dialogs.shown import Shown
from moby_tui.screens.files.transfer import Part, Transfer

#: Drawn anew this often while something comes; seconds.
_EVERY = 0.2
_BAR = 24


class TransferView(Shown[None]):
    """``finish`` says how it has ended."""

    BINDINGS = [Binding("escape,enter,q", "dismiss(None)", "Leave", id="transfer.leave", key_display="esc")]  # noqa: RUF012

    def __init__(self, title: str, transfer: Transfer) -> None:
        super().__init__()
        self._title = title
        self._transfer = transfer
        self._timer: Timer | None = None
        self._end = ""

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="transfer"):
            yield Static("", id="transfer-parts")
            yield Static("", id="transfer-said", markup=False)

    def on_mount(self) -> None:
        box = self.query_one("#transfer")
        box.border_title = Content(self._title)
        self._timer = self.set_interval(_EVERY, self._draw)
        self._draw()

    def finish(self, end: str) -> None:
        """No more comes; ``end`` says how it went."""
        self._end = end
        if self.is_mounted:
            if self._timer:
                self._timer.stop()
            self._draw()

    def _draw(self) -> None:
        transfer = self._transfer
        table = Table.grid(padding=(0, 1), expand=True)
        for _ in range(3):
            table.add_column(no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for part in transfer.parts.values():
            table.add_row(Text(part.id[:14], "dim"), _bar(part), _bytes(part), Text(part.status))
        self.query_one("#transfer-parts", Static).update(table)
        self.query_one("#transfer-said", Static).update("\n".join([*transfer.said[-6:], self._end]).strip())
        here, total = transfer.bytes
        sums = f"{text.size(here, step=1000)} of {text.size(total, step=1000)} · " if total else ""
        leave = f"{key_of(self, 'transfer.leave')} leaves{'' if self._end else ', it goes on'}"
        self.query_one("#transfer").border_subtitle = Content(f"{sums}{leave}")


def _bar(part: Part) -> Text:
    share = part.share
    if share is None:
        return Text("·" * _BAR, "dim")
    full = round(share * _BAR)
    return Text.assemble(("━" * full, "green" if share >= 1 else "cyan"), ("─" * (_BAR - full), "dim"))


def _bytes(part: Part) -> Text:
    if not part.total:
        return Text("")
    return Text(f"{text.size(part.total if part.over else part.current, step=1000):>6} / {text.size(part.total, step=1000)}")
