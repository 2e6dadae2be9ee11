"""Namespaces of the test session's own: what a test mounts, wires or leaves is never seen by the machine."""

from __future__ import annotations

import ctypes
import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_CHILD_SUBREAPER = 36
_DISK_SIZE = 6 << 30

#: In the environment of every process of the session: the folder that holds all its files. Its name is short, because
#: a unix socket's path holds 107 bytes.
SESSION = "MOBY_TEST_SESSION"
#: A file in that folder which the session's process keeps locked: where nobody does, the session was killed.
LOCK = "lock"
#: In the environment, too: the network namespace that the session came from, for what has to be fetched (``nsenter --net=``).
NETWORK = "MOBY_TEST_NETWORK"


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}; the tests need root")


def inside() -> bool:
    """Whether an ancestor already entered; the workers of pytest-xdist inherit the controller's namespaces."""
    return SESSION in os.environ


def folder() -> Path:
    """The session's folder."""
    return Path(os.environ[SESSION])


def killed_sessions() -> Iterator[Path]:
    """The folders of sessions that ended without removing them. While the caller looks at one, no other session is given it.

    A folder without a lock is a test's own, or just being made or removed: a day old, it is left over too.
    """
    for session in Path("/var/tmp").glob("mt-*"):
        try:
            lock = os.open(session / LOCK, os.O_RDONLY)
        except OSError:
            if session.exists() and session.stat().st_mtime < time.time() - 86400:
                yield session
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            yield session
        finally:
            os.close(lock)


def _make_folder() -> Path:
    """A folder for a session's files, with a lock in it that this process holds until it ends."""
    session = Path(tempfile.mkdtemp(prefix="mt-", dir="/var/tmp"))
    lock = os.open(session / "new", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # nobody sees it while it is not held yet
    os.rename(session / "new", session / LOCK)
    return session


def _lies_on_overlay(path: Path) -> bool:
    kind = subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=True).stdout
    return kind.strip() == "overlayfs"


def _on_ext4(folder: Path) -> Path | None:
    """A folder in a file system that can map ids, made in a file: tmpfs can since Linux 6.3 only. None where that cannot be had."""
    disk, point = folder / "disk", folder / "s"
    with disk.open("wb") as file:
        file.truncate(_DISK_SIZE)
    point.mkdir()
    path = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    commands = (["mkfs.ext4", "-q", "-m", "0", str(disk)], ["mount", "-o", "loop", str(disk), str(point)])
    try:
        # where it is built in, or loaded, this does nothing
        subprocess.run(["modprobe", "loop"], check=False, capture_output=True, env=path)
        for command in commands:
            subprocess.run(command, check=True, capture_output=True, env=path)
    except (OSError, subprocess.CalledProcessError):
        return None
    # beside lost+found
    (point / "t").mkdir()
    return point / "t"


def enter() -> None:
    """Moves this process into mount and network namespaces of its own, with loopback up, and adopts orphans.

    Raises ``OSError`` without root: a test that cannot run must fail, not be skipped.
    """
    if os.geteuid() != 0:
        raise OSError("the tests need root: run `make test` as root")
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0), "prctl")
    if inside():
        return
    os.environ[NETWORK] = f"/proc/{os.getpid()}/fd/{os.open('/proc/self/ns/net', os.O_RDONLY | os.O_CLOEXEC)}"
    _check(_libc.unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare")
    _check(_libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None), "mount")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    session = _make_folder()
    if _lies_on_overlay(session):
        # a virtual machine's or container's root: overlayfs cannot write to another one
        _check(_libc.mount(b"tmpfs", os.fsencode(session), b"tmpfs", None, None), "mount")
        session = _on_ext4(session) or session
    temporary = session / "tmp"
    temporary.mkdir()
    os.environ[SESSION] = str(session)
    os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
