"""Blocking work in threads that is never left behind: a cancelled caller waits for the thread's end.

Otherwise a descriptor would be closed, or a folder deleted, under a thread that still writes to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As ``asyncio.to_thread``; when cancelled it raises ``CancelledError`` only after the thread has ended."""
    task = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await settled(task)
        raise


async def settled(task: asyncio.Future[Any]) -> None:
    """Waits for a task's end, however it ends and whoever cancels us meanwhile."""
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            continue
    if not task.cancelled():
        task.exception()  # looked at: not to be reported as lost
