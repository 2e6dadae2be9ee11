"""The progress of a pull, a load or a build: bars on a terminal, one line per step elsewhere."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TextIO

from moby_tui.errors import MobyError

if TYPE_CHECKING:
    from moby_tui.schema.image import Progress


async def show(steps: AsyncIterator[Progress], out: TextIO | None = None) -> list[Progress]:
    """Shows the steps as they come on ``out`` (standard output); returns those that carry a result (``aux``)."""
    out = out or sys.stdout
    return await (_bars(steps, out) if out.isatty() else _lines(steps, out))


async def consume(steps: AsyncIterator[Progress]) -> list[Progress]:
    """Takes the steps without showing them."""
    return [step async for step in _checked(steps) if step.aux]


async def _checked(steps: AsyncIterator[Progress]) -> AsyncIterator[Progress]:
    """Yields the steps; raises the error of one that reports a failure, as a remote engine's may."""
    async for step in steps:
        if step.error_detail is not None or step.error:
            raise MobyError(step.error_detail.message if step.error_detail else str(step.error))
        yield step


#: The last statuses of a layer.
_DONE = frozenset({"Already exists", "Download complete", "Layer already exists", "Loaded", "Pull complete", "Pushed", "Mounted"})


def _line(step: Progress) -> str:
    text = step.status or ""
    return f"{step.id}: {text}" if step.id else text


async def _lines(steps: AsyncIterator[Progress], out: TextIO) -> list[Progress]:
    results = []
    async for step in _checked(steps):
        if step.stream is not None:
            out.write(step.stream)
        elif step.progress_detail is None and step.status:
            out.write(_line(step) + "\n")
        if step.aux:
            results.append(step)
        out.flush()
    return results


async def _bars(steps: AsyncIterator[Progress], out: TextIO) -> list[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    console = Console(file=out, highlight=False, markup=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(30), DownloadColumn(), TransferSpeedColumn())
    results: list[Progress] = []
    rows: dict[str, TaskID] = {}
    with Bars(*columns, console=console) as bars:

        def finish(row: TaskID) -> None:
            """Fills the bar: the last step of a transfer may report less than all of it."""
            total = bars.tasks[bars.task_ids.index(row)].total
            bars.update(row, completed=1 if total is None else total, total=1 if total is None else total)

        async for step in _checked(steps):
            detail = step.progress_detail
            if step.aux:
                results.append(step)
            if step.stream is not None:
                console.print(step.stream, end="")
            elif step.id and (detail is not None or step.id in rows):
                if step.id not in rows:
                    rows[step.id] = bars.add_task(step.id, total=None)
                bars.update(rows[step.id], description=_line(step))
                if detail is not None and detail.total:
                    bars.update(rows[step.id], completed=detail.current, total=detail.total)
                elif step.status in _DONE:
                    finish(rows[step.id])
            elif step.status and not _is_yet_to_begin(step):
                console.print(_line(step))
    return results


def _is_yet_to_begin(step: Progress) -> bool:
    """True for a step about a layer that has not begun; on a terminal its bar shows that."""
    return bool(step.id) and step.status in ("Preparing", "Pulling fs layer", "Waiting")
