"""Giving the build cache's space back: what instructions made, and the folders of ``RUN --mount=type=cache``."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from moby_tui.engine.kernel import trees
from moby_tui.engine.resources.build.image import BuiltImage
from moby_tui.schema.base import decode


def prune_steps(folder: Path, kept: Iterable[list[str]], older_than: float) -> tuple[list[str], int]:
    """Forgets what instructions made, but for what an image with these ``kept`` layers is made of. Blocking.

    ``older_than``: Unix seconds; what was used since stays. Returns the names, and the bytes of the files themselves: the layers they
    name go with the next look at the store, where no image has them.
    """
    used = {tuple(layers[:count]) for layers in kept for count in range(len(layers) + 1)}
    gone, size = [], 0
    for file in _files(folder):
        with suppress(FileNotFoundError):
            status = file.stat()
            if status.st_mtime < older_than and not _is_used(file, used):
                file.unlink()
                gone.append(file.name)
                size += status.st_size
    return gone, size


def _is_used(file: Path, used: set[tuple[str, ...]]) -> bool:
    try:
        return tuple(decode(file.read_bytes(), BuiltImage).config.rootfs.diff_ids) in used
    except msgspec.MsgspecError:
        return False


def prune_mounts(folder: Path, older_than: float) -> tuple[list[str], int]:
    """Empties the folders that no build is using. Blocking. Returns their names and what they took on the disk."""
    gone, size = [], 0
    for place in _files(folder):
        with _alone(place) as alone:
            content = place / "content"
            if alone and content.is_dir() and place.stat().st_mtime < older_than:
                size += _disk_use(content)
                trees.remove(content)
                gone.append(place.name)
    return gone, size


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


def _disk_use(folder: Path) -> int:
    """In bytes, as du(1) counts: a file with several names once, and no link is followed."""
    seen: dict[tuple[int, int], int] = {}
    for top, _, names, fd in os.fwalk(folder, follow_symlinks=False):
        del top
        for name in (".", *names):
            with suppress(FileNotFoundError):
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())
