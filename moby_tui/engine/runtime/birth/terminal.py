"""Pseudo-terminals of a container's own devpts instance (pty(7), ioctl_tty(2))."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.kernel.ids import IdMap, first, to_host

#: Group ``tty``, as every distribution has it.
_TTY_GROUP = 5
_HIGHEST_GROUP = 2**31 - 1
_TIOCSWINSZ = 0x5414
_TIOCGPTPEER = 0x5441
_TIOCSPTLCK = 0x40045431


def tty_group(gids: IdMap) -> int:
    """The host's id of the group ``tty``; if it is not mapped, of the lowest mapped group."""
    try:
        return to_host(gids, _TTY_GROUP)
    except ValueError:
        return to_host(gids, first(gids))


def mount_devpts(uids: IdMap | None = None, gids: IdMap | None = None) -> int:
    """A new instance, detached, its descriptor close-on-exec. Terminals are opened from it by us, never by a path of the container.

    The maps are those of the container's user namespace, if it has one of its own: the instance is its root's.
    """
    context = mounts.fsopen("devpts")
    try:
        mounts.fsconfig_string(context, "source", "devpts")
        mounts.fsconfig_flag(context, "newinstance")
        group = tty_group(gids or [])
        for key, value in (("ptmxmode", "0666"), ("mode", "0620"), ("gid", str(group))):
            # older kernels read a signed number; terminals then get the group of the opener
            if key != "gid" or group <= _HIGHEST_GROUP:
                mounts.fsconfig_string(context, key, value)
        mounts.fsconfig_create(context)
        tree = mounts.fsmount(context, attributes=mounts.MOUNT_ATTR_NOSUID | mounts.MOUNT_ATTR_NOEXEC)
        if uids and gids:
            for name in (".", "ptmx"):
                os.chown(name, to_host(uids, first(uids)), to_host(gids, first(gids)), dir_fd=tree)
        return tree
    finally:
        os.close(context)


def open_terminal(devpts: int) -> tuple[int, int]:
    """A new terminal: its master and its other end, both close-on-exec."""
    return peer_of(os.open("ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=devpts))


def peer_of(master: int) -> tuple[int, int]:
    """A master just opened, and its other end, which is had from the master itself, never by a path (CVE-2025-52565)."""
    try:
        fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
        return master, fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        os.close(master)
        raise


def resize(master: int, rows: int, columns: int) -> None:
    """Sets the window size; the foreground process group gets SIGWINCH. A terminal that is gone is no error."""
    try:
        fcntl.ioctl(master, _TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    except OSError as error:
        if error.errno not in (errno.EIO, errno.EBADF):
            raise
