"""Mounts that are made on the host before there is a container: ID-mapped binds, and tmpfs that begins with what it covers."""

from __future__ import annotations

import os
import stat

from moby_tui.engine.kernel import mount as kernel
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.protocol.configuration import Configuration, Mount
from moby_tui.engine.runtime.birth import user_namespace
from moby_tui.engine.runtime.plan.filesystem.source import open_bind_source
from moby_tui.engine.runtime.plan.mount_options import MountOptions
from moby_tui.errors import MobyError


def make(spec: Configuration, root: int, namespace: int) -> dict[str, int]:
    """Detached trees by destination; ``namespace`` is the container's user namespace, or -1. Raises ``MobyError`` and ``OSError``."""
    made = {}
    for mount in spec.mounts:
        if {"idmap", "ridmap"} & set(mount.options):
            made[mount.destination] = _map_ids(mount, namespace)
        elif "tmpcopyup" in mount.options:
            made[mount.destination] = _copy_up(mount, root)
            # it is attached as any tree is
            mount.type = "bind"
    return made


def _map_ids(mount: Mount, namespace: int) -> int:
    own = -1
    if mount.uid_mappings:
        own = namespace = user_namespace.make(mount.uid_mappings, mount.gid_mappings)
    if namespace < 0:
        raise MobyError(f"the ids of the mount {mount.destination} are to be mapped, but neither it nor the container has a map")
    try:
        return open_bind_source(mount.source, MountOptions(mount.options), namespace)[0]
    except OSError as error:
        if error.errno == 22:
            raise MobyError(f"the file system of {mount.source} cannot map ids; leave idmap out") from error
        raise
    finally:
        if own >= 0:
            os.close(own)


def _copy_up(mount: Mount, root: int) -> int:
    options = MountOptions([option for option in mount.options if option != "tmpcopyup"])
    context = kernel.fsopen("tmpfs")
    try:
        for key, value in options.data:
            kernel.fsconfig_flag(context, key) if value is None else kernel.fsconfig_string(context, key, value)
        kernel.fsconfig_create(context)
        tree = kernel.fsmount(context)
    finally:
        os.close(context)
    try:
        source = open_in_root(root, mount.destination, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        source = -1
    if source >= 0:
        # few containers come here
        from moby_tui.engine.resources.volumes.populate import copy

        status = os.fstat(source)
        copy(source, tree)
        if not any(key == "mode" for key, _ in options.data):
            os.chmod(f"/proc/self/fd/{tree}", stat.S_IMODE(status.st_mode))
        os.close(source)
    if options.attributes:
        kernel.mount_setattr(tree, set=options.attributes)
    return tree
