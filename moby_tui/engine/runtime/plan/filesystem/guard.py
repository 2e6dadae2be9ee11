"""What a mount may not cover.

Whoever decides what /proc shows decides what is written through it: limits, sysctls and the profile of whoever enters the container
(CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2025-52881). So nothing is mounted inside /proc but the files that LXCFS puts there,
and nothing over /proc but a procfs.
"""

from __future__ import annotations

import ctypes
import errno
import os

from moby_tui.engine.kernel import calls
from moby_tui.engine.runtime.plan.program import Program, Slot

_PROC_SUPER_MAGIC = 0x9FA0
#: ``struct statfs`` has 120 bytes, of which the first long is the file system's kind (statfs(2)).
_STATFS_LONGS = 16
#: What may be covered: files that say how large the machine is, of which LXCFS tells the container's own share.
_MAY_BE_COVERED = frozenset(
    f"/proc/{name}"
    for name in (
        *("cpuinfo", "diskstats", "loadavg", "meminfo", "slabinfo", "stat", "swaps", "uptime"),
        *("sys/crypto/fips_enabled", "sys/kernel/ns_last_pid"),
    )
)


def check_destination(destination: str, source: str) -> bool:
    """Returns True if the target of a mount may lie on a procfs.

    Raises ``ValueError`` for a mount inside /proc, and for one over /proc of another kind than procfs.
    """
    if destination == "/proc" and not _is_procfs(source):
        raise ValueError(f"cannot mount {source} to /proc: only a proc file system may be there")
    if destination in _MAY_BE_COVERED:
        return True
    if destination.startswith("/proc/"):
        raise ValueError(f"cannot mount {source} to {destination}: it is inside /proc")
    return False


def refuse_procfs(program: Program, path: str, target: Slot) -> None:
    """Ends the program where a link of the image has led a mount's destination into /proc (CVE-2023-27561)."""
    status = (ctypes.c_long * _STATFS_LONGS)()
    address = program.keep(status)

    def verify() -> int:
        result = calls.fstatfs(target, address)
        if result == 0 and status[0] == _PROC_SUPER_MAGIC:
            ctypes.set_errno(errno.EPERM)
            return -1
        return result

    program.add(f"mount {path} inside /proc", verify)


def _is_procfs(path: str) -> bool:
    status = (ctypes.c_long * _STATFS_LONGS)()
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return calls.fstatfs(fd, ctypes.addressof(status)) == 0 and status[0] == _PROC_SUPER_MAGIC
    finally:
        os.close(fd)
