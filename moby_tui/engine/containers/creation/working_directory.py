"""Makes a container's working directory in its own layer when the container is created, as dockerd does: ``cp`` and ``diff`` then show it.

Below a volume or bind it is made again by the start, in what is mounted there.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from moby_tui.engine.kernel.path import make_in_root
from moby_tui.engine.kernel.trees import closing
from moby_tui.engine.resources.images.snapshots import snapshot
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.errors import MobyError


def make(directory: str, layers: list[Path], files: ContainerPaths) -> None:
    """Makes ``directory`` and what is missing above it, with mode 0755 and owner root, in a container that no process uses yet.

    Raises ``MobyError`` if one of the path's names is a file.
    """
    with closing(snapshot.mount(layers, files.upper, files.work)) as root:
        try:
            made = make_in_root(root, os.fsencode(directory))
        except NotADirectoryError:
            raise _no_directory(directory) from None
        with closing(made):
            if not stat.S_ISDIR(os.fstat(made).st_mode):
                raise _no_directory(directory)


def _no_directory(path: str) -> MobyError:
    return MobyError(f"Cannot mkdir: {path} is not a directory")
