"""The stage: what every container has alike, built ahead in the namespaces of a container that is not there yet.

A process that waits for an order has left the host's tree for a small file system of its own, where ``/proc``, ``/dev`` and
``/sys/fs/cgroup`` lie ready, masks and all, under the names that they will have. When the container is known they are moved into its
root as they are. Nothing of any container has been near the stage, and nothing of the host can be reached from it.
"""

from __future__ import annotations

import os

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.protocol.configuration import Configuration
from moby_tui.engine.protocol.defaults import MASKED_PATHS, READONLY_PATHS, STAGED
from moby_tui.engine.runtime.plan.filesystem.cgroups import mount_cgroups
from moby_tui.engine.runtime.plan.filesystem.devices import Devices
from moby_tui.engine.runtime.plan.filesystem.masks import create_masks, make_read_only, mask, open_masks
from moby_tui.engine.runtime.plan.filesystem.root import FileSystemPlan
from moby_tui.engine.runtime.plan.mount_options import MountOptions
from moby_tui.engine.runtime.plan.program import Program, Slot

#: Where the container's root is attached.
ROOT_POINT = "/root"
MASKS = ("/null", "/empty")
_PROC = "/proc/"
#: Hidden and read-only paths below /proc, which only depend on it.
HIDDEN = tuple(path for path in MASKED_PATHS if path.startswith(_PROC))
PROTECTED = tuple(path for path in READONLY_PATHS if path.startswith(_PROC))


class Stage:
    """A stage that stands. ``proc_sys`` is /proc/sys as it is below its read-only cover, for the sysctls that a container sets.

    ``hierarchies`` are those of ``mount_cgroups``, ``host_cgroups`` the descriptor of the host's cgroup namespace; None if no container on
    the stage goes back to it.
    """

    def __init__(self, hierarchies: list[dict[str, object]] | None = None, host_cgroups: Slot | None = None) -> None:
        self.proc_sys = Slot(-1)
        self.hierarchies = hierarchies or []
        self.host_cgroups = host_cgroups

    def serves(self, spec: Configuration) -> set[str]:
        """The destinations of the configuration's mounts that stand on the stage exactly as they are asked for."""
        mounts = {mount.destination: mount for mount in spec.mounts}
        served = {mount.destination for mount in STAGED if mounts.get(mount.destination) == mount}
        hidden = set(HIDDEN) <= set(spec.linux.masked_paths) and set(PROTECTED) <= set(spec.linux.readonly_paths)
        # a mount below /proc that is hidden afterwards would show if it came after the masks
        if not hidden or any(destination.startswith(_PROC) for destination in mounts):
            served.discard("/proc")
        return served if "/dev" in served else {path for path in served if not path.startswith("/dev/")}


def compile_stage(program: Program, devpts: Slot, stage: Stage) -> None:
    """Adds the steps that build the stage, for a process that is in its namespaces and control groups already."""
    tree = program.open_slot()
    files = FileSystemPlan(program, tree)
    devices = Devices(files)
    _leave_host(program, files, devices, tree)
    for mount in STAGED:
        destination, kind = mount.destination, mount.type
        options = MountOptions(mount.options)
        if kind == "cgroup":
            mount_cgroups(files, destination, options, stage.hierarchies)
        elif kind == "devpts":
            files.attach(devpts, destination)
        elif destination == "/dev":
            devices.mount_tree(options, [])
        else:
            files.attach(files.new_mount(destination, kind, options, source=mount.source), destination)
    sys_flags = os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY
    program.add("open /proc/sys", calls.openat, mounts.AT_FDCWD, b"/proc/sys", sys_flags, 0, out=stage.proc_sys)
    for path in PROTECTED:
        make_read_only(files, path)
    masks = open_masks(program, *MASKS)
    for path in HIDDEN:
        mask(files, path, masks)
    program.add("close", calls.close, masks[0])
    program.add("close", calls.close, masks[1])
    program.add("close", calls.close, tree)


def _leave_host(program: Program, files: FileSystemPlan, devices: Devices, tree: Slot) -> None:
    """A file system of its own becomes the root; the host's is let go, so that no mount of the host is held by a process that waits."""
    add = program.add
    files.make_private(mounts.MS_PRIVATE)
    made = files.new_mount("/", "tmpfs", MountOptions(["nosuid", "noexec", "mode=755", "size=64k"]))
    for name in ("root", "proc", "dev", "sys"):
        add(f"create /{name}", calls.mkdirat, made, name.encode(), 0o755)
    create_masks(program, devices, made)
    files.leave_host(made, "stage")
    add("enter stage", calls.openat, mounts.AT_FDCWD, b"/", os.O_PATH | os.O_CLOEXEC, 0, out=tree)
    add("close", calls.close, made)
