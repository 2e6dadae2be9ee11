"""A source of a bind mount that only this engine knows: a part of a volume, or an image (light imports; few containers have any).

``subpath`` and ``layers`` (top-most first) are this engine's own in a mount of its configuration, because each start, also a
monitor's restart, resolves them anew.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from moby_tui.engine.kernel import ids
from moby_tui.engine.kernel import mount as kernel
from moby_tui.engine.kernel.path import RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, openat2
from moby_tui.engine.protocol.configuration import Mount
from moby_tui.engine.runtime.plan.mount_options import MountOptions

Maps = tuple[ids.IdMap, ids.IdMap]
_CLONE = kernel.OPEN_TREE_CLONE | kernel.OPEN_TREE_CLOEXEC


class NoSuchPart(FileNotFoundError):
    """The subpath is not there. ``kind`` is that of the start's failure (``birth/failure.py``)."""

    kind = "missing"


class PartOutside(OSError):
    """The subpath leads out of what it is in."""

    kind = "invalid"


def open_own(
    mount: Mount,
    options: MountOptions,
    user_namespace: int,
    maps: Maps,
    open_folder: Callable[[int], tuple[int, bool]],
) -> tuple[int, bool]:
    """The tree, and whether it is a directory. Raises ``OSError`` if the subpath is not there, or leads out of what it is in.

    ``open_folder`` makes the tree of the part of a volume that a descriptor is open for (``source.open_bind_source``)."""
    subpath = mount.subpath
    if mount.layers is not None:
        tree = _open_image(mount.layers, subpath, user_namespace, maps)
        kernel.mount_setattr(tree, propagation=kernel.MS_PRIVATE, set=kernel.MOUNT_ATTR_RDONLY)
        return tree, stat.S_ISDIR(os.fstat(tree).st_mode)
    source = mount.source
    volume = os.open(source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        part = _open_part(volume, subpath, source, f"{source}/{subpath}")
    finally:
        os.close(volume)
    try:
        return open_folder(part)
    finally:
        os.close(part)


def _open_part(top: int, subpath: str, base: str, shown: str) -> int:
    """Resolved by the kernel: a link may lead about in it, not out of it, whoever changes it meanwhile (CVE-2021-25741)."""
    try:
        return openat2(top, subpath, os.O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise PartOutside(
                error.errno, f"path concatenation escapes the base directory, base: {base}, subpath: {subpath}"
            ) from error
        kind = NoSuchPart if error.errno == errno.ENOENT else OSError
        raise kind(error.errno, f"cannot access path {shown}: {os.strerror(error.errno or 0).lower()}") from error


def _open_image(layers: list[str], subpath: str, user_namespace: int, maps: Maps) -> int:
    # few containers come here
    from moby_tui.engine.kernel import overlay

    if ids.is_identity(maps[0]) and ids.is_identity(maps[1]):
        tree = overlay.mount(layers, None)
    else:
        owner = ids.to_host(maps[0], ids.first(maps[0])), ids.to_host(maps[1], ids.first(maps[1]))
        tree = overlay.mount_mapped(layers, None, user_namespace, owner)
    if not subpath:
        return tree
    try:
        return overlay.in_own_namespace(lambda: _clone_part(tree, layers[0], subpath))
    finally:
        os.close(tree)


def _clone_part(tree: int, point: str, subpath: str) -> int:
    """A detached copy of a part of ``tree``, as a descriptor. Raises as ``_open_part``, and ``OSError``.

    Before Linux 6.15 only an attached mount can be copied, so ``tree`` is attached at ``point`` in this process's own mount namespace.
    """
    kernel.move_mount(tree, "", kernel.AT_FDCWD, point, kernel.MOVE_MOUNT_F_EMPTY_PATH)
    top = os.open(point, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    part = -1
    try:
        part = _open_part(top, subpath, "the image", f"{subpath} in the image")
        return kernel.open_tree(part, "", _CLONE | kernel.AT_EMPTY_PATH)
    finally:
        os.close(top)
        if part >= 0:
            os.close(part)
