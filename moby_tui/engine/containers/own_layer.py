"""A container's own layer that may hold only so much: ``--storage-opt size=``.

Where the data root has no project quotas, the layer lies on a file system in a file. It is mounted when the container is created, and stays
so until its removal; after the machine was started again, or in another mount namespace, whoever first asks for its files mounts it.
"""

from __future__ import annotations

import msgspec

from moby_tui.engine.kernel.shared_mount import is_mounted
from moby_tui.engine.policy import quota
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.state import LIMITED

_IMAGE = "limited.img"


def limit(files: ContainerPaths, options: dict[str, str]) -> ContainerPaths:
    """Limits the layer of a new container, whose folders are empty. Returns where it lies now.

    Blocking. Raises ``InvalidArgument`` if that cannot be had.
    """
    size = quota.of_storage_options(options)
    # what overlayfs prepares in the one it moves to the other: both are one project
    if not size or quota.limit([files.upper, files.work], size):
        return files
    for folder in (files.upper, files.work):
        folder.rmdir()
    quota.make_image(files.data / _IMAGE, size, refusal="--storage-opt size cannot be had")
    (files.data / LIMITED).mkdir(mode=0o710)
    files = mounted(files)
    files.upper.mkdir(mode=0o755)
    files.work.mkdir(mode=0o710)
    return files


def mounted(files: ContainerPaths) -> ContainerPaths:
    """The container's files, with its layer mounted if it is one of these. Blocking. Raises ``MobyError``."""
    if not (files.data / _IMAGE).exists():
        return files
    target = files.data / LIMITED
    if not is_mounted(str(target)):
        quota.mount_image(files.data / _IMAGE, target)
    return msgspec.structs.replace(files, limited=True)
