"""Uploads a blob: a small one in one piece, a large one in chunks, which continue where a connection broke.

https://github.com/opencontainers/distribution-spec, "Pushing blobs". The registry compares the digest of what has arrived.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from moby_tui.engine.resources.images.registry.connection import PIECE, Connection, Retry
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import MobyError
from moby_tui.schema import oci

#: Larger blobs go in chunks of this size, so that a broken connection costs one chunk at most.
_CHUNK = 64 << 20
#: Statuses of a registry that takes no such chunk; it gets the blob in one piece then.
_NO_CHUNKS = (400, 404, 405, 411, 413, 415, 416, 501)
_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,18})")
_BINARY = {"Content-Type": "application/octet-stream"}


class _NotInChunks(Exception):
    """The registry takes no chunks."""


class Upload:
    """One blob, to one repository, whose address is ``repository``."""

    def __init__(
        self, connection: Connection, repository: str, descriptor: oci.Descriptor, file: Path, progress: Callable[[int], None]
    ) -> None:
        self._connection = connection
        self._repository = repository
        self._descriptor = descriptor
        self._file = file
        self._progress = progress
        self._location = ""
        self._sent = 0

    async def run(self) -> None:
        """Raises ``MobyError`` if the registry does not take it."""
        if self._descriptor.size > _CHUNK:
            try:
                await self._connection.persist(self._in_chunks, lambda: self._sent)
                return
            except _NotInChunks:
                pass
        await self._connection.persist(self._whole)

    async def _begin(self) -> str:
        """Starts an upload; returns its address."""
        url = f"{self._repository}/blobs/uploads/"
        async with self._connection.exchange("POST", url, {"Content-Length": "0"}, (202,)) as begun:
            return str(self._connection.join(str(begun.url), begun.headers.get("Location", "")))

    async def _whole(self) -> None:
        await self._finish(await self._begin(), 0, self._descriptor.size)

    async def _finish(self, location: str, begin: int, end: int) -> None:
        """Sends the last bytes and the digest of the whole blob."""
        from yarl import URL

        address = URL(location, encoded=True)
        target = str(address.update_query({**address.query, "digest": self._descriptor.digest}))
        headers = {**_BINARY, "Content-Length": str(end - begin)}
        async with self._connection.exchange("PUT", target, headers, (201,), lambda: self._pieces(begin, end)):
            return

    async def _in_chunks(self) -> None:
        """Sends the remaining chunks. Raises ``_NotInChunks``."""
        if self._location:
            await self._ask_how_far()
        if not self._location:
            self._location, self._sent = await self._begin(), 0
        while self._sent < self._descriptor.size:
            await self._chunk(min(self._sent + _CHUNK, self._descriptor.size))
        await self._finish(self._location, self._sent, self._sent)

    async def _ask_how_far(self) -> None:
        """After a broken connection: asks how many bytes have arrived. Starts anew if the registry has forgotten the upload."""
        async with self._connection.exchange("GET", self._location, {}, (204, 400, 404, 416)) as answer:
            reached = _RANGE.fullmatch(answer.headers.get("Range", ""))
            # "0-0" means nothing with some registries, and one byte with others
            if answer.status != 204 or reached is None or not 0 < int(reached[1]) < self._descriptor.size:
                self._location = ""
                return
            self._sent = int(reached[1]) + 1
            self._moved(answer.url, answer.headers.get("Location", ""))

    async def _chunk(self, end: int) -> None:
        begin = self._sent
        headers = {**_BINARY, "Content-Length": str(end - begin), "Content-Range": f"{begin}-{end - 1}"}
        accepted = (202, *_NO_CHUNKS)
        async with self._connection.exchange(
            "PATCH", self._location, headers, accepted, lambda: self._pieces(begin, end)
        ) as answer:
            if answer.status != 202:
                raise _NotInChunks
            reached = _RANGE.fullmatch(answer.headers.get("Range", ""))
            arrived = int(reached[1]) + 1 if reached else end
            if not begin < arrived <= end:
                raise MobyError(
                    f"the registry says that {arrived} bytes of {self._descriptor.digest} arrived, not {end}; try again"
                )
            self._sent = arrived
            self._moved(answer.url, answer.headers.get("Location", ""))

    def _moved(self, at: object, location: str) -> None:
        if location:
            self._location = str(self._connection.join(str(at), location))

    async def _pieces(self, begin: int, end: int) -> AsyncIterator[bytes]:
        with self._file.open("rb") as source:
            source.seek(begin)
            while begin < end:
                piece = await in_thread(source.read, min(PIECE, end - begin))
                if not piece:
                    raise Retry(f"{self._file} became shorter while it was sent")
                yield piece
                begin += len(piece)
                self._progress(begin)
