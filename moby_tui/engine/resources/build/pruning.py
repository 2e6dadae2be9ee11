"""What the build cache keeps, and giving it back: what instructions made, and the folders of ``RUN --mount=type=cache``."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from moby_tui.engine.kernel import trees
from moby_tui.engine.resources.build.image import BuiltImage
from moby_tui.schema.base import decode


@dataclass(frozen=True)
class Entry:
    """One step in the cache; ``used`` in Unix seconds."""

    file: Path
    image: BuiltImage
    size: int
    used: float

    @property
    def layers(self) -> list[str]:
        return self.image.config.rootfs.diff_ids


def entries(folder: Path) -> list[Entry]:
    """All that can be read, the longest unused first. Blocking."""
    found = []
    for file in _files(folder):
        with suppress(FileNotFoundError, msgspec.MsgspecError):
            data, status = file.read_bytes(), file.stat()
            found.append(Entry(file, decode(data, BuiltImage), len(data), status.st_mtime))
    return sorted(found, key=lambda entry: entry.used)


def held(folder: Path) -> tuple[set[str], set[str]]:
    """The layers and blobs that the cache is made of. Blocking."""
    known = entries(folder)
    return (
        {diff_id for entry in known for diff_id in entry.layers},
        {blob.digest for entry in known for blob in entry.image.blobs},
    )


def prune_steps(
    folder: Path, kept: Iterable[list[str]], older_than: float, most: int, size_of: Callable[[str], int]
) -> list[Entry]:
    """Forgets what instructions made, but for what an image with these ``kept`` layers is made of. Blocking.

    ``older_than``: Unix seconds; what was used since stays. ``most``: as many bytes of layers as may stay, the last used first; 0 is none.
    """
    used = {tuple(layers[:count]) for layers in kept for count in range(len(layers) + 1)}
    theirs = {diff_id for layers in used for diff_id in layers}
    gone, staying, total = [], set(theirs), 0
    for entry in reversed(entries(folder)):
        own = set(entry.layers) - staying
        size = sum(map(size_of, own))
        spared = tuple(entry.layers) in used or entry.used >= older_than
        if spared or (most and total + size <= most):
            staying |= own
            total += size
        else:
            entry.file.unlink(missing_ok=True)
            gone.append(entry)
    return gone


def prune_mounts(folder: Path, older_than: float, room: int = 0) -> tuple[list[str], int]:
    """Empties the folders that no build is using, but for as many of the last used as have ``room`` (bytes). Blocking.

    Returns their names and what they took on the disk.
    """
    gone, total = [], 0
    for place in sorted(_files(folder), key=lambda place: place.stat().st_mtime, reverse=True):
        with _alone(place) as alone:
            content = place / "content"
            if not alone or not content.is_dir() or place.stat().st_mtime >= older_than:
                continue
            size = disk_use(content)
            if size <= room:
                room -= size
                continue
            trees.remove(content)
            gone.append(place.name)
            total += size
    return gone, total


def mounts(folder: Path) -> Iterator[tuple[Path, int]]:
    """The folders of cache mounts, and what each takes on the disk. Blocking."""
    for place in _files(folder):
        if (content := place / "content").is_dir():
            yield place, disk_use(content)


def _files(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError):
        return sorted(folder.iterdir())
    return []


@contextmanager
def _alone(place: Path) -> Iterator[bool]:
    """Whether nobody holds it; nobody can take it meanwhile."""
    lock = os.open(place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)


def disk_use(folder: Path) -> int:
    """In bytes, as du(1) counts: a file with several names once, and no link is followed."""
    seen: dict[tuple[int, int], int] = {}
    for top, _, names, fd in os.fwalk(folder, follow_symlinks=False):
        del top
        for name in (".", *names):
            with suppress(FileNotFoundError):
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())
