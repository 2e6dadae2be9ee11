"""The wait for a container's exit."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.start import orphans, settling
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.engine.store.state import State
from moby_tui.errors import InvalidArgument, Unavailable
from moby_tui.schema.container import ContainerExit

if TYPE_CHECKING:
    from moby_tui.engine.events.bus import Subscription

#: Seconds between two looks at the container's state, since a killed monitor publishes no event.
LOOK_AGAIN_SECONDS = 1.0
#: Seconds that a monitor has, from the end that it wrote into the state, to publish it.
_PUBLISH_SECONDS = 1.0


class ExitWait:
    """The wait for a container's exit. From its making on it receives the container's events, so that none is missed."""

    def __init__(self, parts: Parts, record: ContainerRecord, condition: str) -> None:
        self._parts = parts
        self._record = record
        self._condition = condition
        actions = ["die", "destroy"]
        self._events: Subscription = parts.bus.subscribe(
            filters={"type": ["container"], "container": [record.id], "event": actions}
        )
        state = parts.state(record)
        self._last_code = state.exit_code
        self._was_alive = state.alive

    async def result(self, timeout: float | None = None) -> ContainerExit:
        """The exit of the container. Raises ``TimeoutError`` after ``timeout`` seconds, ``Unavailable`` once the engine is closed."""
        try:
            async with asyncio.timeout(timeout):
                return await self._result()
        finally:
            await self.close()

    async def _result(self) -> ContainerExit:
        """Waits for the exit in events and in the container's state. Raises ``Unavailable`` if the engine is closed before."""
        # first the events since the registration, then the state: that of a removed container cannot be read
        patience, closed = 0.0, False
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    if (published := await self._published_exit()) is not None:
                        return published
                    closed = True
            if (recorded := self._recorded_exit()) is not None:
                return await self._publication(recorded) if self._was_alive else recorded
            if closed:
                raise engine_closed(self._record)
            patience = LOOK_AGAIN_SECONDS
            await self._look()

    async def _publication(self, recorded: ContainerExit) -> ContainerExit:
        """The exit, once it is published: a monitor writes it into the state first, and what the caller publishes next comes after it.

        A monitor that was killed in between never publishes it.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_PUBLISH_SECONDS):
                return await self._published_exit() or recorded
        return recorded

    async def _published_exit(self) -> ContainerExit | None:
        """The exit in the next event that meets the condition; None if the event stream has ended."""
        async for event in self._events:
            if event.action == "die":
                self._last_code = int(event.actor.attributes.get("exitCode", "0"))
            if event.action == "destroy" or self._condition != "removed":
                return ContainerExit(status_code=self._last_code)
        return None

    def _recorded_exit(self) -> ContainerExit | None:
        """The exit, if the container's state or its missing folder meets the condition already; else None."""
        gone = not self._parts.files(self._record).data.exists()
        state = State() if gone else self._parts.state(self._record)
        if state.status == "exited":
            self._last_code = state.exit_code
        if gone or (self._condition == "not-running" and not state.alive and not self._parts.is_orphan(self._record, state)):
            return ContainerExit(status_code=self._last_code)
        return None

    async def _look(self) -> None:
        if self._parts.files(self._record).data.exists() and orphans.needs_settling(self._parts, self._record):
            await settling.settle_all(self._parts)

    async def close(self) -> None:
        self._events.close()


def engine_closed(record: ContainerRecord) -> Unavailable:
    """The error of a wait whose engine reads no events any more."""
    return Unavailable(f"the engine was closed while it waited for container {record.name}: ask another engine how it is")


def wait(parts: Parts, record: ContainerRecord, condition: str) -> ExitWait:
    """Registers for a container's exit. Raises ``InvalidArgument`` for an unknown condition."""
    if condition not in ("", "not-running", "next-exit", "removed"):
        raise InvalidArgument(f'invalid condition: "{condition}"; give not-running, next-exit or removed')
    return ExitWait(parts, record, condition or "not-running")
