"""How a page of a list and of details of one row shares the screen."""

from __future__ import annotations

from dataclasses import dataclass

#: From this width on lists and details stand beside each other; columns.
BROAD = 160
#: With fewer columns, or fewer lines, a page does without what takes room.
WIDE, HIGH = 100, 20
#: The list's part in percent.
_BELOW, _BESIDE = 40, 45
#: A panel has at least so many lines.
LEAST = 5


@dataclass(frozen=True, slots=True)
class Panel:
    """A place on the screen, with its border."""

    x: int
    y: int
    width: int
    height: int


def is_beside(width: int, chosen: bool | None) -> bool:
    """True if the details stand beside the list: as the person chose, else on a broad screen."""
    return width >= BROAD if chosen is None else chosen


def part_of(chosen: int, *, beside: bool) -> int:
    """The list's part of the page in percent; as the person chose, unless that is 0."""
    return chosen or (_BESIDE if beside else _BELOW)


def panels(width: int, height: int, part: int, *, beside: bool) -> tuple[Panel, Panel]:
    """The places of the list and of the details on a page between the top line and the keys."""
    height -= 2
    if beside:
        first = width * part // 100
        return Panel(0, 1, first, height), Panel(first, 1, width - first, height)
    first = min(max(height * part // 100, LEAST), height - LEAST)
    return Panel(0, 1, width, first), Panel(0, 1 + first, width, height - first)
