"""The options of a mount, as an OCI configuration has them (config.md, "Mounts"; mount(8))."""

from __future__ import annotations

from moby_tui.engine.kernel import mount as mounts

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
_SILENT = frozenset({"async", "mand", "nomand", "noiversion", "nolazytime", "loud", "silent", "quiet"})
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
