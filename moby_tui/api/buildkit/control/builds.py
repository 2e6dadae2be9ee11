"""All builds of a daemon: those that run, by the names that their clients gave them, and those that have ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from moby_tui.api.buildkit.control.solve import Solve
from moby_tui.errors import Conflict, NotFound

#: Seconds to wait for a build that is named: its client asks for its progress at about the time that it begins it.
PATIENCE = 10.0
#: How many ended builds are remembered.
_MOST = 20


class Builds:
    def __init__(self) -> None:
        #: in the order of their beginnings
        self.all: dict[str, Solve] = {}
        self.changed = asyncio.Condition()

    @asynccontextmanager
    async def running(self, solve: Solve) -> AsyncIterator[None]:
        """The build is found by its name in the block, and some time after. Raises ``Conflict`` for a name that is in use."""
        if solve.ref in self.all:
            raise Conflict(f"there is a build {solve.ref[:80]} already; a build's name is used once")
        self.all[solve.ref] = solve
        await self._tell()
        try:
            yield
        finally:
            ended = [ref for ref, each in self.all.items() if each.ended and not each.pinned]
            for ref in ended[:-_MOST]:
                del self.all[ref]
            await self._tell()

    async def get(self, ref: str, patience: float = PATIENCE) -> Solve:
        """The build with this name, also one that begins within ``patience`` seconds. Raises ``NotFound``."""
        try:
            async with asyncio.timeout(patience), self.changed:
                await self.changed.wait_for(lambda: ref in self.all)
                return self.all[ref]
        except TimeoutError:
            raise NotFound(f"no such build {ref[:80]}") from None

    async def forget(self, ref: str) -> None:
        """Without effect for a name that is not known. Raises ``Conflict`` for a build that runs."""
        if ref not in self.all:
            return
        if not self.all[ref].ended:
            raise Conflict(f"the build {ref[:80]} runs; end it first")
        del self.all[ref]
        await self._tell()

    async def pin(self, ref: str, pinned: bool) -> None:
        """Raises ``NotFound``."""
        if ref not in self.all:
            raise NotFound(f"no such build {ref[:80]}")
        self.all[ref].pinned = pinned
        await self._tell()

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()
