"""Whether a bind's source lies where its mounts can be shared, as Docker checks it before a start (mount_namespaces(7))."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from moby_tui.engine.store.records.containers import MountPoint
from moby_tui.errors import InvalidArgument

_SHARED = ("shared", "rshared")
_SLAVE = ("slave", "rslave")


def check(asked: Iterable[MountPoint]) -> None:
    """``asked``: binds. Raises ``InvalidArgument`` where mounts are to reach the container, or the host, and the source's own do not."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        # proc_pid_mountinfo(5): id, parent, device, root, mount point, options, optional fields up to a dash
        fields = {line.split(" ", 1)[0]: line.split(" ") for line in file}
    for mount in asked:
        if (row := fields.get(_mount_id(mount.source))) is None:
            # its removal is told by the mount itself
            continue
        reach = {field.partition(":")[0] for field in row[6 : row.index("-")]}
        if mount.propagation in _SHARED and "shared" not in reach:
            raise InvalidArgument(f"path {mount.source} is mounted on {_decoded(row[4])} but it is not a shared mount")
        if mount.propagation in _SLAVE and not reach & {"shared", "master"}:
            raise InvalidArgument(f"path {mount.source} is mounted on {_decoded(row[4])} but it is not a shared or slave mount")


def _mount_id(path: str) -> str:
    with suppress(OSError):
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            with open(f"/proc/self/fdinfo/{fd}") as file:
                return next(line.split()[1] for line in file if line.startswith("mnt_id:"))
        finally:
            os.close(fd)
    return ""


def _decoded(path: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path
