"""Local files that are read piece by piece, and written as a whole: they appear when they are complete, or not at all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress

from moby_tui.errors import InvalidArgument

_CHUNK = 1 << 20


async def chunks_of(source: str) -> AsyncIterator[bytes]:
    """The bytes of a file. Raises ``InvalidArgument`` if it cannot be read."""
    try:
        file = open(source, "rb")  # noqa: SIM115 - what goes wrong later is not the name's fault
    except OSError as error:
        raise InvalidArgument(f"cannot read {source}: {(error.strerror or str(error)).lower()}") from None
    with file:
        while data := await asyncio.to_thread(file.read, _CHUNK):
            yield data


async def write_whole(chunks: AsyncIterator[bytes], target: str) -> None:
    """Writes a file, which appears when it is whole; what is there and is no file (a device, a pipe) is written to as it is.

    Raises ``InvalidArgument`` if it cannot be written.
    """
    if os.path.exists(target) and not os.path.isfile(target):
        await _into(target, chunks)
        return
    part = f"{target}.part"
    try:
        await _into(part, chunks)
        os.replace(part, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(part)
        raise


async def _into(path: str, chunks: AsyncIterator[bytes]) -> None:
    try:
        file = open(path, "wb")  # noqa: SIM115 - what goes wrong later is not the name's fault
    except OSError as error:
        raise InvalidArgument(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from None
    with file:
        async for data in chunks:
            await asyncio.to_thread(file.write, data)
