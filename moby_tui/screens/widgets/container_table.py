"""The list of containers."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from moby_tui.screens import text
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.history import Histories, History
from moby_tui.screens.widgets.object_table import Cells, Column, ObjectTable
from moby_tui.screens.widgets.plot import spark

_SPARK = 8
#: The characters of a CPU number.
_NUMBER = 6
_STATE_MARK = {"running": ("●", "success"), "restarting": ("↻", "warning"), "paused": ("‖", "warning"), "dead": ("✗", "error")}


class ContainerTable(ObjectTable[Container]):
    """The containers with their use of CPU and memory. ``show`` takes the list, ``show_use`` one new sample."""

    def __init__(self, *, id: str) -> None:
        self._histories = Histories()
        self._now = 0.0
        columns: tuple[Column[Container], ...] = (
            Column("name", "NAME", 10, 44, lambda one: one.name, rank=0, fair=18),
            Column("state", "STATE", 10, 28, lambda one: (one.state, -one.since), rank=1),
            Column("cpu", "CPU %", _NUMBER, _NUMBER + 1 + _SPARK, lambda one: self._latest(one, "cpu"), rank=2, number=True),
            Column("memory", "MEM", 7, 7, lambda one: self._latest(one, "memory"), rank=5, number=True),
            Column("image", "IMAGE", 10, 40, lambda one: one.image, rank=3),
            Column("ports", "PORTS", 8, 30, lambda one: one.ports, rank=4),
            Column("command", "COMMAND", 16, 80, lambda one: one.command, rank=6, late=True),
            Column("id", "ID", 12, 12, lambda one: one.id, rank=7, late=True),
        )
        super().__init__(columns, id=id)

    def show(self, containers: list[Container], touched: frozenset[str], histories: Histories, now: float) -> None:
        """Takes the whole list. ``now`` in Unix seconds."""
        self._histories, self._now = histories, now
        self.put_rows(containers, touched)

    def show_time(self, containers: Iterable[Container], now: float) -> None:
        """The cells of these rows that change as time passes: age, and use by the newest sample."""
        self._now = now
        rows: dict[str, Cells] = {}
        for one in containers:
            rows[one.id] = {"state": self._state(one)}
            if one.running and (history := self._histories.get(one.id)):
                rows[one.id] |= zip(("cpu", "memory"), self._use(history), strict=True)
        self.update_cells(rows)

    def needs(self, column: Column[Container]) -> int:
        return column.most if column.key == "cpu" else super().needs(column)

    def grown(self, column: Column[Container], more: int) -> int:
        """The plot beside the CPU number is shown whole or not at all."""
        return 0 if column.key == "cpu" and more < _SPARK + 1 else more

    def fitted(self, key: str, cell: Text) -> Text:
        """The number of a narrow CPU column stands without its plot."""
        return cell[-_NUMBER:] if key == "cpu" and self._columns[key] < _SPARK + _NUMBER else cell

    def cells(self, row: Container) -> Cells:
        mark, colour = _mark(row)
        shade = "foreground" if row.running else "text-muted"
        history = self._histories.get(row.id)
        cpu, memory = self._use(history) if history and row.running else (Text("", justify="right"), Text("", justify="right"))
        name = self.cell("")
        name.append(f"{mark} ", self.colour(colour)).append(row.name, f"bold {self.colour(shade)}")
        return {
            "name": name,
            "state": self._state(row),
            "cpu": cpu,
            "memory": memory,
            "image": self.cell(row.image, shade),
            "ports": self.cell(row.ports, "accent"),
            "command": self.cell(row.command, "text-muted"),
            "id": self.cell(text.short_id(row.id), "text-muted"),
        }

    def _state(self, one: Container) -> Text:
        return self.cell(one.describe(self._now), "error" if one.status == "unhealthy" else _mark(one)[1])

    def _latest(self, one: Container, figure: str) -> float:
        history = self._histories.get(one.id) if one.running else None
        values = getattr(history, figure) if history else ()
        return values[-1] if values else -1.0

    def _use(self, history: History) -> tuple[Text, Text]:
        values = list(history.cpu)
        latest = values[-1] if values else 0.0
        heat = "error" if latest >= 90 else "warning" if latest >= 50 else "primary"
        cpu = Text(spark(values, _SPARK, max(100.0, *values[-_SPARK:]) if values else 100.0), self.colour(heat), no_wrap=True)
        cpu.append(f" {latest:5.1f}", self.colour("foreground"))
        used = history.memory[-1] if history.memory else 0.0
        return cpu, self.cell(text.size(used), right=True)


def _mark(one: Container) -> tuple[str, str]:
    """The sign before the name, and its colour in the theme."""
    if one.state == "exited" and one.status not in ("", "0"):
        return "●", "error"
    return _STATE_MARK.get(one.state, ("○", "text-muted"))
