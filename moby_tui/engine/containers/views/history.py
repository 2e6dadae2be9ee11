"""A stream of an attachment that begins with the container's log so far (``docker attach`` with ``logs=1``)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from moby_tui.schema.stream import Stream, frame


def history_stream(past: AsyncIterator[tuple[int, bytes]], live: Stream | None, *, tty: bool) -> Stream:
    """The lines of ``past``, framed as the live stream is, then ``live`` itself, if there is one."""
    joined = _Joined(past, live, tty=tty)
    return Stream(joined, joined, tty=tty)


class _Joined:
    """The reader and the writer of such a stream; what is written goes to the live stream."""

    def __init__(self, past: AsyncIterator[tuple[int, bytes]], live: Stream | None, *, tty: bool) -> None:
        self._past: AsyncIterator[tuple[int, bytes]] | None = past
        self._live = live
        self._tty = tty

    async def read(self, n: int = -1) -> bytes:
        if self._past is not None:
            async for stream, line in self._past:
                return line if self._tty else frame(stream, line)
            self._past = None
        return await self._live.read_raw(n) if self._live is not None else b""

    def write(self, data: bytes) -> None:
        if self._live is not None:
            self._live.send(data)

    async def drain(self) -> None:
        if self._live is not None:
            await self._live.drain()

    def can_write_eof(self) -> bool:
        return self._live is not None

    def write_eof(self) -> None:
        if self._live is not None:
            self._live.close_stdin()

    def close(self) -> None:
        if self._live is not None:
            self._live.close()
