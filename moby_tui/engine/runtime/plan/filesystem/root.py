"""The steps that build a container's file system: its root, its mounts, and the change of root.

A destination is resolved by the kernel under the root's descriptor (openat2 with RESOLVE_IN_ROOT), and a mount is attached to the
descriptor that came of it: there is no second walk of the path for a racing symbolic link to win (CVE-2021-30465).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.kernel.path import (
    FILE,
    FOLDER,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    OpenHow,
    make_in_root,
)
from moby_tui.engine.runtime.plan.filesystem import guard
from moby_tui.engine.runtime.plan.mount_options import MountOptions
from moby_tui.engine.runtime.plan.program import Label, Program, Slot

#: How ``move_mount`` attaches a tree to a descriptor.
ATTACH = mounts.MOVE_MOUNT_F_EMPTY_PATH | mounts.MOVE_MOUNT_T_EMPTY_PATH
_FINAL = os.O_PATH | os.O_CLOEXEC


class FileSystemPlan:
    """Adds the file system's steps to a program. ``root`` is the descriptor of the container's root mount, still detached."""

    def __init__(self, program: Program, root: int | Slot) -> None:
        self.program = program
        self.root = root
        self._how = program.keep(OpenHow(_FINAL, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS))
        self._how_folder = program.keep(OpenHow(_FINAL | os.O_DIRECTORY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS))
        self._how_real = program.keep(OpenHow(_FINAL, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS))
        self._how_size = ctypes.sizeof(OpenHow)

    def make_private(self, propagation: int) -> None:
        """What is mounted from here on stays in this namespace."""
        self.program.add("make mounts private", calls.mount, None, b"/", None, mounts.MS_REC | propagation, None)

    def attach_root(self, mount_point: str) -> None:
        """The root becomes a mount of this namespace, of which the host sees nothing."""
        flags = mounts.MOVE_MOUNT_F_EMPTY_PATH
        self.program.add("attach root", calls.move_mount, self.root, b"", mounts.AT_FDCWD, os.fsencode(mount_point), flags)

    def leave_host(self, tree: int | Slot, name: str) -> None:
        """A detached mount becomes the root, and the host's is let go. ``name`` is the mount's in an error."""
        add = self.program.add
        # a folder that every host has
        add(f"attach {name}", calls.move_mount, tree, b"", mounts.AT_FDCWD, b"/proc", mounts.MOVE_MOUNT_F_EMPTY_PATH)
        add(f"enter {name}", calls.fchdir, tree)
        add("pivot root", calls.pivot_root, b".", b".")
        add("detach host", calls.umount2, b".", mounts.MNT_DETACH)
        add(f"enter {name}", calls.chdir, b"/")

    def resolve(
        self, path: str, slot: Slot, on: dict[int, Label | None], then: Label | None = None, name: str = "", *, real: bool = False
    ) -> None:
        """Opens a path of the container, which no link leads out of it; ``real``: none leads anywhere."""
        self._open(path, slot, self._how_real if real else self._how, on, then, name)

    def resolve_folder(self, path: str, slot: Slot, on: dict[int, Label | None], name: str) -> None:
        """As ``resolve``, for a directory: anything else is ENOTDIR."""
        self._open(path, slot, self._how_folder, on, None, name)

    def _open(self, path: str, slot: Slot, how: int, on: dict[int, Label | None], then: Label | None, name: str) -> None:
        text = os.fsencode(path.lstrip("/") or ".")
        self.program.add(name or f"open {path}", calls.openat2, self.root, text, how, self._how_size, out=slot, on=on, then=then)

    def target(
        self, path: str, mode: int = FOLDER, device: int = 0, owner: tuple[int, int] = (0, 0), *, real: bool = False
    ) -> Slot:
        """Opens a mount's destination; what is missing of it is made inside the root, as ``make_in_root`` does.

        ``owner``: the host's ids of what is made at its end. ``real``: no link may lead there.
        """
        final, existing = self.program.open_slot(), Label()
        self.resolve(path, final, {errno.ENOENT: None}, then=existing, real=real)
        name = os.fsencode(path)

        def make() -> int:
            try:
                return make_in_root(_descriptor(self.root), name, mode, device, follow=not real)
            except OSError as error:
                ctypes.set_errno(error.errno or errno.EIO)
                return -1

        self.program.add(f"create {path}", make, out=final)
        if owner != (0, 0):
            self.program.add(f"give {path} away", calls.fchownat, final, b"", *owner, mounts.AT_EMPTY_PATH)
        self.program.place(existing)
        return final

    def attach(self, tree: int | Slot, path: str, *, directory: bool = True, real: bool = False, over_proc: bool = True) -> None:
        """Attaches a detached mount at a path of the container.

        ``real``: no link may lead there. Without ``over_proc`` the target may not lie in /proc, wherever links lead (see ``guard``).
        """
        target = self.target(path, FOLDER if directory else FILE, real=real)
        if not over_proc:
            guard.refuse_procfs(self.program, path, target)
        self.program.add(f"mount {path}", _attach, tree, target)
        self.program.add("close", calls.close, target)
        self.program.add("close", calls.close, tree)

    def move(self, staged: str, path: str, *, real: bool = False) -> None:
        """Moves a mount that stands on the stage, with all that is mounted in it, to a path of the container."""
        target = self.target(path, real=real)
        flags = mounts.MOVE_MOUNT_T_EMPTY_PATH
        self.program.add(f"mount {path}", calls.move_mount, mounts.AT_FDCWD, os.fsencode(staged), target, b"", flags)
        self.program.add("close", calls.close, target)

    def new_mount(
        self,
        path: str,
        file_system: str,
        options: MountOptions,
        on: dict[int, Label | None] | None = None,
        source: str = "",
    ) -> Slot:
        """A new file system, detached; its descriptor is in the returned slot. Raises ``ValueError`` on an option too long."""
        program = self.program
        context, tree = program.open_slot(), program.open_slot()
        name = f"mount {path}"
        program.add(name, calls.fsopen, file_system.encode(), mounts.FSOPEN_CLOEXEC, out=context, on=on)
        program.add(name, calls.fsconfig, context, mounts.FSCONFIG_SET_STRING, b"source", os.fsencode(source or file_system), 0)
        for key, value in options.data:
            if value is None:
                program.add(f"{name}, option {key}", calls.fsconfig, context, mounts.FSCONFIG_SET_FLAG, key.encode(), None, 0)
            elif len(value) > 255:
                raise ValueError(f"mount option {key} of {path} is longer than 255 bytes")
            else:
                program.add(
                    f"{name}, option {key}",
                    calls.fsconfig,
                    context,
                    mounts.FSCONFIG_SET_STRING,
                    key.encode(),
                    os.fsencode(value),
                    0,
                )
        program.add(name, calls.fsconfig, context, mounts.FSCONFIG_CMD_CREATE, None, None, 0, on=on)
        program.add(name, calls.fsmount, context, mounts.FSMOUNT_CLOEXEC, options.attributes, out=tree)
        program.add("close", calls.close, context)
        return tree

    def set_attributes(self, path: str, tree: int | Slot, attributes: int) -> None:
        """``MOUNT_ATTR_...`` of a mount, of which ``path`` is only the name."""
        self._change(f"set attributes of {path}", tree, mounts.MountAttr(attributes, 0, 0, 0))

    def set_propagation(self, path: str, tree: int | Slot, propagation: int) -> None:
        """``MS_SHARED``, ``MS_SLAVE`` and the like of a mount, of which ``path`` is only the name."""
        self._change(f"set propagation of {path}", tree, mounts.MountAttr(0, 0, propagation, 0))

    def _change(self, name: str, tree: int | Slot, change: mounts.MountAttr) -> None:
        size = ctypes.sizeof(mounts.MountAttr)
        self.program.add(name, calls.mount_setattr, tree, b"", mounts.AT_EMPTY_PATH, self.program.keep(change), size)

    def attach_console(self, terminal: int) -> None:
        """``/dev/console``: a bind of the very terminal that we opened, never of a path in the container (CVE-2025-52565)."""
        tree = self.program.open_slot()
        flags = mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC | mounts.AT_EMPTY_PATH
        self.program.add("open /dev/console", calls.open_tree, terminal, b"", flags, out=tree)
        self.attach(tree, "/dev/console", directory=False)

    def enter_root(self, *, read_only: bool, no_pivot: bool = False) -> None:
        """pivot_root(2): the container's root becomes ours and the host's tree is let go, never to be reached again.

        ``no_pivot``: the root is moved over the host's instead, which lies hidden under it (a ramdisk cannot be pivoted away).
        """
        add = self.program.add
        add("enter root", calls.fchdir, self.root)
        if no_pivot:
            add("move root", calls.move_mount, self.root, b"", mounts.AT_FDCWD, b"/", mounts.MOVE_MOUNT_F_EMPTY_PATH)
            add("change root", calls.chroot, b".")
        else:
            add("pivot root", calls.pivot_root, b".", b".")
            # the old root now lies on top of the new one
            add("detach host", calls.umount2, b".", mounts.MNT_DETACH)
        add("enter root", calls.chdir, b"/")
        if read_only:
            self.set_attributes("/", self.root, mounts.MOUNT_ATTR_RDONLY)


def _attach(tree: int | Slot, target: int | Slot) -> int:
    """move_mount(2), whose EINVAL for a folder on a file, or a file on a folder, is told as what it is."""
    result = calls.move_mount(tree, b"", target, b"", ATTACH)
    if result < 0 and calls.errno_now() == errno.EINVAL:
        kinds = [stat.S_ISDIR(os.fstat(_descriptor(fd)).st_mode) for fd in (tree, target)]
        if kinds[0] != kinds[1]:
            ctypes.set_errno(errno.ENOTDIR if kinds[0] else errno.EISDIR)
    return result


def _descriptor(fd: int | Slot) -> int:
    return fd if isinstance(fd, int) else fd.value
