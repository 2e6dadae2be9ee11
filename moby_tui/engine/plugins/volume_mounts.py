"""What plug-ins have mounted for containers: a locked record for each mount (light imports: the last holder is usually a monitor).

An engine writes the record before it calls ``Mount``, holds its lock, and passes the lock to the monitor. Whoever can take the lock
finds that no process needs the mount any more: it calls ``Unmount`` and removes the record. So the next engine does if both were killed.
"""

from __future__ import annotations

import fcntl
import os
import time

from moby_tui.engine.kernel import fault
from moby_tui.engine.plugins import volume_driver
from moby_tui.engine.plugins.failure import Malformed, NotFound, NotListening, PluginFailure, Refused
from moby_tui.engine.plugins.volume_driver import VolumeDriver
from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.protocol.plugin_mount import PluginMount

#: Seconds for which a plug-in that did not answer is left alone by those who only look.
_PAUSE = 60
_LOOK_SECONDS = 5.0


def hold(folder: str, driver: VolumeDriver, volume: str) -> tuple[str, int, str]:
    """Has the plug-in mount a volume: the path of the record, its locked descriptor, and where the volume is mounted. Blocking.

    Raises ``PluginFailure``; then nothing is mounted, or the record stays for the next who looks.
    """
    ident = os.urandom(32).hex()
    path = os.path.join(folder, ident)
    fd = _begin(path)
    try:
        os.write(fd, PluginMount(plugin=driver.name, volume=volume).encode())
        fault.point("volumes.plugin asked")
        try:
            driver.activate(volume_driver.PATIENCE, expected=True)
            mountpoint = driver.mount(volume, ident)
        except (NotFound, NotListening, Refused):
            os.unlink(path)
            raise
        except Malformed:
            _undo(driver, volume, ident, path)
            raise
        fault.point("volumes.plugin mounted")
        if reason := _wrong(mountpoint):
            _undo(driver, volume, ident, path)
            raise Malformed(f"VolumeDriver.Mount: plug-in {driver.name} answered with {reason}")
        return path, fd, mountpoint
    except BaseException:
        os.close(fd)
        raise


def let_go(path: str, *, looking: bool = False) -> bool:
    """Has the plug-in unmount what no process needs any more; True if nothing is left of it. Blocking.

    ``looking``: once, a few seconds at most, and not if another process has tried just now.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(fd)
        if status.st_nlink == 0:
            return True
        if looking and status.st_atime_ns == 0 and time.time() - status.st_mtime < _PAUSE:
            return False
        return _unmount(fd, path, looking=looking)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)


def _begin(path: str) -> int:
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            return fd
        # a process that looked has found it before it was locked, and empty
        os.close(fd)


def _unmount(fd: int, path: str, *, looking: bool) -> bool:
    try:
        record = PluginMount.decode(os.pread(fd, 1 << 16, 0))
    except MalformedMessage:
        # its writer was killed before it called the plug-in
        os.unlink(path)
        return True
    driver = VolumeDriver(record.plugin)
    try:
        if looking:
            driver.unmount(record.volume, os.path.basename(path), patience=0, seconds=_LOOK_SECONDS)
        else:
            driver.unmount(record.volume, os.path.basename(path))
    except Refused:
        # the plug-in knows the mount, or has none; it has heard that it is not needed
        pass
    except PluginFailure:
        # an access time of 0 says that the time of the last change is that of a try
        os.utime(path, ns=(0, time.time_ns()))
        return False
    fault.point("volumes.plugin unmounted")
    os.unlink(path)
    return True


def _undo(driver: VolumeDriver, volume: str, ident: str, path: str) -> None:
    try:
        driver.unmount(volume, ident)
    except PluginFailure:
        # a liar need not keep its word here either
        pass
    os.unlink(path)


def _wrong(mountpoint: str) -> str:
    """What is wrong with a place that a plug-in names; empty if it can be bound."""
    path = mountpoint[:200] if mountpoint[:200].isprintable() else ascii(mountpoint[:200])
    if not mountpoint.startswith("/") or "\0" in mountpoint:
        return f"the Mountpoint {path!r}, which is no absolute path"
    try:
        os.stat(mountpoint)
    except (OSError, UnicodeEncodeError):
        return f"the Mountpoint {path!r}, which does not exist"
    return ""
