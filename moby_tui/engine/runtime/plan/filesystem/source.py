"""The sources of bind mounts, opened as detached trees by whoever still sees the host (light imports)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from functools import partial

from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.protocol.configuration import Configuration, Mount
from moby_tui.engine.runtime.plan.filesystem import guard
from moby_tui.engine.runtime.plan.mount_options import MountOptions
from moby_tui.engine.runtime.plan.process import joining


class Bind:
    """A bind mount's source as a detached tree, and whether its destination may lie in /proc (see ``guard``)."""

    __slots__ = ("directory", "over_proc", "tree")

    def __init__(self, tree: int, directory: bool, over_proc: bool) -> None:
        self.tree = tree
        self.directory = directory
        self.over_proc = over_proc


def open_binds(spec: Configuration, trees: dict[str, int], user_namespace: int) -> list[Bind]:
    """The sources of the bind mounts, in the order of the configuration. What is in ``trees``, by destination, was opened by the engine.

    Opened by the monitor: a process that was made ahead sees the mounts of the host as they were then. Raises ``OSError`` on one that
    cannot be opened, ``ValueError`` on one that may not be mounted where it is asked for.
    """
    binds = []
    open_own_sources(spec, trees, user_namespace)
    for mount in spec.mounts:
        if mount.type == "bind":
            if mount.destination in trees:
                tree = trees.pop(mount.destination)
                binds.append(Bind(tree, stat.S_ISDIR(os.fstat(tree).st_mode), over_proc=False))
                continue
            over_proc = guard.check_destination(mount.destination, mount.source)
            tree, directory = _open_with_ids(
                mount, user_namespace, partial(open_bind_source, mount.source, MountOptions(mount.options))
            )
            binds.append(Bind(tree, directory, over_proc))
    return binds


def _open_with_ids(mount: Mount, user_namespace: int, open_tree: Callable[[int], tuple[int, bool]]) -> tuple[int, bool]:
    """Calls ``open_tree`` with the user namespace that has the map of the mount: that of the container, or one of the mount's own."""
    if not mount.uid_mappings:
        return open_tree(user_namespace)
    # few containers have any
    from moby_tui.engine.kernel import user_namespace as user_namespaces

    own = user_namespaces.make(mount.uid_mappings, mount.gid_mappings)
    try:
        return open_tree(own)
    finally:
        os.close(own)


def open_own_sources(spec: Configuration, trees: dict[str, int], user_namespace: int) -> None:
    """Puts what only this engine can mount into ``trees`` (see ``own_source``). Raises ``OSError``."""
    for mount in spec.mounts:
        if (mount.subpath or mount.layers is not None) and mount.destination not in trees:
            trees[mount.destination] = _open_own(spec, mount, user_namespace)


def _open_own(spec: Configuration, mount: Mount, user_namespace: int) -> int:
    # few containers have any
    from moby_tui.engine.runtime.plan.filesystem import own_source

    options, maps = MountOptions(mount.options), joining.id_maps(spec)

    def open_tree(namespace: int) -> tuple[int, bool]:
        open_folder = partial(open_bind_source, "", options, namespace)
        return own_source.open_own(mount, options, namespace, maps, lambda part: open_folder(directory=part))

    return _open_with_ids(mount, user_namespace, open_tree)[0]


def open_bind_source(
    source: str, options: MountOptions, user_namespace: int = -1, *, directory: int = mounts.AT_FDCWD
) -> tuple[int, bool]:
    """A detached copy of what lies at ``source`` on the host, ready to be attached, and whether it is a directory.

    ``source`` is relative to the descriptor ``directory``; if it is empty, ``directory`` itself is copied. The monitor calls this before it
    clones the first process, which cannot reach paths of the host any more. With the option ``idmap`` owners are mapped by
    ``user_namespace``. Raises ``OSError``.
    """
    flags = mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC | (mounts.AT_RECURSIVE if options.recursive_bind else 0)
    tree = mounts.open_tree(directory, source, flags | (0 if source else mounts.AT_EMPTY_PATH))
    recursive = mounts.AT_EMPTY_PATH | (mounts.AT_RECURSIVE if options.recursive_bind else 0)
    # private unless asked otherwise: a mount made in the container must not appear on the host
    mounts.mount_setattr(tree, "", recursive, propagation=options.propagation or mounts.MS_PRIVATE)
    if attributes := options.attributes:
        # the kernel takes a way of keeping access times only in place of the other ones
        clear = mounts.MOUNT_ATTR__ATIME if attributes & mounts.MOUNT_ATTR__ATIME else 0
        # of the uppermost mount alone: those below have what they have, but for ``rro`` and the like (OCI, config.md, "Mounts")
        mounts.mount_setattr(tree, "", mounts.AT_EMPTY_PATH, set=attributes, clear=clear)
    if options.recursive_attributes or options.recursive_cleared:
        everywhere = mounts.AT_EMPTY_PATH | mounts.AT_RECURSIVE
        mounts.mount_setattr(tree, "", everywhere, set=options.recursive_attributes, clear=options.recursive_cleared)
    if options.idmap and user_namespace >= 0:
        _map_ids(tree, user_namespace, source or os.readlink(f"/proc/self/fd/{directory}"), recursive=options.recursive_idmap)
    return tree, stat.S_ISDIR(os.fstat(tree).st_mode)


def _map_ids(tree: int, user_namespace: int, source: str, *, recursive: bool) -> None:
    """Raises ``OSError``, with the name of the file system if it has no ID-mapped mounts (mount_setattr(2), EINVAL)."""
    reach = mounts.AT_EMPTY_PATH | (mounts.AT_RECURSIVE if recursive else 0)
    try:
        mounts.mount_setattr(tree, "", reach, set=mounts.MOUNT_ATTR_IDMAP, userns_fd=user_namespace)
    except OSError as error:
        if error.errno == errno.EINVAL:
            from moby_tui.engine.kernel.file_systems.mount_table import file_system

            kind = file_system(os.fstat(tree).st_dev)[0] or "unknown"
            text = f"the file system of {source} ({kind}) has no ID-mapped mounts: map no ids, or use ext4, xfs, btrfs or tmpfs"
        elif error.errno == errno.EPERM:
            text = f"the ids of {source} cannot be mapped: the mount that it lies in has mapped ids already; leave idmap out"
        else:
            raise
        raise OSError(text) from error
