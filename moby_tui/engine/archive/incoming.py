"""An archive that arrives in the event loop, piece by piece, and is processed in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError, Future
from typing import TypeVar

from moby_tui.engine.tasks import settled
from moby_tui.errors import InvalidArgument

#: Smaller pieces are joined until they have this size.
_PIECE = 1 << 20
T = TypeVar("T")


async def consume(pieces: AsyncIterator[bytes], work: Callable[[Iterator[bytes]], T]) -> T:
    """Runs ``work`` on the pieces in a thread, and returns its result. The next piece is awaited while the thread works on one.

    Raises what ``work`` and ``pieces`` raise. When cancelled, it returns after the thread has ended, so that nothing is written any more.
    """
    loop = asyncio.get_running_loop()
    coming: Future[bytes] | None = None
    stopped = False

    async def more() -> bytes:
        data = bytearray()
        async for part in pieces:
            data += part
            if len(data) >= _PIECE:
                break
        return bytes(data)

    def ask() -> Future[bytes]:
        """Has the event loop wait for the next piece. Runs in the thread, which may get here after the caller was cancelled."""
        nonlocal coming
        coming = asyncio.run_coroutine_threadsafe(more(), loop)
        if stopped:
            coming.cancel()
        return coming

    def arriving() -> Iterator[bytes]:
        next_chunk = ask()
        try:
            while piece := next_chunk.result():
                next_chunk = ask()
                yield piece
        except CancelledError as error:
            raise InvalidArgument("unexpected EOF") from error
        finally:
            next_chunk.cancel()

    task = asyncio.ensure_future(asyncio.to_thread(lambda: work(arriving())))
    try:
        return await asyncio.shield(task)
    finally:
        stopped = True
        if coming:
            coming.cancel()
        await settled(task)
