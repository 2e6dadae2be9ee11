"""Ranges of ids that running containers hold: no two that were given one here ever overlap.

A range is an empty file, named ``FIRST-SIZE``, under a shared lock of whoever uses it. The monitors hold the lock, so that a range is
free again as soon as the last container in it has ended, however it ended.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from moby_tui.errors import Unavailable

Span = tuple[int, int]


def claim(folder: Path, pool: Iterable[Span], size: int) -> tuple[int, int]:
    """The first of ``size`` ids that nobody has, out of the spans ``(first, count)``, and the descriptor that holds them.

    Raises ``Unavailable`` if there is no room.
    """
    with _guarded(folder):
        taken = sorted(_taken(folder))
        for first, count in pool:
            start = _gap(taken, first, count, size)
            if start is not None:
                return start, _hold(folder / f"{start}-{size}", os.O_CREAT)
    raise Unavailable(
        f"no {size} ids are free for another user namespace: ask for fewer (--userns auto:size=N), "
        "or give user containers more in /etc/subuid and /etc/subgid"
    )


def share(folder: Path, first: int, size: int) -> int | None:
    """Holds a range that a running container has, for another in the same user namespace; None if it is not one of ours."""
    with _guarded(folder):
        try:
            return _hold(folder / f"{first}-{size}", 0)
        except FileNotFoundError:
            return None


@contextmanager
def _guarded(folder: Path) -> Iterator[None]:
    """One process at a time looks at the ranges."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(folder / "lock", "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def _hold(path: Path, flags: int) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _taken(folder: Path) -> Iterable[Span]:
    for path in folder.glob("[0-9]*-[0-9]*"):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        except BlockingIOError:
            first, _, size = path.name.partition("-")
            yield int(first), int(size)
        finally:
            os.close(descriptor)


def _gap(taken: list[Span], first: int, count: int, size: int) -> int | None:
    start = first
    for used, length in taken:
        if used + length <= start:
            continue
        if start + size <= used:
            break
        start = used + length
    return start if start + size <= first + count else None
