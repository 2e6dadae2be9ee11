"""Mounts that are made on the host before there is a container: tmpfs that begins with what it covers."""

from __future__ import annotations

import os
import stat

from moby_tui.engine.kernel import mount as kernel
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.protocol.configuration import Configuration, Mount
from moby_tui.engine.runtime.plan.mount_options import MountOptions


def make(spec: Configuration, root: int) -> dict[str, int]:
    """Detached trees by destination. Raises ``OSError``."""
    made = {}
    for mount in spec.mounts:
        if "tmpcopyup" in mount.options:
            made[mount.destination] = _copy_up(mount, root)
            # it is attached as any tree is
            mount.type = "bind"
    return made


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
        from moby_tui.engine.resources.volumes.tree_copy import copy

        status = os.fstat(source)
        copy(source, tree)
        if not any(key == "mode" for key, _ in options.data):
            os.chmod(f"/proc/self/fd/{tree}", stat.S_IMODE(status.st_mode))
        os.close(source)
    if options.attributes:
        kernel.mount_setattr(tree, set=options.attributes)
    return tree
