"""Hiding paths of a container and making them read-only (OCI configuration: ``maskedPaths``, ``readonlyPaths``)."""

from __future__ import annotations

import errno
import os
import stat

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.runtime.plan.filesystem.devices import Devices
from moby_tui.engine.runtime.plan.filesystem.root import ATTACH, FileSystemPlan
from moby_tui.engine.runtime.plan.mount_options import MountOptions
from moby_tui.engine.runtime.plan.program import Label, Program, Slot

_OPTIONS = ["nosuid", "noexec", "size=4k", "nr_inodes=4"]


def make_masks(files: FileSystemPlan, devices: Devices, mount_point: str, made: Slot | None = None) -> tuple[Slot, Slot]:
    """A null device and an empty directory of our own to hide paths with, on a tmpfs that only this namespace ever sees.

    Theirs are not the container's: it cannot have put something else in their place (CVE-2025-31133).
    """
    tree = made if made is not None else make_tree(files, devices, mount_point)
    flags = mounts.MOVE_MOUNT_F_EMPTY_PATH
    files.program.add("attach masks", calls.move_mount, tree, b"", mounts.AT_FDCWD, os.fsencode(mount_point), flags)
    return open_masks(files.program, "null", "empty", tree)


def make_tree(files: FileSystemPlan, devices: Devices, name: str) -> Slot:
    """The tmpfs that they are on, still detached."""
    tree = files.new_mount(name, "tmpfs", MountOptions(_OPTIONS))
    create_masks(files.program, devices, tree)
    return tree


def create_masks(program: Program, devices: Devices, tree: Slot) -> None:
    devices.create(tree, "null", stat.S_IFCHR, 1, 3, 0o666, 0, 0)
    program.add("create mask", calls.mkdirat, tree, b"empty", 0o555)


def open_masks(program: Program, null: str, empty: str, folder: int | Slot = mounts.AT_FDCWD) -> tuple[Slot, Slot]:
    """The null device and the empty directory that ``make_masks`` or the stage has made."""
    slots = program.open_slot(), program.open_slot()
    for path, slot in zip((null, empty), slots, strict=True):
        program.add("open mask", calls.openat, folder, path.encode(), os.O_PATH | os.O_CLOEXEC, 0, out=slot)
    return slots


def mask(files: FileSystemPlan, path: str, masks: tuple[Slot, Slot]) -> None:
    """Hides a path: a file under a null device, a directory under an empty one, read-only. One that is missing is left so.

    It is looked at first which of both it is: a mask that turns out to be of the wrong kind would stay a detached mount until execve, which
    then waits for a grace period (RCU) of the kernel.
    """
    program = files.program
    null, empty = masks
    end, is_file, close = Label(), Label(), Label()
    target = program.open_slot()
    missing: dict[int, Label | None] = {errno.ENOENT: end, errno.EACCES: end, errno.ELOOP: end}
    files.resolve_folder(path, target, {**missing, errno.ENOTDIR: is_file}, f"mask {path}")
    _cover(files, path, empty, target, close)
    program.place(is_file)
    files.resolve(path, target, {**missing, errno.ENOTDIR: end}, name=f"mask {path}")
    _cover(files, path, null, target, None)
    program.place(close)
    program.add("close", calls.close, target)
    program.place(end)


def _cover(files: FileSystemPlan, path: str, source: Slot, target: Slot, then: Label | None) -> None:
    tree = files.program.open_slot()
    flags = mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC | mounts.AT_EMPTY_PATH
    files.program.add(f"mask {path}", calls.open_tree, source, b"", flags, out=tree)
    files.set_attributes(path, tree, mounts.MOUNT_ATTR_RDONLY)
    files.program.add(f"mask {path}", calls.move_mount, tree, b"", target, b"", ATTACH, then=then)


def make_read_only(files: FileSystemPlan, path: str) -> None:
    """A path becomes a read-only mount of itself."""
    program = files.program
    end = Label()
    target, tree = program.open_slot(), program.open_slot()
    missing: dict[int, Label | None] = {errno.ENOENT: end, errno.ENOTDIR: end, errno.EACCES: end}
    files.resolve(path, target, missing, name=f"make {path} read-only")
    flags = mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC | mounts.AT_EMPTY_PATH | mounts.AT_RECURSIVE
    program.add(f"make {path} read-only", calls.open_tree, target, b"", flags, out=tree)
    files.set_attributes(path, tree, mounts.MOUNT_ATTR_RDONLY)
    program.add(f"make {path} read-only", calls.move_mount, tree, b"", target, b"", ATTACH)
    program.add("close", calls.close, tree)
    program.add("close", calls.close, target)
    program.place(end)
