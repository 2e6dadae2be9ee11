"""Downloads a blob into an ``Ingest``. Continues where a connection broke, and fetches several ranges of a large blob at once.

RFC 9110, section 14 (range requests). Ranges are written in their order, so that what is on disk is always a beginning of the blob;
those that come too early wait in memory, of all the blobs of a pull together at most ``AHEAD``.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from moby_tui.engine.resources.images.registry import pace
from moby_tui.engine.resources.images.registry.connection import Connection, Retry
from moby_tui.engine.resources.images.store.content import Ingest
from moby_tui.engine.tasks import in_thread, settled
from moby_tui.errors import InvalidArgument, MobyError, Unavailable
from moby_tui.schema import oci

if TYPE_CHECKING:
    from aiohttp import ClientResponse

#: If this much is missing, it is fetched in ranges: one connection does not fill a line with latency.
_LARGE = 32 << 20
_RANGE = 4 << 20
_AT_ONCE = 3
AHEAD = 4
#: Bytes that a blob gathers before a thread writes them. Several blobs come at once: what each gathers is the memory that a pull takes.
_WRITTEN_AT_ONCE = 512 << 10
#: Smaller pieces are joined: a host may send them byte by byte.
_SMALL = 16 << 10
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class Download:
    """One blob, from one host."""

    def __init__(
        self,
        connection: Connection,
        url: str,
        descriptor: oci.Descriptor,
        ingest: Ingest,
        progress: Callable[[int], None],
        ahead: asyncio.Semaphore,
    ) -> None:
        """``progress`` hears how many bytes there are. ``ahead``: how many ranges all downloads together may hold in memory."""
        self._connection = connection
        self._url = url
        self._where = url  # after redirects
        self._descriptor = descriptor
        self._ingest = ingest
        self._progress = progress
        self._ahead = ahead

    async def run(self) -> None:
        """Fetches what the ingest lacks; it is not verified yet. Raises ``MobyError``; what came before is kept."""
        if not self._ingest.size or self._ingest.size < self._descriptor.size:
            await self._connection.persist(self._go_on, lambda: self._ingest.size)

    async def _go_on(self) -> None:
        begin, size = self._ingest.size, self._descriptor.size
        large = size - begin >= _LARGE
        end = begin + _RANGE if large else size
        headers = {"Range": f"bytes={begin}-{end - 1 if large else ''}"} if begin or large else {}
        async with self._connection.exchange("GET", self._url, headers, (200, 206)) as response:
            if response.status == 200:  # the host ignores ranges and sends the blob from its start
                await self._receive(response, begin)
                return
            self._check_range(response, begin)
            if not large:
                await self._receive(response, 0)
                return
            self._where = str(response.url)
            await self._receive_ranges(response, end)

    async def _receive_ranges(self, first: ClientResponse, begin: int) -> None:
        """Writes the first range as it comes, while the next ones are fetched."""
        starts = deque(range(begin, self._descriptor.size, _RANGE))
        coming: deque[asyncio.Task[bytearray]] = deque()
        try:
            await self._ask(starts, coming, room=False)
            await self._receive(first, 0)
            if self._ingest.size != begin:
                raise Retry(f"registry sent another range of {self._descriptor.digest} than it was asked for; try again")
            while starts or coming:
                await self._ask(starts, coming, room=True)
                await in_thread(self._ingest.write, await coming[0])
                self._progress(self._ingest.size)
                coming.popleft()
                self._ahead.release()
        finally:
            for task in coming:
                task.cancel()
            for task in coming:
                await settled(task)
                self._ahead.release()

    async def _ask(self, starts: deque[int], coming: deque[asyncio.Task[bytearray]], *, room: bool) -> None:
        """Requests further ranges as far as memory allows; ``room``: waits for memory if no range is on its way."""
        while starts and len(coming) < _AT_ONCE and (not self._ahead.locked() or (room and not coming)):
            await self._ahead.acquire()
            coming.append(asyncio.ensure_future(self._range(starts.popleft())))

    async def _range(self, start: int) -> bytearray:
        """Fetches a range from where the first one came, perhaps a storage server; from the registry again if that server refuses by now."""
        try:
            return await self._connection.persist(lambda: self._one_range(self._where, start))
        except MobyError:
            if self._where == self._url:
                raise
        return await self._connection.persist(lambda: self._one_range(self._url, start))

    async def _one_range(self, url: str, start: int) -> bytearray:
        end = min(start + _RANGE, self._descriptor.size)
        async with self._connection.exchange("GET", url, {"Range": f"bytes={start}-{end - 1}"}, (206,)) as response:
            self._check_range(response, start)
            body = bytearray()
            async for data in pace.body(response):
                body += data
                if len(body) > end - start:
                    raise InvalidArgument(f"content {self._descriptor.digest} comes with more bytes than were asked for; refused")
        if len(body) < end - start:
            raise Retry(f"content {self._descriptor.digest} comes with fewer bytes than were asked for; try again")
        return body

    def _check_range(self, response: ClientResponse, begin: int) -> None:
        """Raises ``InvalidArgument`` for another range than the requested one: writing it would corrupt the blob."""
        content_range = response.headers.get("Content-Range", "")
        match = _CONTENT_RANGE.fullmatch(content_range.strip())
        if match is None or int(match[1]) != begin:
            raise InvalidArgument(f"bytes from {begin} on were asked for, and the registry sends {content_range[:80]!r}; refused")
        if match[3] not in ("*", str(self._descriptor.size)):
            raise InvalidArgument(
                f"content {self._descriptor.digest} has {match[3]} bytes where its manifest says {self._descriptor.size}; refused"
            )

    async def _receive(self, response: ClientResponse, skip: int) -> None:
        """Writes pieces of half a mebibyte, in a thread: a slow disk must not stop the event loop. What came before a break is kept."""
        from aiohttp import ClientError

        pieces: list[bytes | bytearray] = []
        size = 0
        ingest = self._ingest

        async def flush() -> None:
            nonlocal pieces, size
            full, pieces, size = pieces, [], 0
            await in_thread(ingest.write, *full)
            self._progress(ingest.size)

        try:
            async for data in pace.body(response):
                wanted = data[skip:]
                _gather(pieces, wanted)
                size += len(wanted)
                skip = max(0, skip - len(data))
                if ingest.size + size > self._descriptor.size:
                    raise InvalidArgument(
                        f"content {self._descriptor.digest} is larger than the {self._descriptor.size} bytes its manifest says"
                    )
                if size >= _WRITTEN_AT_ONCE:
                    await flush()
        except (ClientError, ConnectionError, asyncio.CancelledError, TimeoutError, Unavailable):
            await flush()
            raise
        await flush()


def _gather(pieces: list[bytes | bytearray], data: bytes) -> None:
    """Adds what has come to the pieces, or to the last one of them if that is small."""
    last = pieces[-1] if pieces else b""
    if isinstance(last, bytearray) and len(last) < _SMALL:
        last += data
    else:
        pieces.append(bytearray(data) if len(data) < _SMALL else data)
