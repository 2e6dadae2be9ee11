"""What was: figures of containers over time, and the logs of removed ones. moby's own."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator
from typing import Protocol

from moby_tui.api.operations.operation import get
from moby_tui.schema.history import Figures, HistoryStatus, KeptLine, Remembered


class History(Protocol):
    """``ref`` is a name, an id or the beginning of one, of a container that exists or of one that the history remembers."""

    @get("/moby/history", needs="history")
    async def status(self) -> HistoryStatus:
        """Whether the engine keeps a history of its containers, how much, and since when."""
        ...

    @get("/moby/history/containers", needs="history")
    async def containers(self) -> builtins.list[Remembered]:
        """Lists the containers of which the history has something, those that were removed too, the newest first."""
        ...

    @get("/moby/history/containers/{ref}/figures", errors=(404,), needs="history")
    def figures(
        self, ref: str, *, since: float | None = None, until: float | None = None, step: int = 0
    ) -> AsyncIterator[Figures]:
        """What a container used from one time to another. ``step`` is in seconds: the samples of each step are told as their mean."""
        ...

    @get("/moby/history/containers/{ref}/log", errors=(404,), needs="history")
    def log(self, ref: str) -> AsyncIterator[KeptLine]:
        """The end of the log of a removed container."""
        ...
