"""How many layers and blobs an engine transfers at the same time, over all of its pulls and pushes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from moby_tui.engine_options import EngineOptions


class Slots:
    """The semaphores of one engine. A limit that changes counts for transfers that begin afterwards."""

    def __init__(self, options: Callable[[], EngineOptions]) -> None:
        self._options = options
        self._made: dict[str, tuple[int, asyncio.Semaphore]] = {}

    @property
    def downloads(self) -> asyncio.Semaphore:
        return self._semaphore("downloads", self._options().max_concurrent_downloads)

    @property
    def uploads(self) -> asyncio.Semaphore:
        return self._semaphore("uploads", self._options().max_concurrent_uploads)

    def _semaphore(self, kind: str, limit: int) -> asyncio.Semaphore:
        made = self._made.get(kind)
        if made is None or made[0] != limit:
            made = self._made[kind] = (limit, asyncio.Semaphore(limit or sys.maxsize))
        return made[1]
