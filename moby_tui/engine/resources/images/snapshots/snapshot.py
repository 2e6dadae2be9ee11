"""Root file systems from layers: overlayfs, as a detached mount (``kernel/overlay.py``)."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from moby_tui.engine.kernel import overlay
from moby_tui.errors import MobyError

#: Errors of a process or machine that is out of memory or descriptors; not the file system's fault.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def mount(layers: list[Path], upper: Path | None, work: Path | None) -> int:
    """A descriptor of a detached mount that shows ``layers`` (top-most first), written to in ``upper``, else read-only.

    ``work`` is an empty directory beside ``upper``. Blocking, some hundred microseconds. The caller closes the descriptor, which
    ends a mount that was not attached. Raises ``MobyError`` where overlayfs cannot be had.
    """
    if not layers and upper is None:
        raise MobyError("an image without layers has nothing to show; give it a writable layer")
    writable = (os.fspath(upper), os.fspath(work)) if upper and work else None
    try:
        return overlay.mount([os.fspath(layer) for layer in layers], writable)
    except OSError as error:
        if error.errno in _EXHAUSTED:
            raise
        raise MobyError(f"cannot mount the root file system: {error}; the data root must lie where overlayfs works") from error


def mount_mapped(layers: list[Path], upper: Path, work: Path, user_namespace: int, owner: tuple[int, int]) -> int:
    """As ``mount``, seen through the id map of a user namespace, of which ``owner`` is the root: see ``overlay.mount_mapped``."""
    try:
        writable = (os.fspath(upper), os.fspath(work))
        return overlay.mount_mapped([os.fspath(layer) for layer in layers], writable, user_namespace, owner)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise MobyError(
                "the data root's file system cannot map ids (ext4, xfs and btrfs can, tmpfs since Linux 6.3): "
                "put the data root on one that can, or run with --userns host"
            ) from error
        raise MobyError(f"cannot mount the root file system for a user namespace: {error}") from error
