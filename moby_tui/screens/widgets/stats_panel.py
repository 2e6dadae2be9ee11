"""The plots of one container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Grid

from moby_tui.screens import text
from moby_tui.screens.session.history import History
from moby_tui.screens.widgets.plot import Plot

if TYPE_CHECKING:
    from moby_tui.screens.usage.probes import Probes

NO_PROBE = "the container has no health check"


class StatsPanel(Grid):
    """CPU and memory, and, if ``full``, network, disk, processes and health probes too."""

    DEFAULT_CSS = """
    StatsPanel { grid-size: 1; grid-gutter: 1 2; padding: 0 1; }
    StatsPanel.-full { grid-size: 2; }
    """

    def __init__(self, *, full: bool, id: str) -> None:
        super().__init__(id=id, classes="-full" if full else "")
        self._full = full

    def compose(self) -> ComposeResult:
        yield Plot("CPU", text.percent, floor=10.0, id="cpu")
        yield Plot("MEM", text.size, floor=1024.0 * 1024, id="memory")
        if self._full:
            yield Plot("NET", _rate, floor=1024.0, id="network")
            yield Plot("DISK", _rate, floor=1024.0, id="disk")
            yield Plot("PIDS", lambda value: f"{value:.0f}", floor=5.0, id="processes-plot")
            yield Plot("PROBE", _duration, floor=0.01, id="probes")

    def show(self, history: History | None, missing: str = "") -> None:
        """Draws a history; None empties the plots, and ``missing`` says why there is none."""
        history = history or History()
        times = history.times
        limit = history.memory_limit
        of_limit = f"of {text.size(limit)}" if limit else ""
        if limit and history.memory:
            of_limit = f"{text.percent(history.memory[-1] / limit * 100)} {of_limit}"
        processes = f"{history.processes} procs" if history.processes else ""
        self.query_one("#cpu", Plot).show(history.cpu, processes, times, missing)
        self.query_one("#memory", Plot).show(history.memory, of_limit, times, missing)
        if self._full:
            self.query_one("#network", Plot).show(
                history.network, _both(history, "received", "in", "sent", "out"), times, missing
            )
            self.query_one("#disk", Plot).show(history.disk, _both(history, "read", "read", "written", "written"), times, missing)
            self.query_one("#processes-plot", Plot).show(history.process_counts, "", times, missing)

    def show_probes(self, probes: Probes | None) -> None:
        """Draws how long the health probes took."""
        if self._full:
            plot = self.query_one("#probes", Plot)
            if probes and probes.status:
                plot.show(probes.seconds, probes.note, probes.times, "no probe yet")
            else:
                plot.show((), "", (), NO_PROBE)


def _both(history: History, one: str, told: str, other: str, told_too: str) -> str:
    series = getattr(history, one), getattr(history, other)
    if not all(series):
        return ""
    return f"{told} {_rate(series[0][-1])} · {told_too} {_rate(series[1][-1])}"


def _rate(value: float) -> str:
    return f"{text.size(value)}/s"


def _duration(value: float) -> str:
    return f"{value * 1000:.0f}ms" if value < 1 else f"{value:.1f}s"
