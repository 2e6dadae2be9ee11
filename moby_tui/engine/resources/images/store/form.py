"""A layer on disk: the names in its folder, and the marks of overlayfs (kernel, filesystems/overlayfs.rst)."""

from __future__ import annotations

import os
import stat

#: In a layer's folder: its tree for overlayfs, the bytes of its files, and the list of its implied directories (see ``layers``).
DIFF, SIZE, IMPLIED = "diff", "size", "implied"
#: A directory with this attribute, ``y``, hides all that lower layers have in it.
OPAQUE = "trusted.overlay.opaque"


def is_whiteout(status: os.stat_result) -> bool:
    """True for a whiteout, which hides a name of lower layers."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(directory: int | str | os.PathLike[str]) -> bool:
    """True if a directory, given by descriptor or path, hides all that lower layers have in it."""
    try:
        return os.getxattr(directory, OPAQUE) == b"y"
    except OSError:
        return False
