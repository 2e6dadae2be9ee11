"""Knows whether a layer or blob has been written to the disk, or is in the kernel's page cache only.

Writing through takes longer than unpacking, and waits for whatever else is being written, so it is done in the background
(``LayerStore``). Until then the thing carries a mark, an extended attribute with the id of this boot. The mark is set before the
thing appears under its name, and taken away when all is on the disk. Linux's file systems keep changes of names and attributes in
their order (ext4, xfs and btrfs by their journals and transactions), so what is there after a power cut without a mark is whole. What
has the mark of another boot is not used: a blob is verified by its digest, a layer is made anew from its blob (``recovery``).

A mark that stays though all was written (its engine was killed, or the power went just then) costs that work, nothing else. Where a
file system cannot hold the mark, things are written through before they appear.
"""

from __future__ import annotations

import errno
import os
from threading import Lock

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.path import sync_file_system
from moby_tui.engine.kernel.process import boot_id

#: Only root reads or sets it, and no container sees it: it is on the layer's folder, not on what overlayfs takes.
MARK = "trusted.moby.unwritten"

_pending: set[str] = set()
_lock = Lock()


def mark(target: int | str) -> bool:
    """Marks a file or folder before it gets its name or is changed. False if the file system cannot store the mark."""
    try:
        os.setxattr(target, MARK, boot_id().encode())
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.EPERM):
            raise
        return False
    return True


def may_be_lost(path: str) -> bool:
    """True if the thing carries the mark of an earlier boot: the machine went down before it was known to be on the disk."""
    try:
        return os.getxattr(path, MARK) != boot_id().encode()
    except OSError:
        return False


def vouch(path: str) -> None:
    """Removes the mark from a thing that was verified."""
    try:
        os.removexattr(path, MARK)
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.ENOENT, errno.ENOTSUP):
            raise


def appeared(path: str) -> None:
    """Notes for ``write_through`` that a marked thing has its name. From any thread."""
    with _lock:
        _pending.add(path)


def is_pending() -> bool:
    with _lock:
        return bool(_pending)


def write_through() -> None:
    """Writes to the disk what has appeared in this process, and takes the marks away. Blocking; raises ``OSError``."""
    with _lock:
        paths = sorted(_pending)
        _pending.clear()
    by_device: dict[int, list[str]] = {}
    for path in filter(os.path.exists, paths):
        by_device.setdefault(os.stat(path).st_dev, []).append(path)
    for same in by_device.values():
        _sync(same[0])
        fault.point("layer.written")
        for path in same:
            vouch(path)


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync_file_system(fd)
    finally:
        os.close(fd)
