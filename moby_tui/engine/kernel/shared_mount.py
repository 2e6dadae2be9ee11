"""A file system that stays mounted while any process holds its lock (light imports: the last holder is usually a monitor).

The lock is a file that is there while there may be something mounted, shared between its users; whoever finds that he would have it alone
unmounts, and removes it. A killed process loses its lock; the next process that looks unmounts and removes the file.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable

from moby_tui.engine.kernel import mount as kernel
from moby_tui.engine.kernel.path import mount_id


def is_mounted(target: str) -> bool:
    """Whether something is mounted at this very path."""
    return _mount_id(target) != _mount_id(os.path.dirname(target))


def hold(lock: str, target: str, mount: Callable[[], None]) -> int:
    """Mounts unless mounted, and returns the lock: a descriptor, which another process may hold too. Blocking; raises what ``mount`` does."""
    # one process mounts; the others wait here and then find it mounted
    making = os.open(os.path.dirname(target), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(making, fcntl.LOCK_EX)
        held = _share(lock)
        try:
            if not is_mounted(target):
                mount()
        except BaseException:
            os.close(held)
            raise
        return held
    finally:
        os.close(making)


def _share(lock: str) -> int:
    while True:
        held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(held, fcntl.LOCK_SH)
        try:
            if os.fstat(held).st_ino == os.lstat(lock).st_ino:
                return held
        except FileNotFoundError:
            pass
        # the last holder has removed it meanwhile
        os.close(held)


def let_go(lock: str, target: str) -> bool:
    """Unmounts what nobody holds any more; whether nothing is mounted now. Raises ``OSError``."""
    try:
        held = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _unmount(target)
        os.unlink(lock)
        return True
    except BlockingIOError:
        return False
    except FileNotFoundError:
        # another process has removed it already
        return True
    finally:
        os.close(held)


def _unmount(target: str) -> None:
    try:
        if is_mounted(target):
            kernel.umount2(target, kernel.MNT_DETACH | kernel.UMOUNT_NOFOLLOW)
    except OSError as error:
        # an administrator has unmounted it, alone or with the mount above
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise


def _mount_id(path: str) -> str:
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return mount_id(fd)
    finally:
        os.close(fd)
