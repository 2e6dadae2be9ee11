"""Archives between files and the asynchronous client, without ever holding one in memory."""

from __future__ import annotations

import asyncio
import os
import sys
import tarfile
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO

from moby_tui.errors import InvalidArgument

_CHUNK = 1 << 20


async def chunks_of(source: str) -> AsyncIterator[bytes]:
    """The bytes of a file, or of standard input for ``-``. Raises ``InvalidArgument`` where it cannot be read."""
    try:
        file: BinaryIO = sys.stdin.buffer if source == "-" else open(source, "rb")  # noqa: SIM115 - standard input is not ours to close
    except OSError as error:
        raise InvalidArgument(f"cannot read {source}: {(error.strerror or str(error)).lower()}") from None
    try:
        while data := await asyncio.to_thread(file.read, _CHUNK):
            yield data
    finally:
        if source != "-":
            file.close()


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


async def unpacked(chunks: AsyncIterator[bytes], read: Callable[[tarfile.TarFile], None]) -> None:
    """Hands the tar to ``read``, which works in a thread. Raises what ``read`` raises."""
    reading, writing = os.pipe()

    def consume() -> None:
        with os.fdopen(reading, "rb") as source, tarfile.open(fileobj=source, mode="r|") as archive:
            read(archive)
            while source.read(_CHUNK):
                pass

    consumer = asyncio.create_task(asyncio.to_thread(consume))
    with os.fdopen(writing, "wb", buffering=0) as sink:
        async for data in chunks:
            try:
                await asyncio.to_thread(_write_all, sink.fileno(), data)
            except BrokenPipeError:  # the reader has failed and says why below
                break
    await consumer


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
