"""A proxy before a registry that breaks connections, or holds them, after so many bytes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_LINE = re.compile(rb"^([A-Z]+) (\S+) HTTP/1\.1\r\n(.*?)\r\n\r\n", re.DOTALL | re.MULTILINE)
_HEADER = re.compile(rb"^(Range|Content-Range): *(.*?)\r?$", re.MULTILINE | re.IGNORECASE)


class Cutter:
    """``down`` and ``up``: how many bytes of answers, or of requests, still pass. Where none are left, every connection ends, and
    no new one works; with ``hold`` nothing moves any more instead."""

    def __init__(self, registry: str) -> None:
        self._host, _, port = registry.partition(":")
        self._port = int(port)
        self.address = ""
        self.asked: list[tuple[str, str, str]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.heal()

    def heal(self) -> None:
        self.down = self.up = 1 << 60
        self.hold = False
        #: how many connections are broken before it mends by itself; -1: it does not
        self.breaks = -1
        self.asked.clear()

    def ranges(self) -> list[str]:
        """What was asked for with a range, or sent with one."""
        return [span for _, _, span in self.asked if span]

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        writers = [back]
        try:
            server, forth = await asyncio.open_connection(self._host, self._port)
            writers.append(forth)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(client, forth, "up"))
                group.create_task(self._pass(server, back, "down"))
        except* (ConnectionError, OSError):
            pass
        finally:
            for writer in writers:
                writer.close()
            self._tasks.discard(task)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, way: str) -> None:
        while True:
            if getattr(self, way) <= 0:
                await self._cut(way)
            data = await source.read(1 << 16)
            if not data:
                raise ConnectionError
            data = data[: max(0, getattr(self, way))]
            setattr(self, way, getattr(self, way) - len(data))
            if way == "up":
                self._note(data)
            target.write(data)
            await target.drain()

    async def _cut(self, way: str) -> None:
        if self.hold:
            await asyncio.sleep(3600)
        if self.breaks > 0:
            self.breaks -= 1
            if self.breaks == 0:
                setattr(self, way, 1 << 60)
        raise ConnectionError

    def _note(self, data: bytes) -> None:
        for method, path, headers in _LINE.findall(data + b"\r\n\r\n" if b"\r\n\r\n" not in data else data):
            found = _HEADER.search(headers)
            self.asked.append((method.decode(), path.decode(), found[2].decode() if found else ""))

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def cutting(registry: str) -> AsyncIterator[Cutter]:
    """A proxy for the registry at this address; ``address`` is its own."""
    cutter = Cutter(registry)
    server = await asyncio.start_server(cutter.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    cutter.address = f"{host}:{port}"
    try:
        yield cutter
    finally:
        server.close()
        await cutter.close()
