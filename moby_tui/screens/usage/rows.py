"""The figures of all containers as rows and columns that can be sorted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from moby_tui.screens import text
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.history import History


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One container. Rates are bytes a second, ``cpu`` percent of one CPU, -1 before a second sample.

    ``missing``: why it has no figures, empty if it has.
    """

    id: str
    name: str
    state: str
    age: float
    missing: str = ""
    cpu: float = 0.0
    cpu_past: tuple[float, ...] = ()
    memory: float = 0.0
    limit: float = 0.0
    received: float = 0.0
    sent: float = 0.0
    read: float = 0.0
    written: float = 0.0
    processes: int = 0

    @property
    def share(self) -> float:
        """Of its memory limit, in percent."""
        return self.memory / self.limit * 100 if self.limit else 0.0


@dataclass(frozen=True, slots=True)
class Column:
    """``width`` in cells. ``descends``: the largest comes first when one sorts by it.

    ``rank``: where there is little room, the columns of the highest rank are left out first, those of 0 never.
    """

    id: str
    title: str
    width: int
    value: Callable[[UsageRow], float | str]
    told: Callable[[UsageRow], str]
    descends: bool = True
    rank: int = 0


def rate(value: float) -> str:
    return f"{text.size(value)}/s" if value else "–"


#: The name takes what the others leave, at least so many cells.
LEAST_NAME = 14
COLUMNS = (
    Column("name", "NAME", 0, lambda row: row.name.lower(), lambda row: row.name, descends=False),
    Column("state", "STATE", 15, lambda row: row.state, lambda row: row.state, descends=False),
    Column("cpu", "CPU", 7, lambda row: row.cpu, lambda row: text.percent(row.cpu)),
    Column("cpu_past", "CPU BEFORE", 15, lambda row: sum(row.cpu_past), lambda row: "", rank=7),
    Column("memory", "MEM", 7, lambda row: row.memory, lambda row: text.size(row.memory)),
    Column("share", "OF LIMIT", 8, lambda row: row.share, lambda row: text.percent(row.share), rank=4),
    Column("received", "NET IN", 9, lambda row: row.received, lambda row: rate(row.received), rank=1),
    Column("sent", "NET OUT", 9, lambda row: row.sent, lambda row: rate(row.sent), rank=2),
    Column("read", "READ", 9, lambda row: row.read, lambda row: rate(row.read), rank=6),
    Column("written", "WRITTEN", 9, lambda row: row.written, lambda row: rate(row.written), rank=6),
    Column("processes", "PIDS", 5, lambda row: row.processes, lambda row: f"{row.processes}", rank=3),
    Column("age", "SINCE", 6, lambda row: row.age, lambda row: text.age(row.age), rank=5),
)


def find_column(name: str) -> Column | None:
    """The column of this id, or whose title begins so."""
    return next((one for one in COLUMNS if one.id == name or one.title.lower().startswith(name.lower())), None)


def columns_for(width: int) -> list[Column]:
    """The columns that there is room for, each with a cell between it and the next."""
    shown = list(COLUMNS)
    while sum((one.width or LEAST_NAME) + 1 for one in shown) > width + 1 and (last := max(one.rank for one in shown)):
        shown = [one for one in shown if one.rank != last]
    return shown


def make_row(container: Container, history: History | None, now: float, trouble: str = "") -> UsageRow:
    """A row of what is known; ``trouble`` is why its figures could not be had."""
    row = {
        "id": container.id,
        "name": container.name,
        "state": container.describe_state(),
        "age": max(now - container.since, 0.0),
    }
    if not container.running:
        return UsageRow(**row, missing=f"{container.describe_state()}: no figures")  # type: ignore[arg-type]
    if history is None or not history.cpu:
        return UsageRow(**row, missing=trouble or "waiting for figures")  # type: ignore[arg-type]
    return UsageRow(
        **row,  # type: ignore[arg-type]
        cpu=history.cpu[-1] if len(history.cpu) > 1 else -1.0,
        cpu_past=tuple(history.cpu)[-30:],
        memory=history.memory[-1],
        limit=history.memory_limit,
        received=history.received[-1],
        sent=history.sent[-1],
        read=history.read[-1],
        written=history.written[-1],
        processes=history.processes,
    )


def sort(rows: Sequence[UsageRow], column: Column, *, reverse: bool) -> list[UsageRow]:
    """By a column; rows without figures come last whatever the order, unless the column needs none."""
    figures = column.id not in ("name", "state", "age")
    there = [row for row in rows if not (figures and row.missing)]
    rest = sorted((row for row in rows if figures and row.missing), key=lambda row: row.name)
    return sorted(sorted(there, key=lambda row: row.name), key=column.value, reverse=column.descends != reverse) + rest
