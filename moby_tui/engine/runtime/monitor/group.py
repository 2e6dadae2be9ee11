"""The control group of the monitors, apart from that of the caller: what ends or freezes the caller's group, as systemd does to a service,
must not end containers (light imports: it runs in every monitor).

The last monitor to end removes the group; so does an engine that cleans up after a killed one.
"""

from __future__ import annotations

import os
from contextlib import suppress

from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.cgroup import Layout, detect, files, open_cgroup, remove_empty
from moby_tui.engine.kernel.cgroup.layout import MONITORS

#: The group may be removed, as an empty one, while it is entered.
_TRIES = 20
_PATIENCE_SECONDS = 1.0

_entered: Layout | None = None


def find_layout() -> Layout | None:
    """Where control groups are mounted; None if they are not."""
    try:
        return detect()
    except (OSError, ValueError):
        return None


def fork(layout: Layout | None) -> int:
    """As ``os.fork``, for a process of one thread: the child is in the group, or where its parent is if the kernel refuses that.

    It is born in the tree of version 2 (CLONE_INTO_CGROUP) and moves itself in those of version 1: neither takes the global lock
    that moving another process does (cgroups(7)).
    """
    global _entered
    for _ in range(_TRIES if layout is not None else 0):
        assert layout is not None
        try:
            group = open_cgroup(MONITORS, layout)
            group.make()
            birthplace, entrances = group.descriptor(), group.entrances()
        except (OSError, ValueError):
            break
        pid = processes.Clone(cgroup=birthplace)() if birthplace is not None else os.fork()
        if pid == 0 and _enter(entrances):
            _entered = layout
        if birthplace is not None:
            os.close(birthplace)
        if pid >= 0:
            return pid
    return os.fork()


def _enter(entrances: list[str]) -> bool:
    """Moves this process into the trees of version 1. False if the kernel refuses: then it stays in its parent's group."""
    for path in entrances:
        for _ in range(_TRIES):
            try:
                files.write(path, 0)
                break
            except FileNotFoundError:
                open_cgroup(MONITORS).make()
            except OSError:
                return False
    return True


def leave() -> None:
    """Called by a process of the group at its very end. If it is the last, it forks a process outside of the group that removes it."""
    if _entered is None or _others(_entered):
        return
    with suppress(OSError):
        ending = os.pidfd_open(os.getpid())
        tree = _entered.unified
        outside = os.open(tree.mountpoint, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if tree is not None else None
        # a sibling, which this process's parent reaps
        if processes.Clone(processes.CLONE_PARENT, outside)() == 0:
            _remove_after(ending, _entered)


def _others(layout: Layout) -> bool:
    pids = files.pids(f"{layout.trees[0].mountpoint}{MONITORS}")
    return any(pid != os.getpid() for pid in pids)


def _remove_after(ending: int, layout: Layout) -> None:
    """Waits for the end of its maker and removes the group; in a process of its own, never returns."""
    # engines import this module too
    from moby_tui.engine.kernel.readiness import wait_readable

    try:
        for tree in layout.legacy:
            files.write(f"{tree.mountpoint}/tasks", 0)
        wait_readable(ending, seconds=_PATIENCE_SECONDS)
        remove_empty(MONITORS, layout)
    finally:
        os._exit(0)
