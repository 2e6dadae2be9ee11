"""What a user namespace's root could not make, made before the namespace is entered: device nodes (mknod(2)), a whole procfs."""

from __future__ import annotations

from moby_tui.engine.runtime.plan.configuration import Spec, entries, mount_options, section
from moby_tui.engine.runtime.plan.filesystem import masks
from moby_tui.engine.runtime.plan.filesystem.devices import Devices
from moby_tui.engine.runtime.plan.filesystem.root import FileSystemPlan
from moby_tui.engine.runtime.plan.mount_options import MountOptions
from moby_tui.engine.runtime.plan.program import Slot

#: Where ``make_ahead`` keeps what is no destination's.
MASKS, PROCFS = "masks", "procfs"


def make_ahead(files: FileSystemPlan, devices: Devices, spec: Spec) -> dict[str, Slot]:
    """Made by the host's root, for the container's.

    The detached trees, by destination; those of the masks and of a procfs to write through are ``MASKS`` and ``PROCFS``.
    """
    linux = section(spec, "linux")
    devices.give_to(linux["uidMappings"], linux["gidMappings"])  # type: ignore[arg-type]
    mounted = entries(spec, "mounts")
    made: dict[str, Slot] = {}
    if linux.get("maskedPaths"):
        made[MASKS] = masks.make_tree(files, devices, MASKS)
    for mount in mounted:
        if mount["destination"] == "/dev" and mount.get("type") == "tmpfs":
            made["/dev"] = devices.make_tree(mount_options(mount), entries(linux, "devices"))
    if not any(mount.get("type") == "proc" for mount in mounted):
        made[PROCFS] = files.new_mount("/proc", "proc", MountOptions([]))
    return made
