"""Blocking work in threads that is never left behind: a cancelled caller waits for the thread's end.

Otherwise a descriptor would be closed, or a folder deleted, under a thread that still writes to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Generic, ParamSpec, TypeVar

from moby_tui.errors import MobyError

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As ``asyncio.to_thread``; when cancelled it raises ``CancelledError`` only after the thread has ended."""
    return await _to_its_end(asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs)))


async def in_own_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same in a thread of its own, for what another program can hold up, and for what changes its thread: the few threads that all
    share stay free, and as they are.
    """
    import _thread  # its threads are started without waiting for their first step, for which the event loop would stand still

    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            loop.call_soon_threadsafe(future.set_exception, error)
        else:
            loop.call_soon_threadsafe(future.set_result, result)

    _thread.start_new_thread(run, ())
    return await _to_its_end(future)


async def _to_its_end(task: asyncio.Future[T]) -> T:
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await settled(task)
        raise


@asynccontextmanager
async def all_of() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first error is raised as it is: what was asked for failed, not a group of things."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except* MobyError as errors:
        raise _first(errors) from None
    except* OSError as errors:
        raise _first(errors) from None


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Exception)
    return error


async def settled(task: asyncio.Future[Any]) -> None:
    """Waits for a task's end, however it ends and whoever cancels us meanwhile."""
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            continue
    if not task.cancelled():
        task.exception()  # looked at: not to be reported as lost


class Once(Generic[T]):
    """The result of ``make``, which is called when it is first needed; all who need it wait for that one. Errors are not kept."""

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = asyncio.Lock()

    async def __call__(self) -> T:
        async with self._lock:
            if not self._made:
                self._made.append(await self._make())
            return self._made[0]
