"""An archive that arrives in the event loop and is worked on in a thread: whoever is cancelled leaves no thread behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from moby_tui.engine.archive.incoming import consume


@pytest.mark.parametrize("begun", [False, True], ids=["before its thread begins", "while its thread waits"])
async def test_a_cancelled_caller_waits_for_no_sender(begun: bool) -> None:
    """With no thread free the work begins after it was given up; nobody would come to end its waiting then."""
    free, sender, asked = threading.Event(), asyncio.Event(), asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        if begun:
            yield bytes(1 << 20)
        asked.set()
        await sender.wait()

    with ThreadPoolExecutor(1) as only:
        asyncio.get_running_loop().set_default_executor(only)
        if begun:
            free.set()
        only.submit(free.wait)
        task = asyncio.create_task(consume(stalled(), lambda pieces: sum(map(len, pieces))))
        await (asked.wait() if begun else asyncio.sleep(0.05))
        task.cancel()
        await asyncio.sleep(0)
        free.set()
        done, _ = await asyncio.wait([task], timeout=5)
        sender.set()
        await asyncio.wait([task])
    assert done and task.cancelled()


@pytest.mark.parametrize("size", [1, 1 << 16, 3 << 20])
async def test_all_that_comes_is_worked_on(size: int) -> None:
    data = bytes(range(256)) * (1 << 14)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, 4096 if size == 1 else len(data), size):
            yield data[at : at + size]

    found = await consume(pieces(), lambda arriving: b"".join(arriving))
    assert found == (data[:4096] if size == 1 else data)
