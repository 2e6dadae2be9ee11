"""The list of containers."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from moby_tui.screens import text
from moby_tui.screens.listing import containers as listing
from moby_tui.screens.listing.columns import Cells
from moby_tui.screens.listing.containers import NUMBER, SPARK
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.history import Histories, History
from moby_tui.screens.widgets.object_table import ObjectTable
from moby_tui.screens.widgets.plot import spark


class ContainerTable(ObjectTable[Container]):
    """The containers with their use of CPU and memory. ``show`` takes the list, ``show_use`` one new sample."""

    def __init__(self, *, id: str) -> None:
        self._histories = Histories()
        self._now = 0.0
        super().__init__(listing.columns(self._latest), id=id)

    def show(self, containers: list[Container], touched: frozenset[str], histories: Histories, now: float) -> None:
        """Takes the whole list. ``now`` in Unix seconds."""
        self._histories, self._now = histories, now
        self.put_rows(containers, touched)

    def show_time(self, containers: Iterable[Container], now: float) -> None:
        """The cells of these rows that change as time passes: age, and use by the newest sample."""
        self._now = now
        rows: dict[str, Cells] = {}
        for one in containers:
            rows[one.id] = {"state": listing.state(one, now, self.colour)}
            if one.running and (history := self._histories.get(one.id)):
                rows[one.id] |= zip(("cpu", "memory"), self._use(history), strict=True)
        self.update_cells(rows)

    def fitted(self, key: str, cell: Text) -> Text:
        """The number of a narrow CPU column stands without its plot."""
        return cell[-NUMBER:] if key == "cpu" and self._columns[key] < SPARK + NUMBER else cell

    def cells(self, row: Container) -> Cells:
        cells = listing.cells(row, self._now, self.colour)
        if row.running and (history := self._histories.get(row.id)):
            cells["cpu"], cells["memory"] = self._use(history)
        return cells

    def _latest(self, one: Container, figure: str) -> float:
        history = self._histories.get(one.id) if one.running else None
        values = getattr(history, figure) if history else ()
        return values[-1] if values else -1.0

    def _use(self, history: History) -> tuple[Text, Text]:
        values = list(history.cpu)
        latest = values[-1] if values else 0.0
        heat = "error" if latest >= 90 else "warning" if latest >= 50 else "primary"
        cpu = Text(spark(values, SPARK, max(100.0, *values[-SPARK:]) if values else 100.0), self.colour(heat), no_wrap=True)
        cpu.append(f" {latest:5.1f}", self.colour("foreground"))
        used = history.memory[-1] if history.memory else 0.0
        return cpu, self.cell(text.size(used), right=True)
