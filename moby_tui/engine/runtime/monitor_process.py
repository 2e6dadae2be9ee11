"""The monitor as a process: whether it is there, and its end, for an engine that cannot talk to it any more."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from moby_tui.engine.store.locks import is_held


def is_alive(lock: Path) -> bool:
    """Whether somebody holds the monitor's lock."""
    return is_held(lock)


def end(pid: int, lock: str | os.PathLike[str]) -> bool:
    """Kills the monitor with this pid, if that process is one: it holds the monitor's lock. False where it does not, and nothing was done.

    A pid that was written down may be a stranger's by now; the descriptor that is opened first names the process that is looked at
    for good (pidfd_open(2)).
    """
    if pid <= 0:
        return False
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not _holds(pid, lock):
            return False
        signal.pidfd_send_signal(process, signal.SIGKILL)
    except ProcessLookupError:
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
