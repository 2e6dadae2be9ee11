"""All sessions of a daemon, by their ids."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from moby_tui.api.buildkit.grpc.client import Channel
from moby_tui.api.buildkit.session.opening import Opening
from moby_tui.api.buildkit.session.session import Session
from moby_tui.errors import Conflict, NotFound

#: Seconds to wait for a session that a build names: its client opens it at about the same time.
PATIENCE = 30.0


class Sessions:
    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._came = asyncio.Condition()

    def check_free(self, ident: str) -> None:
        """Raises ``Conflict`` for an id that is in use."""
        if ident in self._sessions:
            raise Conflict(f"there is a session {ident[:80]} already; a session's id is used once")

    @asynccontextmanager
    async def opened(self, opening: Opening, channel: Channel) -> AsyncIterator[Session]:
        """A session that is there until the end of the block, which closes it. Raises ``Conflict`` for an id that is in use."""
        self.check_free(opening.id)
        session = self._sessions[opening.id] = Session(opening, channel)
        watching = asyncio.create_task(session.watch())
        try:
            async with self._came:
                self._came.notify_all()
            yield session
        finally:
            del self._sessions[opening.id]
            session.close()
            watching.cancel()
            await asyncio.wait([watching])

    async def get(self, ident: str, patience: float = PATIENCE) -> Session:
        """The session with this id, also one that comes within ``patience`` seconds. Raises ``NotFound``.

        An empty id is a client without a session: it offers nothing.
        """
        if not ident:
            return Session(Opening("", "", "", frozenset()), Channel())
        try:
            async with asyncio.timeout(patience), self._came:
                await self._came.wait_for(lambda: ident in self._sessions)
                return self._sessions[ident]
        except TimeoutError:
            raise NotFound(f"no session {ident[:80]}: its client has not opened it, or has gone") from None
