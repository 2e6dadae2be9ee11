"""The monitor as a process: whether it is there, and its end, for an engine that cannot talk to it any more."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from moby_tui.engine.kernel.process import is_running
from moby_tui.engine.store.locks import is_held

#: A process that was killed is given this long to die: it may wait in the kernel.
_DEATH_SECONDS = 10.0


def is_alive(lock: Path) -> bool:
    """Whether somebody holds the monitor's lock."""
    return is_held(lock)


def end(pid: int, lock: str | os.PathLike[str]) -> bool:
    """Kills the monitor with this pid, if that process is one: it holds the monitor's lock. False if it does not, and nothing was done.

    A pid that was written down may be a stranger's by now; the descriptor that is opened first names the process that is looked at
    for good (pidfd_open(2)).
    """
    if pid <= 0:
        return False
    # few monitors are killed
    from moby_tui.engine.kernel.cgroup import freezer
    from moby_tui.engine.kernel.readiness import wait_readable

    try:
        process = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        removed = is_cut_off(pid, lock)
        if not removed and not _holds(pid, lock):
            return False
        signal.pidfd_send_signal(process, signal.SIGKILL)
        freezer.let_killed_die(pid)
        if removed:
            # there is no lock that would tell
            wait_readable(process, seconds=_DEATH_SECONDS)
    except ProcessLookupError:
        return False
    finally:
        os.close(process)
    return True


def find(lock: str | os.PathLike[str]) -> int:
    """The pid of the monitor that holds this lock, for when it is not written down; 0 if there is none. Looks at all processes."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdecimal())
    return next((pid for pid in pids if _holds(pid, lock) or is_cut_off(pid, lock)), 0)


def is_cut_off(pid: int, lock: str | os.PathLike[str]) -> bool:
    """Whether the process is the monitor that holds this lock, though the file has been removed."""
    if pid <= 0:
        return False
    wanted = f"{os.path.realpath(os.path.dirname(lock))}/{os.path.basename(lock)} (deleted)"
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{name}") == wanted and _is_locked(pid, name):
                    return True
    return False


def send(pid: int, started: int, number: int) -> bool:
    """Sends a signal to the process that has this pid and start time; False if it is gone."""
    try:
        process = os.pidfd_open(pid)
    except (OSError, ValueError, OverflowError):
        return False
    try:
        if not is_running(pid, started):
            return False
        signal.pidfd_send_signal(process, number)
    except OSError:
        return False
    finally:
        os.close(process)
    return True


def _holds(pid: int, path: str | os.PathLike[str]) -> bool:
    """Whether a descriptor of the process carries a lock on this file (proc_pid_fdinfo(5))."""
    with suppress(OSError):
        wanted = os.stat(path)
        for name in os.listdir(f"/proc/{pid}/fd"):
            # descriptors come and go meanwhile
            with suppress(OSError):
                if os.path.samestat(os.stat(f"/proc/{pid}/fd/{name}"), wanted) and _is_locked(pid, name):
                    return True
    return False


def _is_locked(pid: int, descriptor: str) -> bool:
    with open(f"/proc/{pid}/fdinfo/{descriptor}") as file:
        return any(line.startswith("lock:") and " FLOCK " in line for line in file)
