"""Entering control groups, and the mounts that show them (cgroups(7), cgroup_namespaces(7))."""

from __future__ import annotations

import ctypes
import errno
import os

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.runtime.plan.filesystem.root import FileSystemPlan
from moby_tui.engine.runtime.plan.mount_options import MountOptions
from moby_tui.engine.runtime.plan.program import Label, Program, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: What mounting a hierarchy that is not ours to mount fails with.
_NOT_OURS = (errno.EPERM, errno.EBUSY, errno.EINVAL, errno.ENODEV)


def enter(program: Program, entrances: Sequence[int | Slot]) -> None:
    """``entrances`` are files that a process writes 0 to, to be in a control group."""
    zero = program.keep(ctypes.create_string_buffer(b"0"))
    for entrance in entrances:
        program.add("enter control group", calls.write, entrance, zero, 1)


def is_legacy(hierarchies: list[dict[str, object]]) -> bool:
    """True for control groups of version 1."""
    return any(hierarchy["type"] == "cgroup" for hierarchy in hierarchies)


def unshare_namespace(program: Program) -> None:
    program.add("new cgroup namespace", calls.unshare, processes.CLONE_NEWCGROUP)


def unshare_for_mounts(program: Program) -> Slot:
    """Enters a new cgroup namespace until ``leave``: what is mounted in it shows the container's own subtree, also after that.

    So a container in the host's cgroup namespace sees no hierarchy whole, as with runc, whose bind mounts do the same for version 1.
    Returns the descriptor that ``leave`` takes.
    """
    before = program.open_slot()
    flags = os.O_RDONLY | os.O_CLOEXEC
    program.add("open cgroup namespace", calls.openat, mounts.AT_FDCWD, b"/proc/self/ns/cgroup", flags, 0, out=before)
    unshare_namespace(program)
    return before


def leave(program: Program, before: Slot) -> None:
    program.add("leave cgroup namespace", calls.setns, before, processes.CLONE_NEWCGROUP)


def mount_cgroups(files: FileSystemPlan, destination: str, options: MountOptions, hierarchies: list[dict[str, object]]) -> None:
    """One cgroup2 mount, or a tmpfs with one mount for each v1 hierarchy. Inside the cgroup namespace each shows our own subtree only.

    ``hierarchies``: ``{"type": "cgroup2"}`` alone, or for each ``{"type": "cgroup", "name": folder, "options": [...], "links": [...]}``.
    """
    read_only = "ro" if options.attributes & mounts.MOUNT_ATTR_RDONLY else "rw"
    flags = ["nosuid", "nodev", "noexec"]
    if len(hierarchies) == 1 and hierarchies[0]["type"] == "cgroup2":
        files.attach(files.new_mount(destination, "cgroup2", MountOptions([*flags, read_only])), destination)
        return
    _mount_hierarchy_folders(files, destination, hierarchies)
    for hierarchy in hierarchies:
        folder, kind = f"{destination}/{hierarchy['name']}", str(hierarchy["type"])
        kernel_options = _texts(hierarchy, "options") if kind == "cgroup" else []
        # a hierarchy that is not ours to mount is left out: the container then does not see it
        end = Label()
        refused: dict[int, Label | None] = dict.fromkeys(_NOT_OURS, end)
        files.attach(files.new_mount(folder, kind, MountOptions([*flags, read_only, *kernel_options]), on=refused), folder)
        files.program.place(end)


def _mount_hierarchy_folders(files: FileSystemPlan, destination: str, hierarchies: list[dict[str, object]]) -> None:
    """The tmpfs on which v1 hierarchies are mounted, a folder each, with links for those that share one."""
    tree = files.new_mount(destination, "tmpfs", MountOptions(["nosuid", "nodev", "noexec", "mode=755", "size=64k"]))
    for hierarchy in hierarchies:
        folder = str(hierarchy["name"]).encode()
        files.program.add(f"create {destination}/{hierarchy['name']}", calls.mkdirat, tree, folder, 0o755)
        for link in _texts(hierarchy, "links"):
            files.program.add(
                f"create {destination}/{link}", calls.symlinkat, folder, tree, link.encode(), on={errno.EEXIST: None}
            )
    files.attach(tree, destination)


def _texts(holder: dict[str, object], key: str) -> list[str]:
    value = holder.get(key)
    return [str(text) for text in value] if isinstance(value, list) else []
