"""The plots of one container."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Grid

from moby_tui.screens import text
from moby_tui.screens.session.history import History
from moby_tui.screens.widgets.plot import Plot


class StatsPanel(Grid):
    """CPU and memory, and, if ``full``, network and disk too."""

    DEFAULT_CSS = """
    StatsPanel { grid-size: 1; grid-gutter: 1 2; padding: 0 1; }
    StatsPanel.-full { grid-size: 2; }
    """

    def __init__(self, *, full: bool, id: str) -> None:
        super().__init__(id=id, classes="-full" if full else "")
        self._full = full

    def compose(self) -> ComposeResult:
        yield Plot("CPU", _percent, floor=10.0, id="cpu")
        yield Plot("MEM", text.size, floor=1024.0 * 1024, id="memory")
        if self._full:
            yield Plot("NET", _rate, floor=1024.0, id="network")
            yield Plot("DISK", _rate, floor=1024.0, id="disk")

    def show(self, history: History | None) -> None:
        """Draws a history; None empties the plots."""
        history = history or History()
        limit = f"of {text.size(history.memory_limit)}" if history.memory_limit else ""
        self.query_one("#cpu", Plot).show(history.cpu, f"{history.processes} procs" if history.processes else "")
        self.query_one("#memory", Plot).show(history.memory, limit)
        if self._full:
            self.query_one("#network", Plot).show(history.network)
            self.query_one("#disk", Plot).show(history.disk)


def _percent(value: float) -> str:
    return f"{value:.1f}%" if value < 100 else f"{value:.0f}%"


def _rate(value: float) -> str:
    return f"{text.size(value)}/s"
