"""The device nodes of a container, and the ``/dev`` that holds them (OCI configuration, config-linux.md, "Devices")."""

from __future__ import annotations

import errno
import os
import stat

from moby_tui.engine.kernel import calls, ids
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.protocol.configuration import Device
from moby_tui.engine.runtime.plan.filesystem.root import FileSystemPlan
from moby_tui.engine.runtime.plan.mount_options import MountOptions
from moby_tui.engine.runtime.plan.program import Slot

#: The devices every container has (OCI runtime specification, "Default Devices").
_DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
_KINDS = {"b": stat.S_IFBLK, "c": stat.S_IFCHR, "u": stat.S_IFCHR, "p": stat.S_IFIFO}
_LINKS = (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"))


class Devices:
    """Adds the steps that make them to the program of ``files``."""

    def __init__(self, files: FileSystemPlan) -> None:
        self._files = files
        self._program = files.program
        #: the maps of the container's user namespace, and the host's ids of its root
        self._ids: tuple[ids.IdMap, ids.IdMap] = ([], [])
        self._owner: tuple[int, int] = (0, 0)

    def give_to(self, uids: ids.IdMap, gids: ids.IdMap) -> None:
        """What is made from here on belongs to the root of the user namespace with these maps."""
        self._ids = uids, gids
        self._owner = ids.to_host(uids, ids.first(uids)), ids.to_host(gids, ids.first(gids))

    def _host_ids(self, uid: int, gid: int) -> tuple[int, int]:
        """The host's ids of a device's owner; its root's if that is not mapped."""
        try:
            return ids.to_host(self._ids[0], uid), ids.to_host(self._ids[1], gid)
        except ValueError:
            return self._owner

    def _own(self, tree: Slot, name: bytes) -> None:
        """Gives what was just made to the container's root, where that is not the host's."""
        if self._owner != (0, 0):
            self._program.add("give to the container", calls.fchownat, tree, name, *self._owner, mounts.AT_SYMLINK_NOFOLLOW)

    def mount_tree(self, options: MountOptions, devices: list[Device]) -> None:
        self._files.attach(self.make_tree(options, devices), "/dev")

    def make_tree(self, options: MountOptions, devices: list[Device]) -> Slot:
        """``/dev``: made whole while it is detached, where nothing of the container can reach it."""
        program = self._program
        options.data += [("uid", str(self._owner[0])), ("gid", str(self._owner[1]))] if self._owner != (0, 0) else []
        # read-only only after the nodes are in it
        read_only = options.attributes & mounts.MOUNT_ATTR_RDONLY
        options.attributes &= ~mounts.MOUNT_ATTR_RDONLY
        tree = self._files.new_mount("/dev", "tmpfs", options)
        for name, major, minor in _DEVICES:
            self.create(tree, name, stat.S_IFCHR, major, minor, 0o666, 0, 0)
        for folder in ("pts", "shm", "mqueue"):
            program.add(f"create /dev/{folder}", calls.mkdirat, tree, folder.encode(), 0o755)
            self._own(tree, folder.encode())
        for link, goal in (*_LINKS, ("ptmx", "pts/ptmx")):
            program.add(f"create /dev/{link}", calls.symlinkat, goal.encode(), tree, link.encode())
            self._own(tree, link.encode())
        program.add("create /dev/console", calls.mknodat, tree, b"console", stat.S_IFREG | 0o600, 0)
        self._own(tree, b"console")
        self._add(tree, devices)
        if read_only:
            self._files.set_attributes("/dev", tree, read_only)
        return tree

    def _add(self, tree: Slot, devices: list[Device]) -> None:
        """Adds the steps that make these nodes, those of them that lie below ``/dev``, in the tree that becomes the container's ``/dev``."""
        for device in devices:
            path = device.path
            if path.startswith("/dev/"):
                self._add_one(tree, path.removeprefix("/dev/"), device)

    def add_staged(self, devices: list[Device]) -> None:
        """Adds nodes to the ``/dev`` that stands on the stage."""
        if devices:
            tree = self._program.open_slot()
            self._program.add(
                "open /dev", calls.openat, mounts.AT_FDCWD, b"/dev", os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY, 0, out=tree
            )
            self._add(tree, devices)
            self._program.add("close", calls.close, tree)

    def create(self, tree: int | Slot, name: str, kind: int, major: int, minor: int, mode: int, uid: int, gid: int) -> None:
        """One node in a folder; ``kind`` is ``S_IF...``, the owner is as the container sees it."""
        node = os.fsencode(name)
        self._program.add(
            f"create device {name}", calls.mknodat, tree, node, kind | mode, os.makedev(major, minor), on={errno.EEXIST: None}
        )
        uid, gid = self._host_ids(uid, gid)
        if uid or gid:
            self._program.add(f"give device {name} away", calls.fchownat, tree, node, uid, gid, mounts.AT_SYMLINK_NOFOLLOW)

    def _add_one(self, tree: Slot, name: str, device: Device) -> None:
        parts = name.split("/")
        for index in range(1, len(parts)):
            folder = "/".join(parts[:index])
            self._program.add(f"create /dev/{folder}", calls.mkdirat, tree, folder.encode(), 0o755, on={errno.EEXIST: None})
            self._own(tree, folder.encode())
        self._create_asked(tree, name, device)

    def _create_asked(self, folder: int | Slot, name: str, device: Device) -> None:
        kind, major, minor, mode, uid, gid = _described(device)
        self.create(folder, name, kind, major, minor, mode, uid, gid)

    def make_elsewhere(self, device: Device) -> None:
        """A node outside of ``/dev``, in the image's own folders or where its links lead. What is there already stays."""
        kind, major, minor, mode, uid, gid = _described(device)
        node = self._files.target(device.path, kind | mode, os.makedev(major, minor), self._host_ids(uid, gid))
        self._program.add("close", calls.close, node)


def _described(device: Device) -> tuple[int, int, int, int, int, int]:
    """Its kind (``S_IF...``), major and minor number, mode and owner."""
    mode = 0o666 if device.mode is None else stat.S_IMODE(device.mode)
    return _KINDS[device.type], device.major, device.minor, mode, device.uid, device.gid
