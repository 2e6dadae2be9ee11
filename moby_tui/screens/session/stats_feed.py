"""Samples the resource use of the containers that are seen, each over one stream of the engine's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from textual.app import App
from textual.signal import Signal
from textual.worker import Worker

from moby_tui.screens.session.history import Histories
from moby_tui.screens.session.session import TROUBLE, Session

#: Streams open at once; what is seen on any screen is fewer.
MOST = 64
#: Pause before a stream that ended is opened again, seconds.
AGAIN = 2.0


class StatsFeed:
    """``want`` says which containers; ``sampled`` is published with the id of each that has a new sample."""

    def __init__(self, app: App[Any], session: Session) -> None:
        self.histories = Histories()
        self.sampled: Signal[str] = Signal(app, "sampled")
        self._app = app
        self._session = session
        self._workers: dict[str, Worker[None]] = {}

    def want(self, identifiers: Iterable[str]) -> None:
        """Opens the streams of figures of these containers, and closes all others. The history of removed containers is dropped."""
        wanted = set(list(identifiers)[:MOST])
        for identifier in self._workers.keys() - wanted:
            self._workers.pop(identifier).cancel()
        for identifier in wanted - self._workers.keys():
            self._workers[identifier] = self._app.run_worker(partial(self._follow, identifier), group="stats")
        self.histories.keep(self._session.model.__contains__)

    async def _follow(self, identifier: str) -> None:
        while True:
            try:
                async for stats in self._session.client.containers.stats(identifier):
                    self.histories.add(identifier, stats, time.monotonic())
                    self.sampled.publish(identifier)
            except TROUBLE as error:
                self._app.log.debug(f"no statistics of {identifier[:12]}: {error}")
            await asyncio.sleep(AGAIN)
