"""What an event does to a list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """The effect of an event on a list: rows to redraw, and rows to fetch from the engine. ``all_stale``: the whole list."""

    touched: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()
    all_stale: bool = False
