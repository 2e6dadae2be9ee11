"""A file system that stays mounted for as long as somebody, of whatever process, holds its lock (light imports: the last one is a monitor).

The lock is shared between its users; whoever finds that he would have it alone unmounts. Who is killed lets go of it with everything else,
and leaves the mount to the next one that uses it or takes it away.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable

from moby_tui.engine.kernel import mount as kernel

#: The lock's name, beside the place where it is mounted.
LOCK = "_users"


def is_mounted(target: str) -> bool:
    """Whether something is mounted at this very path (proc_pid_fdinfo(5), ``mnt_id``)."""
    return _mount_id(target) != _mount_id(os.path.dirname(target))


def hold(target: str, mount: Callable[[], None]) -> int:
    """Mounts what is not mounted yet. The descriptor holds it, also as another process's. Blocking; raises what ``mount`` does."""
    folder = os.path.dirname(target)
    # one mounts; the others wait here and find it mounted
    making = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(making, fcntl.LOCK_EX)
        held = os.open(f"{folder}/{LOCK}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_SH)
            if not is_mounted(target):
                mount()
        except BaseException:
            os.close(held)
            raise
        return held
    finally:
        os.close(making)


def let_go(target: str) -> bool:
    """Unmounts what nobody holds any more; whether nothing is mounted now. Raises ``OSError``."""
    try:
        lock = os.open(f"{os.path.dirname(target)}/{LOCK}", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_mounted(target):
            kernel.umount2(target, kernel.MNT_DETACH | kernel.UMOUNT_NOFOLLOW)
        return True
    except BlockingIOError:
        return False
    except OSError as error:
        # another one was faster
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return True
        raise
    finally:
        os.close(lock)


def _mount_id(path: str) -> str:
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{fd}") as file:
            return next(line.split()[1] for line in file if line.startswith("mnt_id:"))
    finally:
        os.close(fd)
