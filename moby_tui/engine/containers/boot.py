"""Starts containers when a daemon begins and, without live restore, stops them when it ends."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from moby_tui.engine.containers.ending import ending
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.start import restarting, resuming
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.errors import MobyError, NotModified

log = logging.getLogger(__name__)


async def restore(parts: Parts) -> None:
    """Starts the containers that do not run and whose restart policy wants it. Their states were settled when the engine was opened."""
    due = [record for record in parts.list() if restarting.is_due(record, parts.state(record), at_boot=True)]
    await resuming.start_due(parts, due)


async def shut_down(parts: Parts, timeout: int) -> None:
    """Stops what runs, those that need others before these. Each has its own stop timeout; ``timeout`` is that of those without.

    What was stopped so counts as not stopped: the next daemon starts it again, as its policy says.
    """
    running = [record for record in parts.list() if parts.state(record).alive]
    for rank in reversed(resuming.ranks(running)):
        await asyncio.gather(*(_stop(parts, record, timeout) for record in rank))


async def _stop(parts: Parts, record: ContainerRecord, timeout: int) -> None:
    seconds = timeout if record.config.stop_timeout is None else None
    try:
        with suppress(NotModified):
            await ending.stop(parts, record, seconds, "", purpose=ending.AT_SHUTDOWN)
    except (MobyError, OSError) as error:
        log.warning("container %s was not stopped: %s", record.name, error)
