"""What is measured: each row is one question put to two contestants in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

TURNS = 4


@dataclass(frozen=True)
class Row:
    """``ours`` and ``theirs`` each take one measurement; ``scale`` and ``unit`` say how it is printed.

    ``name`` calls for this row alone (``python -m bench NAME``). ``warm_up`` measurements at the beginning of each turn do
    not count.
    """

    name: str
    title: str
    peer: str
    ours: Callable[[], float]
    theirs: Callable[[], float]
    target: float
    runs: int
    scale: float = 1000
    unit: str = "ms"
    warm_up: int = 2


@dataclass(frozen=True)
class Result:
    """The medians of a row's measurements."""

    row: Row
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def met(self) -> bool:
        return self.ratio <= self.row.target


def measure(row: Row) -> Result:
    """Takes the measurements in turns of several, so that what disturbs the machine disturbs both sides.

    Not one by one: what a contestant leaves to the kernel to tear down would then be charged to the other.
    """
    turns = min(TURNS, row.runs)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(turns):
        for measurements, take in ((ours, row.ours), (theirs, row.theirs)):
            for _ in range(row.warm_up):
                take()
            measurements.extend(take() for _ in range(row.runs // turns))
    return Result(row, statistics.median(ours), statistics.median(theirs))
