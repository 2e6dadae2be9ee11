"""The drawing of the stages: a line for each, beside rails that lead from a stage to those that begin from it or copy from it.

As in the history of a repository, a rail begins below its stage and ends at the last one that needs it. A stage needs earlier ones alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

#: In the place of a stage on its line.
NODE = "●"
#: Stages for which rails are drawn: nobody could follow more, and the time that they take grows with the square of their number.
MOST = 400
#: A corner or a branch where a rail meets the line to a stage: (goes on below, the line passes, the stage is to its left).
_JOINTS = {
    (False, False, False): "╰",
    (False, False, True): "╯",
    (False, True, False): "┴",
    (False, True, True): "┴",
    (True, False, False): "├",
    (True, False, True): "┤",
    (True, True, False): "┼",
    (True, True, True): "┼",
}


class Row(NamedTuple):
    """The rails of a stage's line; ``node`` is the place of the stage in it."""

    rails: str
    node: int


def draw(needs: Sequence[Sequence[int]]) -> list[Row]:
    """``needs`` are the numbers of the stages that each one needs. All lines are equally wide. More than ``MOST`` have no rails."""
    if len(needs) > MOST:
        return [Row(NODE, 0)] * len(needs)
    last = {need: number for number, of in enumerate(needs) for need in of if need < number}
    rails: list[int | None] = []  # in each column the stage whose rail runs there
    rows: list[tuple[list[str], int]] = []
    above = -1  # the column of the stage above: what stands beneath it begins from it
    for number, of in enumerate(needs):
        below = [column for column, stage in enumerate(rails) if stage is not None and stage in of]
        ending = [column for column in below if last[rails[column] or 0] == number]
        free = (column for column, stage in enumerate(rails) if stage is None and column != above)
        node = ending[0] if ending else next(free, len(rails))
        if node == len(rails):
            rails.append(None)
        rows.append((_row(rails, node, [column for column in below if column != node], ending), node * 2))
        for column in ending:
            rails[column] = None
        rails[node] = number if number in last else None
        above = node
    width = max((len(cells) for cells, _ in rows), default=0)
    return [Row("".join(cells).ljust(width), node) for cells, node in rows]


def _row(rails: Sequence[int | None], node: int, joined: Sequence[int], ending: Sequence[int]) -> list[str]:
    first, after = min([*joined, node]), max([*joined, node])
    cells = []
    for column, stage in enumerate(rails):
        crossed = first < column < after
        if column == node:
            cells.append(NODE)
        elif column in joined:
            cells.append(_JOINTS[column not in ending, crossed, column > node])
        else:
            cells.append("│" if stage is not None else "─" if crossed else " ")
        cells.append("─" if first <= column < after else " ")
    return cells
