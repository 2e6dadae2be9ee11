"""Processes that are frozen because a control group of theirs is, whoever froze it (freezer-subsystem.rst, cgroup-v2.rst; light imports)."""

from __future__ import annotations

from contextlib import suppress

from moby_tui.engine.kernel.cgroup import files
from moby_tui.engine.kernel.cgroup.layout import Layout, detect


def is_frozen(pid: int) -> bool:
    """Whether the process is in a group that is frozen, or about to be. False if it is gone, or there are no control groups."""
    with suppress(OSError, ValueError):
        layout = detect()
        return _is_frozen_by_v1(pid, layout) or _is_frozen_by_v2(pid, layout)
    return False


def is_group_frozen(path: str) -> bool:
    """The same of a group; ``path`` is relative to the root of its tree. False if there is no such group."""
    with suppress(OSError, ValueError):
        layout = detect()
        return _is_group_frozen_by_v1(path, layout) or _is_group_frozen_by_v2(path, layout)
    return False


def let_killed_die(pid: int) -> None:
    """For a process that was sent SIGKILL: where a group of version 1 keeps it frozen it would not die before that is thawed, so it is
    moved out of it. (One that version 2 keeps frozen dies.) Nothing is done where that is refused, or it is not frozen."""
    with suppress(OSError, ValueError):
        layout = detect()
        if _is_frozen_by_v1(pid, layout):
            files.write(f"{layout.roots['freezer']}/cgroup.procs", pid)


def _is_frozen_by_v1(pid: int, layout: Layout) -> bool:
    tree = layout.roots.get("freezer")
    path = _path(pid, "freezer") if tree else None
    return path is not None and _is_group_frozen_by_v1(path, layout)


def _is_group_frozen_by_v1(path: str, layout: Layout) -> bool:
    try:
        return files.read(f"{layout.roots['freezer']}{path}/freezer.state").strip() != "THAWED"
    except (KeyError, FileNotFoundError):
        # the root of all groups has none
        return False


def _is_frozen_by_v2(pid: int, layout: Layout) -> bool:
    """True if the process is in a frozen group of version 2; false if version 2 is not mounted."""
    path = _path(pid, "") if layout.unified is not None else None
    return path is not None and _is_group_frozen_by_v2(path, layout)


def _is_group_frozen_by_v2(path: str, layout: Layout) -> bool:
    tree = layout.unified
    return tree is not None and files.read_table(f"{tree.mountpoint}{path}/cgroup.events").get("frozen") == 1


def _path(pid: int, controller: str) -> str | None:
    """The group of the process in the tree with this controller, in that of version 2 for an empty one (proc_pid_cgroup(5))."""
    with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if controller in controllers.split(","):
                # of one outside of what this process sees it is a path with ".."
                return None if "/.." in path else path
    return None
