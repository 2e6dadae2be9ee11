"""Folders that a build's caller has sent, kept between its builds: what has not changed is not sent again, or not unpacked again."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.process import boot_id
from moby_tui.engine.resources.builder.execution.digests import Digests, take
from moby_tui.engine.resources.builder.execution.mounts import OLD
from moby_tui.engine.tasks import in_thread

#: The names of kept folders begin so, beside the folders of cache mounts.
PREFIX = "context-"
_CONTENT, _DIGESTS, _NOTE = "content", "digests", "note"


@dataclass
class Kept:
    """``before`` are the digests of the last build, which count if nothing in the folder has changed since; ``digests`` count now.

    ``noted`` is what the last build noted of the content that it left, if it ended well and since this boot; ``note`` is this build's.
    """

    folder: Path
    before: Digests = field(default_factory=Digests)
    digests: Digests = field(default_factory=Digests)
    noted: bytes = b""
    note: bytes = b""


@asynccontextmanager
async def kept(places: Path, key: str, scratch: Path, *, share: bool = True) -> AsyncIterator[Kept]:
    """The folder of a caller's with this key, locked until the end of the block; a new one in ``scratch`` if another build has it.

    It has what the caller sent the last time; a new one shares these files (link(2)): a file that has changed is made anew, under its
    name alone. Without ``share`` a new one is empty. Without a ``key`` nothing is kept.
    """
    place = places / f"{PREFIX}{hashlib.sha256(key.encode()).hexdigest()}"
    fd = _locked(place) if key else None
    if fd is None:
        folder = scratch / f"sent-{os.urandom(8).hex()}"
        folder.mkdir()
        if key and share:
            await in_thread(_share, place / _CONTENT, folder)
        yield Kept(folder)
        return
    try:
        os.utime(place)
        own = Kept(place / _CONTENT, take(place / _DIGESTS), noted=_take_note(place / _NOTE))
        try:
            own.folder.mkdir(mode=0o755)
            own.noted = b""
        except FileExistsError:
            pass
        yield own
        own.digests.write(place / _DIGESTS)
        _write_note(place / _NOTE, own.note)
    finally:
        os.close(fd)


def size(place: Path) -> int:
    """The bytes that ``forget`` frees. Blocking."""
    meter = trees.Meter()
    return sum(meter.of(place / name) for name in (_NOTE, _DIGESTS, _CONTENT))


def forget(place: Path) -> None:
    """Empties a kept folder, or that of a cache mount, which the caller has locked. Blocking."""
    for name in (_NOTE, _DIGESTS):
        (place / name).unlink(missing_ok=True)
    trees.remove(place / _CONTENT)
    for old in place.glob(f"{OLD}*"):
        trees.remove(old)


def _take_note(file: Path) -> bytes:
    """What was written, wholly and since this boot: a power cut may have taken contents. It is gone then, as in ``take``."""
    with suppress(FileNotFoundError):
        head, _, note = file.read_bytes().partition(b"\n")
        file.unlink()
        return note if head == _head(note) else b""
    return b""


def _write_note(file: Path, note: bytes) -> None:
    """On a full disk there is none, or a part of it, which does not count: the next build looks at the files."""
    if note:
        with suppress(OSError):
            file.write_bytes(_head(note) + b"\n" + note)


def _head(note: bytes) -> bytes:
    return f"{boot_id()} {len(note)}".encode()


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
