"""Where the results of a build go on this side: files, folders, standard output."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress

from moby_tui.cli.streams import write_archive
from moby_tui.cli.values.builds import FOLDERS, Wanted
from moby_tui.copying.archive import extract_all
from moby_tui.errors import InvalidArgument


class Delivery:
    """One result as it comes in pieces. ``end`` tells that it is whole; without it nothing but a folder is left half-made."""

    def __init__(self, destination: str, *, folder: bool) -> None:
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(4)
        self._destination = destination
        work = self._unpack() if folder else write_archive(self._taken(), destination)
        self._task = asyncio.create_task(work)

    async def take(self, piece: bytes) -> None:
        """Raises what writing has failed with."""
        putting = asyncio.ensure_future(self._pieces.put(piece))
        await asyncio.wait({putting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            putting.cancel()
            self._task.result()
        await putting

    async def end(self) -> None:
        """Raises what writing has failed with."""
        await self._pieces.put(None)
        await self._task

    async def abandon(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await self._task

    async def _taken(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece

    async def _unpack(self) -> None:
        try:
            os.makedirs(self._destination, exist_ok=True)
        except OSError as error:
            raise InvalidArgument(f"cannot write {self._destination}: {(error.strerror or str(error)).lower()}") from None
        await extract_all(self._taken(), self._destination)


def open_delivery(wanted: Wanted) -> Delivery:
    """The place that a build's result is written to: a folder into which an archive is unpacked, or a file."""
    return Delivery(wanted.destination, folder=wanted.output.kind in FOLDERS or wanted.unpacked)
