"""Archives between files and the asynchronous client, without ever holding one in memory."""

from __future__ import annotations

import asyncio
import os
import sys
import tarfile
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

_CHUNK = 1 << 20


async def chunks_of(source: str) -> AsyncIterator[bytes]:
    """The bytes of a file, or of standard input for ``-``. Raises ``InvalidArgument`` if it cannot be read."""
    try:
        file: BinaryIO = sys.stdin.buffer if source == "-" else open(source, "rb")  # noqa: SIM115 - standard input is not ours to close
    except OSError as error:
        raise InvalidArgument(f"open {source}: {(error.strerror or str(error)).lower()}") from None
    try:
        while data := await asyncio.to_thread(file.read, _CHUNK):
            yield data
    finally:
        if source != "-":
            file.close()


async def write_archive(chunks: AsyncIterator[bytes], target: str) -> None:
    """Writes an archive to a file, or to standard output for ``-``.

    A file appears when it is whole; what is there and is no file (a device, a pipe) is written to as it is. Raises ``InvalidArgument``.
    """
    if target == "-":
        await _to_output(chunks)
    else:
        from moby_tui.copying.whole import write_whole

        await write_whole(chunks, target)


async def _to_output(chunks: AsyncIterator[bytes]) -> None:
    from moby_tui.cli.terminal.attachment import write_output

    if sys.stdout.isatty():
        own = "refusing to write an archive to a terminal: redirect the output, or name a file with -o"
        dockers = "cowardly refusing to save to a terminal. Use the -o flag or redirect"
        raise InvalidArgument(session.phrase(own, dockers))
    async for data in chunks:
        await write_output(1, data)


async def packed(write: Callable[[tarfile.TarFile], None]) -> AsyncIterator[bytes]:
    """The tar that ``write`` makes in a thread, as it makes it. Raises what ``write`` raises."""
    reading, writing = os.pipe()

    def produce() -> None:
        with os.fdopen(writing, "wb") as sink, tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            write(archive)

    producer = asyncio.create_task(asyncio.to_thread(produce))
    with os.fdopen(reading, "rb", buffering=0) as source:
        while data := await asyncio.to_thread(source.read, _CHUNK):
            yield data
    await producer
