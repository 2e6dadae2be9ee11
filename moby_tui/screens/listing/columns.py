"""The columns of a list, and the widths that they get."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar

from rich.text import Text

R = TypeVar("R")
Cells = dict[str, Text]

#: Between two columns.
GAP = 2
#: Columns grow by this.
_STEP = 4


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """Between ``least`` and ``most`` a column is as wide as what stands in it. ``order`` is what a list sorted by it compares.

    Columns get room in the order of their ``rank``; those of ``late`` get only what the others do not need. One for which there is no
    room is left out.
    """

    key: str
    title: str
    least: int
    most: int
    order: Callable[[R], Any]
    rank: int = 0
    late: bool = False
    #: Numbers: they stand at the right, and the greatest come first.
    number: bool = False
    #: With the others a column grows to this width; beyond, it has what they leave. None: its most.
    fair: int | None = None
    #: It has its least or its most width, nothing between.
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """The column by which a list is sorted; without one it is in the order of its page."""

    column: str = ""
    reverse: bool = False


def label(column: Column[Any], order: Order) -> Text:
    """The heading of a column."""
    arrow = "" if column.key != order.column else "▼" if order.reverse else "▲"
    return Text(column.title + arrow, justify="right" if column.number else "left")


def coloured(value: str, colour: str, *, right: bool = False) -> Text:
    """A cell of one colour."""
    return Text(value, colour, no_wrap=True, overflow="ellipsis", justify="right" if right else "left")


def widths(columns: Mapping[str, Column[Any]], hidden: frozenset[str], rows: Iterable[Cells], room: int) -> dict[str, int]:
    """The width of each column that is shown. By rank each gets its least width, then what its cells need."""
    taken: dict[str, int] = {}
    shown = [column for column in columns.values() if column.key not in hidden]
    needed = _needs(shown, rows)
    for late in (False, True):
        placed = []
        for column in sorted((one for one in shown if one.late is late), key=attrgetter("rank")):
            if column.least + GAP <= room:
                placed.append(column)
                taken[column.key] = column.least
                room -= column.least + GAP
        for is_fair in (True, False):
            for column in placed:
                wanted = min(needed[column.key], column.fair or column.most) if is_fair else needed[column.key]
                more = min(max(wanted - taken[column.key], 0), room)
                more = 0 if column.whole and more < column.most - column.least else more
                taken[column.key] += more
                room -= more
    return {key: taken[key] for key in columns if key in taken}


def _needs(columns: Iterable[Column[Any]], rows: Iterable[Cells]) -> dict[str, int]:
    """The width of the widest cell, in steps, so that a longer word does not lay the whole table anew each time."""
    rows = list(rows)
    needed = {}
    for column in columns:
        if column.least == column.most or column.whole:
            needed[column.key] = column.most
            continue
        widest = max((cells[column.key].cell_len for cells in rows), default=0)
        needed[column.key] = min(max(-(-widest // _STEP) * _STEP, column.least), column.most)
    return needed
