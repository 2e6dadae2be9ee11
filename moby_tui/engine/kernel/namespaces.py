"""Namespaces by descriptor (namespaces(7), setns(2)): opens those of a running process, and copies mounts out of another mount namespace.

Light imports: the monitor joins namespaces too.
"""

from __future__ import annotations

import ctypes
import os
import stat

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.readiness import wait_readable

#: For each kind, in the words of the OCI runtime specification: its clone flag, and its file under /proc/PID/ns.
KINDS = {
    "cgroup": (processes.CLONE_NEWCGROUP, "cgroup"),
    "ipc": (processes.CLONE_NEWIPC, "ipc"),
    "mount": (processes.CLONE_NEWNS, "mnt"),
    "network": (processes.CLONE_NEWNET, "net"),
    "pid": (processes.CLONE_NEWPID, "pid"),
    "time": (processes.CLONE_NEWTIME, "time"),
    "user": (processes.CLONE_NEWUSER, "user"),
    "uts": (processes.CLONE_NEWUTS, "uts"),
}
_CLONE_NEWNS = 0x00020000
_CLONE_FS = 0x00000200


def open_of(pid: int, started: int, kinds: list[str]) -> list[int]:
    """Descriptors of a process's namespaces; ``started`` is its start time (``process.start_time``).

    A pid may be used again: the pidfd says that the process still lives after everything has been opened, so all of it is that
    very process's. Raises ``ProcessLookupError`` if it is gone.
    """
    opened: list[int] = []
    pidfd = os.pidfd_open(pid)
    try:
        opened = [os.open(f"/proc/{pid}/ns/{KINDS[kind][1]}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds]
        if processes.start_time(pid) != started or wait_readable(pidfd, seconds=0):
            raise ProcessLookupError(f"process {pid} has ended")
    except FileNotFoundError as error:
        close(opened)
        raise ProcessLookupError(f"process {pid} has ended") from error
    except BaseException:
        close(opened)
        raise
    finally:
        os.close(pidfd)
    return opened


def close(descriptors: list[int]) -> None:
    for fd in descriptors:
        os.close(fd)


def join(namespace: int, kind: str) -> None:
    """setns(2); for ``pid`` and ``time`` it is the children who will be in it. Raises ``OSError``."""
    if calls.setns(namespace, KINDS[kind][0]) != 0:
        raise _error(f"join a {kind} namespace")


def clone_tree(namespace: int, path: str) -> int:
    """A detached copy of the mount at a path of another mount namespace; runs on a thread of its own (``netns.on_own_thread``).

    Nothing may be imported meanwhile: it would come from there. A symbolic link at the end is not followed, and others lead no
    further than that namespace's own root. Raises ``OSError``.
    """
    if calls.unshare(_CLONE_FS) != 0:
        raise _error("part from the process's root")
    join(namespace, "mount")
    return mounts.open_tree(mounts.AT_FDCWD, path, mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC | mounts.AT_SYMLINK_NOFOLLOW)


def subtree(root: int, place: int) -> int:
    """A detached copy of the mount at ``place``, a descriptor in the detached mount ``root``; on a thread of its own.

    Only what is mounted can be copied: so it is, in a mount namespace that nobody else sees, and ``root`` is of no mount namespace
    afterwards. Raises ``OSError``.
    """
    if calls.unshare(_CLONE_FS | _CLONE_NEWNS) != 0:
        raise _error("make a mount namespace")
    mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
    # a directory is mounted on a directory, and a file on a file
    onto = "/proc" if stat.S_ISDIR(os.fstat(root).st_mode) else "/proc/version"
    mounts.move_mount(root, "", mounts.AT_FDCWD, onto, mounts.MOVE_MOUNT_F_EMPTY_PATH)
    return mounts.open_tree(place, "", mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC | mounts.AT_EMPTY_PATH)


def copies(tree: int) -> tuple[int, int]:
    """Two detached copies of a detached mount, which cannot be used itself afterwards; on a thread of its own. Raises ``OSError``."""
    first = subtree(tree, tree)
    try:
        return first, mounts.open_tree(tree, "", mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC | mounts.AT_EMPTY_PATH)
    except OSError:
        os.close(first)
        raise


def _error(what: str) -> OSError:
    error = ctypes.get_errno()
    return OSError(error, f"{what}: {os.strerror(error)}")
