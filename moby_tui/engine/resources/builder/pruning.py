"""Prunes the build cache: cached steps, and the folders of ``RUN --mount=type=cache``."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from moby_tui.engine.resources.builder.sources import folders
from moby_tui.engine.store.records import build_steps

#: Whether a prune's filters match a step or folder, by its id, type and description.
Wanted = Callable[[str, str, str], bool]
_STEP = "regular"


class Prunable(msgspec.Struct):
    """What a prune removes: steps and folders of cache mounts by name, and the layers and blobs that only those steps use."""

    steps: list[str]
    mounts: list[str]
    digests: set[str]
    #: bytes of the steps' files and of the folders
    size: int


def prunable(
    steps: Path,
    mounts: Path,
    kept: Iterable[list[str]],
    older_than: float,
    room: int = 0,
    measure: Callable[[set[str]], int] = lambda digests: 0,
    wanted: Wanted = lambda ident, kind, description: True,
) -> Prunable:
    """What instructions made, but for what an image with these ``kept`` layers is made of, and what cache mounts hold. Blocking.

    ``older_than``: Unix seconds; what was used since stays. Of the rest as much of what was used last stays as ``room`` (bytes) is
    left for; ``measure`` tells what layers and blobs take that no image has. What is not ``wanted`` stays, beyond the ``room``.
    """
    used = {tuple(layers[:count]) for layers in kept for count in range(len(layers) + 1)}
    unused, staying = Prunable([], [], set(), 0), set[str]()
    for entry in sorted(entries(steps), key=lambda entry: _moment(entry.file), reverse=True):
        if not wanted(entry.file.name, _STEP, entry.description):
            staying |= entry.digests
            continue
        with suppress(FileNotFoundError):
            status = entry.file.stat()
            size = measure(entry.digests - staying) if room else 0
            if status.st_mtime >= older_than or entry.layers in used or (room and size <= room):
                staying |= entry.digests
                room = max(room - size, 0)
            else:
                unused.steps.append(entry.file.name)
                unused.digests |= entry.digests
                unused.size += status.st_blocks * 512
    unused.digests -= staying
    for place in sorted(_files(mounts), key=_moment, reverse=True):
        if not wanted(place.name, kind(place), ""):
            continue
        content = place / "content"
        with _locked(place) as alone:
            size = folders.size(place) if alone else 0
            if not alone or not content.is_dir():
                continue
            if place.stat().st_mtime >= older_than or (room and size <= room):
                room = max(room - size, 0)
            else:
                unused.mounts.append(place.name)
                unused.size += size
    return unused


def kind(place: Path) -> str:
    """The type of a record of the build cache for a folder that builds keep."""
    return "source.local" if place.name.startswith(folders.PREFIX) else "exec.cachemount"


def _moment(path: Path) -> float:
    """The time of the last use; 0 for a missing file."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0


def forget(folder: Path, steps: Iterable[str]) -> None:
    """Deletes steps by name. The image store removes their layers and blobs. Blocking."""
    for name in steps:
        (folder / name).unlink(missing_ok=True)


def empty(folder: Path, mounts: Iterable[str]) -> None:
    """Empties the folders of cache mounts that no build is using. Blocking."""
    for name in mounts:
        with suppress(FileNotFoundError), _locked(folder / name) as alone:
            if alone:
                folders.forget(folder / name)


class Entry(msgspec.Struct):
    """A step in the cache. ``layers`` is None where its file cannot be read."""

    file: Path
    layers: tuple[str, ...] | None
    digests: set[str]
    description: str
    created: str


def entries(folder: Path) -> Iterator[Entry]:
    """The steps that are in the cache. Blocking."""
    for file in _files(folder):
        try:
            step = build_steps.read(file.read_bytes())
        except FileNotFoundError:
            continue
        except msgspec.MsgspecError:
            yield Entry(file, None, set(), "", "")
            continue
        layers = tuple(step.config.rootfs.diff_ids)
        description = step.config.history[-1].created_by if step.config.history else ""
        digests = {*layers, *(blob.digest for blob in step.blobs)}
        yield Entry(file, layers, digests, description, step.config.created or "")


def named(folder: Path) -> set[str]:
    """The layers and blobs that cached steps use. Blocking."""
    return set().union(*(entry.digests for entry in entries(folder)))


def _files(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError):
        return sorted(folder.iterdir())
    return []


@contextmanager
def _locked(place: Path) -> Iterator[bool]:
    """True if no build has the folder locked; within the block none can lock it."""
    lock = os.open(place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)
