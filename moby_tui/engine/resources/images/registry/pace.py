"""Gives up a body that comes too slowly, even if a few bytes keep coming."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from moby_tui.engine.archive import limits
from moby_tui.errors import Unreachable

if TYPE_CHECKING:
    from aiohttp import ClientResponse


def least() -> int:
    """The number of bytes that must come within the patience."""
    return limits.value(limits.LEAST_RATE) * limits.value(limits.PATIENCE)


async def body(response: ClientResponse) -> AsyncIterator[bytes]:
    """Yields the body as it comes. Only the time spent waiting for it counts, not the time in which the caller uses it.

    Raises ``Unreachable`` if it is too slow, ``TimeoutError`` if nothing comes at all.
    """
    patience, enough = limits.value(limits.PATIENCE), least()
    waited, came = 0.0, 0
    # one by one as they were received: to join them would take as much memory again
    pieces = response.content.iter_chunks()
    while True:
        begun = time.monotonic()
        chunk = await anext(pieces, None)
        if chunk is None:
            return
        piece = chunk[0]
        waited += time.monotonic() - begun
        came += len(piece)
        if waited >= patience:
            if came < enough:
                raise Unreachable(
                    f"{response.url.host} sends fewer than {enough} bytes in {patience} seconds; "
                    f"try again, or set {limits.LEAST_RATE[0]} to fewer bytes a second"
                )
            waited, came = 0.0, 0
        if piece:  # the end of an HTTP chunk has none
            yield piece
