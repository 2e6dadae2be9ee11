"""Layers of an archive that are unpacked while the archive arrives.

Which of its files are layers, and what their diff ids are, stands at the end of most archives. So each large file that looks like a layer is
unpacked as it comes, into the folder of the load, and becomes a layer of the store once an image needs it and its diff id is the right one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from moby_tui.engine.archive.compression import GZIP, ZSTD, detect
from moby_tui.engine.resources.images.snapshots.layers import WORTH_A_PROCESS, LayerStore
from moby_tui.engine.resources.images.store.content import ContentStore, Ingest
from moby_tui.engine.tasks import settled
from moby_tui.errors import MobyError

#: The bytes of a file that tell what it is.
HEAD = 512
#: Where a tar says what it is (tar(5), "POSIX ustar").
_MAGIC = slice(257, 262)
#: Files that are unpacked early: each is open until the load has ended.
_MOST = 64
#: For each byte of a file so many must be free: what is unpacked in vain must not fill the disk.
_ROOM = 16
_DIGITS = frozenset("0123456789abcdef")
_DIGEST = 64


class _Early(NamedTuple):
    ingest: Ingest
    folder: Path
    #: gives the diff id
    unpacking: asyncio.Task[str]


class EarlyLayers:
    """Those of one load. Use as a context manager, within which the whole archive is read."""

    def __init__(self, layers: LayerStore, content: ContentStore, folder: Path) -> None:
        """``folder`` is in a claimed folder of staging."""
        self._layers = layers
        self._content = content
        self._folder = folder
        self._loop = asyncio.get_running_loop()
        self._early: dict[Path, _Early] = {}

    async def __aenter__(self) -> EarlyLayers:
        self._folder.mkdir()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._end(list(self._early))
        for early in self._early.values():
            early.ingest.__exit__()

    def is_worth_it(self, name: str, size: int, head: bytes) -> bool:
        """True for a file of the archive that looks like a layer, and is not known to be here. From any thread."""
        if size < WORTH_A_PROCESS or len(self._early) >= _MOST:
            return False
        if detect(head) not in (GZIP, ZSTD) and head[_MAGIC] != b"ustar":
            return False
        if any(self._layers.has(digest) or self._content.has(digest) for digest in _digests(name)):
            return False
        status = os.statvfs(self._folder)
        return status.f_bavail * status.f_frsize > size * _ROOM

    def begin(self, file: Path, ingest: Ingest, size: int) -> None:
        """Unpacks what is written to ``ingest``, which is closed at the end of the block. From the thread that reads the archive."""
        asyncio.run_coroutine_threadsafe(self._begin(file, ingest, size), self._loop).result()

    async def _begin(self, file: Path, ingest: Ingest, size: int) -> None:
        folder = self._folder / file.name
        folder.mkdir()
        self._early[file] = _Early(ingest, folder, asyncio.create_task(self._layers.unpack_early(ingest, size, folder)))

    async def only(self, files: Collection[Path]) -> None:
        """Ends the unpacking of all other files."""
        await self._end([file for file in self._early if file not in files])

    async def _end(self, files: list[Path]) -> None:
        for file in files:
            early = self._early[file]
            early.ingest.fail(MobyError("the load has ended"))
            early.unpacking.cancel()
            with suppress(Exception, asyncio.CancelledError):
                await settled(early.unpacking)

    async def unpacked(self, file: Path, diff_id: str) -> Path | None:
        """The folder of the layer that this file is; None if it is not unpacked, or is another layer."""
        early = self._early.get(file)
        if early is None:
            return None
        try:
            digest = await asyncio.shield(early.unpacking)
        except (MobyError, OSError):
            return None
        return early.folder / "layer" if digest == diff_id else None


def _digests(name: str) -> Iterator[str]:
    """Those in the name of a file: archives call a layer by the digest of its blob or by its diff id."""
    for part in name.replace(".", "/").split("/"):
        if len(part) == _DIGEST and _DIGITS.issuperset(part):
            yield f"sha256:{part}"
