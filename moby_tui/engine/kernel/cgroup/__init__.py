"""Control groups: what a container may use, what it has used, and the only sure way to stop all of it (cgroups(7))."""

from __future__ import annotations

import os
from contextlib import suppress

from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.cgroup import files
from moby_tui.engine.kernel.cgroup.layout import Layout, detect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.kernel.cgroup.group import Cgroup

__all__ = ["Layout", "detect", "exists", "open_cgroup", "remove_abandoned", "remove_empty"]


def open_cgroup(path: str, layout: Layout | None = None) -> Cgroup:
    """The group of this path (``/moby/<id>``), which need not exist yet; v1 or v2 as the machine has it.

    Give ``layout`` if it is known, and it is not looked for again. Raises ``ValueError`` for a path that is not one below the root,
    ``FileNotFoundError`` if no control groups are mounted.
    """
    _check(path)
    layout = layout or detect()
    if layout.version == 2:
        from moby_tui.engine.kernel.cgroup.v2 import UnifiedCgroup

        return UnifiedCgroup(path, layout)
    from moby_tui.engine.kernel.cgroup.v1 import LegacyCgroup

    return LegacyCgroup(path, layout)


def exists(path: str) -> bool:
    """Whether any part of the group of this path is there. Raises as ``open_cgroup`` does."""
    _check(path)
    return any(os.path.isdir(f"{tree.mountpoint}{path}") for tree in detect().trees)


def _check(path: str) -> None:
    parts = path.split("/")
    if parts[0] or len(parts) < 2 or any(part in ("", ".", "..") for part in parts[1:]) or "\0" in path:
        raise ValueError(f"bad control group path {path!r}: use an absolute path below the root")


def remove_abandoned(parent: str, prefix: str, layout: Layout) -> None:
    """Removes the groups ``<prefix><pid>`` right below ``parent`` whose process has ended. A group with other groups in it stays."""
    for tree in layout.trees:
        folder = f"{tree.mountpoint}{parent}"
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            continue
        for name in names:
            owner = name.removeprefix(prefix)
            if owner != name and owner.isdecimal() and not processes.is_alive(int(owner)):
                _try_to_remove(f"{folder}/{name}")


def remove_empty(path: str, layout: Layout) -> None:
    """Removes the group of this path in every tree in which it is empty."""
    for tree in layout.trees:
        with suppress(OSError):
            files.remove(f"{tree.mountpoint}{path}", patience=0, parent=True)


def _try_to_remove(group: str) -> None:
    try:
        files.remove(group, patience=0)
    except OSError:
        return
