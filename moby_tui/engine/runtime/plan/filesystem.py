"""The steps that build a container's file system: its root, mounts, devices, and the change of root.

A destination is resolved by the kernel under the root's descriptor (openat2 with RESOLVE_IN_ROOT), and a mount is attached to the
descriptor that came of it: there is no second walk of the path for a racing symbolic link to win (CVE-2021-30465).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat

from moby_tui.engine.kernel import calls, ids
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.kernel.path import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS
from moby_tui.engine.runtime.plan import guard
from moby_tui.engine.runtime.plan.program import Label, Program, Slot

_FLAG_OPTIONS = {
    "ro": (mounts.MOUNT_ATTR_RDONLY, 0),
    "rw": (0, mounts.MOUNT_ATTR_RDONLY),
    "nosuid": (mounts.MOUNT_ATTR_NOSUID, 0),
    "suid": (0, mounts.MOUNT_ATTR_NOSUID),
    "nodev": (mounts.MOUNT_ATTR_NODEV, 0),
    "dev": (0, mounts.MOUNT_ATTR_NODEV),
    "noexec": (mounts.MOUNT_ATTR_NOEXEC, 0),
    "exec": (0, mounts.MOUNT_ATTR_NOEXEC),
    "symfollow": (0, mounts.MOUNT_ATTR_NOSYMFOLLOW),
    "nosymfollow": (mounts.MOUNT_ATTR_NOSYMFOLLOW, 0),
    "relatime": (0, mounts.MOUNT_ATTR__ATIME),
    "norelatime": (0, 0),
    "noatime": (mounts.MOUNT_ATTR_NOATIME, mounts.MOUNT_ATTR__ATIME),
    "atime": (0, mounts.MOUNT_ATTR_NOATIME),
    "strictatime": (mounts.MOUNT_ATTR_STRICTATIME, mounts.MOUNT_ATTR__ATIME),
    "nostrictatime": (0, mounts.MOUNT_ATTR_STRICTATIME),
    "nodiratime": (mounts.MOUNT_ATTR_NODIRATIME, 0),
    "diratime": (0, mounts.MOUNT_ATTR_NODIRATIME),
    "defaults": (0, 0),
}
#: What mount(8) takes and the kernel does by itself.
_SILENT = frozenset({"async", "nomand", "noiversion", "nolazytime", "loud", "silent", "quiet"})
_PROPAGATION = {
    "private": mounts.MS_PRIVATE,
    "rprivate": mounts.MS_PRIVATE,
    "slave": mounts.MS_SLAVE,
    "rslave": mounts.MS_SLAVE,
    "shared": mounts.MS_SHARED,
    "rshared": mounts.MS_SHARED,
    "unbindable": mounts.MS_UNBINDABLE,
    "runbindable": mounts.MS_UNBINDABLE,
}
#: The options that have a meaning of their own here; every other is the file system's.
OPTION_NAMES = (*_FLAG_OPTIONS, *(f"r{name}" for name in _FLAG_OPTIONS if name != "defaults"), *_PROPAGATION)
_ATTACH = mounts.MOVE_MOUNT_F_EMPTY_PATH | mounts.MOVE_MOUNT_T_EMPTY_PATH
#: Where ``make_ahead`` keeps what is no destination's.
MASKS, PROCFS = "masks", "procfs"
_MASK_OPTIONS = ["nosuid", "noexec", "size=4k", "nr_inodes=4"]
_CLOEXEC = os.O_CLOEXEC
_FINAL = os.O_PATH | _CLOEXEC
#: The devices every container has (OCI runtime specification, "Default Devices").
_DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
_DEVICE_KINDS = {"b": stat.S_IFBLK, "c": stat.S_IFCHR, "u": stat.S_IFCHR, "p": stat.S_IFIFO}
_LINKS = (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"))


#: What mounting a hierarchy that is not ours to mount fails with.
_NOT_OURS = (errno.EPERM, errno.EBUSY, errno.EINVAL, errno.ENODEV)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


class MountOptions:
    """The options of one OCI mount, sorted into attributes, propagation and what the file system itself is told."""

    def __init__(self, options: list[str]) -> None:
        self.attributes = 0
        self.propagation = 0
        self.recursive_propagation = False
        self.recursive_bind = False
        #: attributes to set on every mount of a tree, and to clear (``rro``, ``rrw`` and the like)
        self.recursive_attributes = self.recursive_cleared = 0
        #: whether owners are seen through the map of the container's user namespace
        self.idmap = self.recursive_idmap = False
        self.data: list[tuple[str, str | None]] = []
        for option in options:
            if option in _FLAG_OPTIONS:
                wanted, cleared = _FLAG_OPTIONS[option]
                self.attributes = self.attributes & ~cleared | wanted
            elif option[:1] == "r" and option[1:] in _FLAG_OPTIONS:
                wanted, cleared = _FLAG_OPTIONS[option[1:]]
                self.recursive_attributes = self.recursive_attributes & ~cleared | wanted
                self.recursive_cleared = self.recursive_cleared & ~wanted | cleared
            elif option in _SILENT:
                continue
            elif option in _PROPAGATION:
                self.propagation = _PROPAGATION[option]
                self.recursive_propagation = option.startswith("r")
            elif option in ("bind", "rbind"):
                self.recursive_bind = option == "rbind"
            elif option in ("idmap", "ridmap"):
                self.idmap, self.recursive_idmap = True, option == "ridmap"
            else:
                key, equals, value = option.partition("=")
                self.data.append((key, value if equals else None))


def open_bind_source(
    source: str, options: MountOptions, user_namespace: int = -1, *, directory: int = mounts.AT_FDCWD
) -> tuple[int, bool]:
    """A detached copy of what lies at ``source`` on the host, ready to be attached, and whether it is a directory.

    Where ``source`` is empty it is a copy of what ``directory`` is open for.

    Made before the clone: host paths cannot be reached later. With option ``idmap`` its owners are seen through the map of
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
        reach = mounts.AT_EMPTY_PATH | (mounts.AT_RECURSIVE if options.recursive_idmap else 0)
        mounts.mount_setattr(tree, "", reach, set=mounts.MOUNT_ATTR_IDMAP, userns_fd=user_namespace)
    return tree, stat.S_ISDIR(os.fstat(tree).st_mode)


