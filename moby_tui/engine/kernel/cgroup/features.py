"""Which limits the control groups of this machine have. Looked up one at a time, since most containers set none of them."""

from __future__ import annotations

import os

from moby_tui.engine.kernel.cgroup import files
from moby_tui.engine.kernel.cgroup.layout import Layout

#: Version 1: the controller, and the files of its root of which one must be there; without files the mounted controller is enough.
_V1 = {
    "memory": ("memory", ()),
    "memory swap": ("memory", ("memory.memsw.limit_in_bytes",)),
    "memory reservation": ("memory", ("memory.soft_limit_in_bytes",)),
    "kernel memory of TCP": ("memory", ("memory.kmem.tcp.limit_in_bytes",)),
    "memory swappiness": ("memory", ("memory.swappiness",)),
    "oom killer": ("memory", ("memory.oom_control",)),
    "pids": ("pids", ()),
    "cpu shares": ("cpu", ("cpu.shares",)),
    "cpu quota": ("cpu", ("cpu.cfs_quota_us",)),
    "cpu real-time": ("cpu", ("cpu.rt_runtime_us",)),
    "cpuset": ("cpuset", ()),
    "read bps": ("blkio", ("blkio.throttle.read_bps_device",)),
    "write bps": ("blkio", ("blkio.throttle.write_bps_device",)),
    "read iops": ("blkio", ("blkio.throttle.read_iops_device",)),
    "write iops": ("blkio", ("blkio.throttle.write_iops_device",)),
}
#: Version 2: the controller. Version 2 has no swappiness, no switch of the OOM killer and no real-time budgets.
_V2 = {
    "memory": "memory",
    "memory reservation": "memory",
    "memory swap": "memory",
    "pids": "pids",
    "cpu shares": "cpu",
    "cpu quota": "cpu",
    "cpuset": "cpuset",
    "read bps": "io",
    "write bps": "io",
    "read iops": "io",
    "write iops": "io",
}
BLOCK_WEIGHTS = "block weights"


def has(layout: Layout, feature: str) -> bool:
    """Whether groups of this machine have what one of the names above stands for, or ``block weights``."""
    if feature == BLOCK_WEIGHTS:
        return _has_weights(layout)
    if layout.version == 2:
        controller = _V2.get(feature)
        swap = feature != "memory swap" or os.path.exists("/proc/swaps")
        return layout.unified is not None and controller in layout.unified.controllers and swap
    controller, names = _V1[feature]
    root = next((tree.mountpoint for tree in layout.legacy if controller in tree.controllers), None)
    return root is not None and (not names or any(os.path.exists(f"{root}/{name}") for name in names))


def _has_weights(layout: Layout) -> bool:
    """The root has no files for weights; each other group has one if an I/O scheduler that knows weights is registered."""
    if layout.version == 2:
        if layout.unified is None or "io" not in layout.unified.controllers:
            return False
        # io.weight comes with the I/O cost model, whose settings are in the root alone
        return os.path.exists(f"{layout.unified.mountpoint}/io.cost.qos") or _has_bfq()
    root = next((tree.mountpoint for tree in layout.legacy if "blkio" in tree.controllers), None)
    return root is not None and (os.path.exists(f"{root}/blkio.weight") or _has_bfq())


def _has_bfq() -> bool:
    try:
        disks = os.listdir("/sys/block")
    except FileNotFoundError:
        return False
    schedulers = [f"/sys/block/{disk}/queue/scheduler" for disk in disks]
    return any("bfq" in files.read(path) for path in schedulers if os.path.exists(path))
