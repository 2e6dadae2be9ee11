"""Control groups: what a container may use, what it has used, and the only sure way to stop all of it (cgroups(7))."""

from __future__ import annotations

from moby_tui.engine.kernel.cgroup.group import Cgroup
from moby_tui.engine.kernel.cgroup.layout import Layout, detect

__all__ = ["Cgroup", "Layout", "detect", "open_cgroup"]


def open_cgroup(path: str) -> Cgroup:
    """The group of this path (``/moby/<id>``), which need not exist yet; v1 or v2 as the machine has it.

    Raises ``ValueError`` for a path that is not one below the root, ``FileNotFoundError`` where no control groups are mounted.
    """
    parts = path.split("/")
    if parts[0] or len(parts) < 2 or any(part in ("", ".", "..") for part in parts[1:]) or "\0" in path:
        raise ValueError(f"bad control group path {path!r}: use an absolute path below the root")
    layout = detect()
    if layout.version == 2:
        from moby_tui.engine.kernel.cgroup.v2 import UnifiedCgroup

        return UnifiedCgroup(path, layout)
    from moby_tui.engine.kernel.cgroup.v1 import LegacyCgroup

    return LegacyCgroup(path, layout)
