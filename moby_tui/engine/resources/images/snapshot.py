"""Root file systems from layers: overlayfs, as a mount that is attached nowhere yet (``kernel/overlay.py``)."""

from __future__ import annotations

import os
from pathlib import Path

from moby_tui.engine.kernel import overlay
from moby_tui.errors import MobyError


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
        raise MobyError(f"cannot mount the root file system: {error}; the data root must lie where overlayfs works") from error
