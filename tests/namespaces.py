"""Namespaces of the test session's own: what a test mounts, wires or leaves is never seen by the machine."""

from __future__ import annotations

import ctypes
import os
import subprocess

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_CHILD_SUBREAPER = 36


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}; the tests need root")


def inside() -> bool:
    """Whether this process is already in a network namespace other than the machine's."""
    return os.environ.get("MOBY_TEST_NAMESPACES") == "1"


def enter() -> None:
    """Moves this process into mount and network namespaces of its own, with loopback up, and adopts orphans.

    Raises ``OSError`` without root: a test that cannot run must fail, not be skipped.
    """
    if os.geteuid() != 0:
        raise OSError("the tests need root: run `make test` as root")
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0), "prctl")
    if inside():
        return
    _check(_libc.unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare")
    _check(_libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None), "mount")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.environ["MOBY_TEST_NAMESPACES"] = "1"
