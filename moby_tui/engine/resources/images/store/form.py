"""How a layer lies on the disk: what is in its folder, and the form that overlayfs reads (kernel, filesystems/overlayfs.rst)."""

from __future__ import annotations

import os
import stat

#: In a layer's folder: what overlayfs takes, the bytes of its files, and the directories that it implies (see ``layers``).
DIFF, SIZE, IMPLIED = "diff", "size", "implied"
#: A directory with this attribute, ``y``, hides all that lower layers have in it.
OPAQUE = "trusted.overlay.opaque"


def is_whiteout(status: os.stat_result) -> bool:
    """Whether it hides a name of lower layers."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(directory: int | str | os.PathLike[str]) -> bool:
    """Whether a directory, by its descriptor or path, hides all that lower layers have in it."""
    try:
        return os.getxattr(directory, OPAQUE) == b"y"
    except OSError:
        return False
