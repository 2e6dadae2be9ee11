"""Folders of a build's caller, kept between its builds so that only changed files are sent."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from moby_tui.engine.kernel import trees
from moby_tui.engine.resources.builder.execution.digests import Digests, take
from moby_tui.engine.tasks import in_thread

#: The names of kept folders begin so, beside the folders of cache mounts.
PREFIX = "context-"
_CONTENT, _DIGESTS = "content", "digests"


@dataclass
class Kept:
    """``before`` are the digests of the last build, which count if nothing in the folder has changed since; ``digests`` count now."""

    folder: Path
    before: Digests = field(default_factory=Digests)
    digests: Digests = field(default_factory=Digests)


@asynccontextmanager
async def kept(places: Path, key: str, scratch: Path) -> AsyncIterator[Kept]:
    """The folder of a caller's with this key, locked until the end of the block; a new one in ``scratch`` if another build has it.

    It has what the caller sent the last time; a new one shares these files (link(2)): a file that has changed is made anew, under its
    name alone. Without a ``key`` nothing is kept.
    """
    place = places / f"{PREFIX}{hashlib.sha256(key.encode()).hexdigest()}"
    fd = _locked(place) if key else None
    if fd is None:
        folder = scratch / f"sent-{os.urandom(8).hex()}"
        folder.mkdir()
        if key:
            await in_thread(_share, place / _CONTENT, folder)
        yield Kept(folder)
        return
    try:
        os.utime(place)
        own = Kept(place / _CONTENT, take(place / _DIGESTS))
        own.folder.mkdir(mode=0o755, exist_ok=True)
        yield own
        own.digests.write(place / _DIGESTS)
    finally:
        os.close(fd)


def _share(source: Path, into: Path) -> None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    with suppress(FileNotFoundError), trees.closing(os.open(source, flags)) as there, trees.closing(os.open(into, flags)) as here:
        trees.link(there, here)


def _locked(place: Path) -> int | None:
    """The place's lock; None if another build has it."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd
