"""Samples all running containers in turn, for as long as somebody looks at them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, cast

from moby_tui.screens import text
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.history import Histories
from moby_tui.screens.session.session import TROUBLE, Session

#: Samples asked for at the same time.
AT_ONCE = 8
#: A round begins so long after the one before; with more containers later, seconds.
EVERY, PER_CONTAINER = 2.0, 0.05


class Polling:
    """``histories`` and ``trouble`` (why a container has no figures, by id) have what the rounds found."""

    def __init__(self, session: Session) -> None:
        self.histories = Histories()
        self.trouble: dict[str, str] = {}
        self._session = session
        self._slots = asyncio.Semaphore(AT_ONCE)

    def pause(self, count: int) -> float:
        """Seconds from one round to the next."""
        return max(EVERY, count * PER_CONTAINER)

    async def round(self, wanted: Callable[[Container], bool] = lambda one: True) -> int:
        """Samples each running container that is wanted once. Returns how many there are."""
        running = [one.id for one in self._session.model.sorted() if one.running and wanted(one)]
        await asyncio.gather(*map(self._sample, running))
        self.histories.keep(self._session.model.__contains__)
        for identifier in self.trouble.keys() - set(running):
            del self.trouble[identifier]
        return len(running)

    async def _sample(self, identifier: str) -> None:
        async with self._slots:
            try:
                samples = self._session.client.containers.stats(identifier, stream=False, one_shot=True)
                async with aclosing(cast("Any", samples)):
                    async for stats in samples:
                        self.histories.add(identifier, stats, time.monotonic(), one_shot=True)
                        self.trouble.pop(identifier, None)
                        return
            except TROUBLE as error:
                self.trouble[identifier] = text.clean(str(error))