class FileSystemPlan:
    """Adds the file system's steps to a program. ``root`` is the descriptor of the container's root mount, still detached."""

    def __init__(self, program: Program, root: int | Slot) -> None:
        self.program = program
        self.root = root
        #: the maps of the container's user namespace, and the host's ids of its root
        self._ids: tuple[ids.IdMap, ids.IdMap] = ([], [])
        self._owner: tuple[int, int] = (0, 0)
        self._how = program.keep(_OpenHow(_FINAL, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS))
        self._how_real = program.keep(_OpenHow(_FINAL, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS))
        self._how_size = ctypes.sizeof(_OpenHow)

    def make_private(self, propagation: int) -> None:
        """What is mounted from here on stays in this namespace."""
        self.program.add("make mounts private", calls.mount, None, b"/", None, mounts.MS_REC | propagation, None)

    def attach_root(self, mount_point: str) -> None:
        """The root becomes a mount of this namespace, of which the host sees nothing."""
        flags = mounts.MOVE_MOUNT_F_EMPTY_PATH
        self.program.add("attach root", calls.move_mount, self.root, b"", mounts.AT_FDCWD, os.fsencode(mount_point), flags)

    def _resolve(
        self, path: str, slot: Slot, on: dict[int, Label | None], then: Label | None = None, name: str = "", *, real: bool = False
    ) -> None:
        text = os.fsencode(path.lstrip("/") or ".")
        how = self._how_real if real else self._how
        self.program.add(name or f"open {path}", calls.openat2, self.root, text, how, self._how_size, out=slot, on=on, then=then)

    def target(self, path: str, *, directory: bool = True, real: bool = False) -> Slot:
        """Opens a mount's destination; what is missing of it is created, 0755, inside the root. ``real``: no link may lead there."""
        program = self.program
        found = Label()
        final = program.open_slot()
        self._resolve(path, final, {errno.ENOENT: None}, then=found, real=real)
        parts = [part for part in path.split("/") if part]
        parent: int | Slot = self.root
        for index, part in enumerate(parts):
            name = os.fsencode(part)
            prefix = "/" + "/".join(parts[: index + 1])
            if directory or index < len(parts) - 1:
                program.add(f"create {prefix}", calls.mkdirat, parent, name, 0o755, on={errno.EEXIST: None})
            else:
                program.add(f"create {prefix}", calls.mknodat, parent, name, stat.S_IFREG | 0o644, 0, on={errno.EEXIST: None})
            slot = final if index == len(parts) - 1 else program.open_slot()
            self._resolve(prefix, slot, {}, real=real)
            if parent is not self.root:
                program.add("close", calls.close, parent)
            parent = slot
        program.place(found)
        return final

    def attach(self, tree: int | Slot, path: str, *, directory: bool = True, real: bool = False, over_proc: bool = True) -> None:
        """Attaches a detached mount at a path of the container.

        ``real``: no link may lead there. Without ``over_proc`` the target may not lie in /proc, wherever links lead (see ``guard``).
        """
        target = self.target(path, directory=directory, real=real)
        if not over_proc:
            guard.refuse_procfs(self.program, path, target)
        self.program.add(f"mount {path}", calls.move_mount, tree, b"", target, b"", _ATTACH)
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

    def make_ahead(self, spec: dict[str, object]) -> dict[str, Slot]:
        """What a user namespace's root could not make: device nodes (mknod(2)). Made by the host's root, for the container's.

        The detached trees, by destination; those of the masks and of a procfs to write through are ``MASKS`` and ``PROCFS``.
        """
        linux = spec["linux"]
        assert isinstance(linux, dict)
        uids, gids = self._ids = linux["uidMappings"], linux["gidMappings"]
        self._owner = ids.to_host(uids, ids.first(uids)), ids.to_host(gids, ids.first(gids))
        mounted = spec.get("mounts") or []
        assert isinstance(mounted, list)
        made: dict[str, Slot] = {}
        if linux.get("maskedPaths"):
            made[MASKS] = self.new_mount(MASKS, "tmpfs", MountOptions(_MASK_OPTIONS))
            self.create_masks(made[MASKS])
        for mount in mounted:
            if mount["destination"] == "/dev" and mount.get("type") == "tmpfs":
                options = MountOptions([str(option) for option in mount.get("options") or []])
                made["/dev"] = self.make_device_tree(options, linux.get("devices") or [])
        if not any(mount.get("type") == "proc" for mount in mounted):
            made[PROCFS] = self.new_mount("/proc", "proc", MountOptions([]))
        return made

    def _host_ids(self, uid: int, gid: int) -> tuple[int, int]:
        """The host's ids of a device's owner; its root's where that is not mapped."""
        try:
            return ids.to_host(self._ids[0], uid), ids.to_host(self._ids[1], gid)
        except ValueError:
            return self._owner

    def _own(self, tree: Slot, name: bytes) -> None:
        """Gives what was just made to the container's root, where that is not the host's."""
        if self._owner != (0, 0):
            self.program.add("give to the container", calls.fchownat, tree, name, *self._owner, mounts.AT_SYMLINK_NOFOLLOW)

    def mount_device_tree(self, options: MountOptions, devices: list[dict[str, object]]) -> None:
        self.attach(self.make_device_tree(options, devices), "/dev")

    def make_device_tree(self, options: MountOptions, devices: list[dict[str, object]]) -> Slot:
        """``/dev``: made whole while it is detached, where nothing of the container can reach it."""
        program = self.program
        options.data += [("uid", str(self._owner[0])), ("gid", str(self._owner[1]))] if self._owner != (0, 0) else []
        # read-only only after the nodes are in it
        read_only = options.attributes & mounts.MOUNT_ATTR_RDONLY
        options.attributes &= ~mounts.MOUNT_ATTR_RDONLY
        tree = self.new_mount("/dev", "tmpfs", options)
        for name, major, minor in _DEVICES:
            self._device(tree, name, stat.S_IFCHR, major, minor, 0o666, 0, 0)
        for folder in ("pts", "shm", "mqueue"):
            program.add(f"create /dev/{folder}", calls.mkdirat, tree, folder.encode(), 0o755)
            self._own(tree, folder.encode())
        for link, goal in (*_LINKS, ("ptmx", "pts/ptmx")):
            program.add(f"create /dev/{link}", calls.symlinkat, goal.encode(), tree, link.encode())
            self._own(tree, link.encode())
        program.add("create /dev/console", calls.mknodat, tree, b"console", stat.S_IFREG | 0o600, 0)
        self._own(tree, b"console")
        self.add_devices(tree, devices)
        if read_only:
            self._set_attributes("/dev", tree, read_only)
        return tree

    def add_devices(self, tree: Slot, devices: list[dict[str, object]]) -> None:
        """More nodes in a ``/dev`` that is not in the container yet."""
        for device in devices:
            path = str(device["path"])
            if path.startswith("/dev/"):
                self._extra_device(tree, path.removeprefix("/dev/"), device)

    def add_staged_devices(self, devices: list[dict[str, object]]) -> None:
        """More nodes in the ``/dev`` that stands on the stage."""
        if devices:
            tree = self.program.open_slot()
            self.program.add("open /dev", calls.openat, mounts.AT_FDCWD, b"/dev", _FINAL | os.O_DIRECTORY, 0, out=tree)
            self.add_devices(tree, devices)
            self.program.add("close", calls.close, tree)

    def _device(self, tree: int | Slot, name: str, kind: int, major: int, minor: int, mode: int, uid: int, gid: int) -> None:
        node = os.fsencode(name)
        self.program.add(
            f"create device {name}", calls.mknodat, tree, node, kind | mode, os.makedev(major, minor), on={errno.EEXIST: None}
        )
        uid, gid = self._host_ids(uid, gid)
        if uid or gid:
            self.program.add(f"give device {name} away", calls.fchownat, tree, node, uid, gid, mounts.AT_SYMLINK_NOFOLLOW)

    def _extra_device(self, tree: Slot, name: str, device: dict[str, object]) -> None:
        parts = name.split("/")
        for index in range(1, len(parts)):
            folder = "/".join(parts[:index])
            self.program.add(f"create /dev/{folder}", calls.mkdirat, tree, folder.encode(), 0o755, on={errno.EEXIST: None})
            self._own(tree, folder.encode())
        self._asked_device(tree, name, device)

    def _asked_device(self, folder: int | Slot, name: str, device: dict[str, object]) -> None:
        kind = _DEVICE_KINDS[str(device["type"])]
        mode, uid, gid = (int(str(device.get(key) or 0)) for key in ("fileMode", "uid", "gid"))
        major, minor = (int(str(device.get(key) or 0)) for key in ("major", "minor"))
        self._device(folder, name, kind, major, minor, stat.S_IMODE(mode) if "fileMode" in device else 0o666, uid, gid)

    def make_device(self, device: dict[str, object]) -> None:
        """A node outside of ``/dev``, in the image's own folders."""
        folder, _, name = str(device["path"]).rpartition("/")
        parent = self.target(folder or "/")
        self._asked_device(parent, name, device)
        self.program.add("close", calls.close, parent)

    def _set_attributes(self, path: str, tree: int | Slot, attributes: int) -> None:
        attr = self.program.keep(_MountAttr(attributes, 0, 0, 0))
        size = ctypes.sizeof(_MountAttr)
        self.program.add(f"set attributes of {path}", calls.mount_setattr, tree, b"", mounts.AT_EMPTY_PATH, attr, size)

    def attach_console(self, terminal: int) -> None:
        """``/dev/console``: a bind of the very terminal that we opened, never of a path in the container (CVE-2025-52565)."""
        tree = self.program.open_slot()
        flags = mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC | mounts.AT_EMPTY_PATH
        self.program.add("open /dev/console", calls.open_tree, terminal, b"", flags, out=tree)
        self.attach(tree, "/dev/console", directory=False)

    def make_masks(self, mount_point: str, made: Slot | None = None) -> tuple[Slot, Slot]:
        """A null device and an empty directory of our own to hide paths with, on a tmpfs that only this namespace ever sees.

        Theirs are not the container's: it cannot have put something else in their place (CVE-2025-31133).
        """
        tree = made if made is not None else self.new_mount(mount_point, "tmpfs", MountOptions(_MASK_OPTIONS))
        if made is None:
            self.create_masks(tree)
        flags = mounts.MOVE_MOUNT_F_EMPTY_PATH
        self.program.add("attach masks", calls.move_mount, tree, b"", mounts.AT_FDCWD, os.fsencode(mount_point), flags)
        return self.open_masks("null", "empty", tree)

    def create_masks(self, tree: Slot) -> None:
        self._device(tree, "null", stat.S_IFCHR, 1, 3, 0o666, 0, 0)
        self.program.add("create mask", calls.mkdirat, tree, b"empty", 0o555)

    def open_masks(self, null: str, empty: str, folder: int | Slot = mounts.AT_FDCWD) -> tuple[Slot, Slot]:
        """The null device and the empty directory that ``make_masks`` or the stage has made."""
        slots = self.program.open_slot(), self.program.open_slot()
        for path, slot in zip((null, empty), slots, strict=True):
            self.program.add("open mask", calls.openat, folder, path.encode(), _FINAL, 0, out=slot)
        return slots

    def mask(self, path: str, masks: tuple[Slot, Slot]) -> None:
        """Hides a path: a file under a null device, a directory under an empty one, read-only. One that is missing is left so."""
        program = self.program
        null, empty = masks
        end, is_directory, close = Label(), Label(), Label()
        target = program.open_slot()
        self._resolve(
            path, target, {errno.ENOENT: end, errno.ENOTDIR: end, errno.EACCES: end, errno.ELOOP: end}, name=f"mask {path}"
        )
        self._cover(path, null, target, {errno.ENOTDIR: is_directory, errno.EINVAL: is_directory}, close)
        program.place(is_directory)
        self._cover(path, empty, target, {}, None)
        program.place(close)
        program.add("close", calls.close, target)
        program.place(end)

    def _cover(self, path: str, source: Slot, target: Slot, on: dict[int, Label | None], then: Label | None) -> None:
        tree = self.program.open_slot()
        flags = mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC | mounts.AT_EMPTY_PATH
        self.program.add(f"mask {path}", calls.open_tree, source, b"", flags, out=tree)
        self._set_attributes(path, tree, mounts.MOUNT_ATTR_RDONLY)
        self.program.add(f"mask {path}", calls.move_mount, tree, b"", target, b"", _ATTACH, on=on, then=then)

    def make_read_only(self, path: str) -> None:
        """A path becomes a read-only mount of itself."""
        program = self.program
        end = Label()
        target, tree = program.open_slot(), program.open_slot()
        missing: dict[int, Label | None] = {errno.ENOENT: end, errno.ENOTDIR: end, errno.EACCES: end}
        self._resolve(path, target, missing, name=f"make {path} read-only")
        flags = mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC | mounts.AT_EMPTY_PATH | mounts.AT_RECURSIVE
        program.add(f"make {path} read-only", calls.open_tree, target, b"", flags, out=tree)
        self._set_attributes(path, tree, mounts.MOUNT_ATTR_RDONLY)
        program.add(f"make {path} read-only", calls.move_mount, tree, b"", target, b"", _ATTACH)
        program.add("close", calls.close, tree)
        program.add("close", calls.close, target)
        program.place(end)

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
            self._set_attributes("/", self.root, mounts.MOUNT_ATTR_RDONLY)


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
