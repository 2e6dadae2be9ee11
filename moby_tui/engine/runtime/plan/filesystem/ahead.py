"""What a user namespace's root could not make, made before the namespace is entered: device nodes (mknod(2)), a whole procfs."""

from __future__ import annotations

from moby_tui.engine.protocol.configuration import Configuration
from moby_tui.engine.runtime.plan.filesystem import masks
from moby_tui.engine.runtime.plan.filesystem.devices import Devices
from moby_tui.engine.runtime.plan.filesystem.root import FileSystemPlan
from moby_tui.engine.runtime.plan.mount_options import MountOptions
from moby_tui.engine.runtime.plan.program import Slot

#: Where ``make_ahead`` keeps what is no destination's.
MASKS, PROCFS = "masks", "procfs"


def make_ahead(files: FileSystemPlan, devices: Devices, spec: Configuration) -> dict[str, Slot]:
    """Makes the mounts that only the host's root may make, before the process enters the container's user namespace.

    Returns the detached trees, by destination; those of the masks and of a procfs to write through are ``MASKS`` and ``PROCFS``.
    """
    linux = spec.linux
    devices.give_to(linux.uid_mappings, linux.gid_mappings)
    made: dict[str, Slot] = {}
    if linux.masked_paths:
        made[MASKS] = masks.make_tree(files, devices, MASKS)
    for mount in spec.mounts:
        if mount.destination == "/dev" and mount.type == "tmpfs":
            made["/dev"] = devices.make_tree(MountOptions(mount.options), linux.devices)
    if not any(mount.type == "proc" for mount in spec.mounts):
        made[PROCFS] = files.new_mount("/proc", "proc", MountOptions([]))
    return made
