"""What is measured: each row is one question put to two contestants in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """``ours`` and ``theirs`` each take one measurement; ``scale`` and ``unit`` say how it is printed."""

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
    """Takes the measurements in turns, so that what disturbs the machine disturbs both sides."""
    for _ in range(row.warm_up):
        row.ours()
        row.theirs()
    pairs = [(row.ours(), row.theirs()) for _ in range(row.runs)]
    return Result(row, statistics.median(ours for ours, _ in pairs), statistics.median(theirs for _, theirs in pairs))
