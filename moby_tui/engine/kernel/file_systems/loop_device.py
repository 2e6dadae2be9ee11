"""A file system in a file, mounted through a loop device (loop(4))."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from contextlib import suppress

from moby_tui.engine.kernel import mount as kernel
from moby_tui.engine.kernel.trees import closing

_LOOP_CTL_GET_FREE, _LOOP_CONFIGURE, _LOOP_GET_STATUS64 = 0x4C82, 0x4C0A, 0x4C05
#: ``struct loop_config``: descriptor, block size, then ``struct loop_info64``, of which only the flags are set.
_CONFIGURATION = struct.Struct("=II52xI240x")
#: ``struct loop_info64``, of which the file's device and inode are read.
_STATUS = struct.Struct("=QQ216x")
#: The device is let go when its file system is unmounted.
_AUTOCLEAR = 4
#: Two processes may be given the same free device; the one that comes second takes the next.
_TRIES = 100


class NoDevice(Exception):
    """No loop device can be had. Its text says why."""


def mount(image: str, target: str) -> None:
    """Mounts an ext4 file system. What is deleted in it is given back to the disk. Blocking. Raises ``NoDevice``, ``OSError``.

    A process in another mount namespace may have it mounted there: the same device is taken, since a file system that is mounted by two
    devices is soon damaged.
    """
    with closing(_open(image)) as lock, closing(_open(image)) as file:
        # the device keeps what it is given open, and a lock on that would last as long
        fcntl.flock(lock, fcntl.LOCK_EX)
        device, name = _attached(file) or _attach(file)
        with closing(device):
            kernel.mount(name, target, "ext4", 0, "discard")
    # of mke2fs(8); it would count as content
    with suppress(OSError):
        os.rmdir(os.path.join(target, "lost+found"))


def _open(image: str) -> int:
    return os.open(image, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)


def _attached(file: int) -> tuple[int, str] | None:
    """The loop device that the file is attached to already."""
    status = os.fstat(file)
    for name in os.listdir("/sys/block"):
        if not name.startswith("loop") or not os.path.exists(f"/sys/block/{name}/loop"):
            continue
        with suppress(OSError):  # let go meanwhile
            device = os.open(f"/dev/{name}", os.O_RDWR | os.O_CLOEXEC)
            with suppress(OSError):
                answer = fcntl.ioctl(device, _LOOP_GET_STATUS64, bytes(_STATUS.size))
                if _STATUS.unpack(answer) == (status.st_dev, status.st_ino):
                    return device, f"/dev/{name}"
            os.close(device)
    return None


def _attach(file: int) -> tuple[int, str]:
    """A loop device for the file: its descriptor, which holds it until something is mounted, and its name."""
    try:
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise NoDevice(f"/dev/loop-control: {error.strerror}: the kernel has no loop devices for us") from error
    with closing(control):
        for _ in range(_TRIES):
            name = f"/dev/loop{fcntl.ioctl(control, _LOOP_CTL_GET_FREE)}"
            device = os.open(name, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(device, _LOOP_CONFIGURE, _CONFIGURATION.pack(file, 0, _AUTOCLEAR))
                return device, name
            except OSError as error:
                os.close(device)
                if error.errno != errno.EBUSY:
                    raise
    raise NoDevice("no loop device is free")
