"""The mounts, device rules, namespaces and hidden paths that every container has unless it asks for something else.

From these the configuration is written and the stage built. Runs in every monitor: light imports.
"""

from __future__ import annotations

from moby_tui.engine.protocol.configuration import DeviceRule, Mount

DEFAULT_SHM_BYTES = 64 * 1024 * 1024
_STRICT = ["nosuid", "noexec", "nodev"]

SYS = Mount(destination="/sys", type="sysfs", source="sysfs", options=[*_STRICT, "ro"])
#: The mounts that need neither the image nor the network, an outer one before what lies in it.
STAGED = [
    Mount(destination="/proc", type="proc", source="proc", options=_STRICT),
    Mount(destination="/dev", type="tmpfs", source="tmpfs", options=["nosuid", "mode=755", "size=65536k"]),
    Mount(destination="/dev/pts", type="devpts", source="devpts", options=["nosuid", "noexec"]),
    Mount(destination="/dev/shm", type="tmpfs", source="shm", options=[*_STRICT, "mode=1777", f"size={DEFAULT_SHM_BYTES}"]),
    Mount(destination="/dev/mqueue", type="mqueue", source="mqueue", options=_STRICT),
    Mount(destination="/sys/fs/cgroup", type="cgroup", source="cgroup", options=[*_STRICT, "ro"]),
]
#: What may always be opened: mknod of anything, and the default devices, terminals and ptmx.
DEVICE_RULES = [
    DeviceRule(allow=False, access="rwm"),
    DeviceRule(allow=True, type="c", access="m"),
    DeviceRule(allow=True, type="b", access="m"),
    *(
        DeviceRule(allow=True, type="c", major=major, minor=minor, access="rwm")
        for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2))
    ),
    DeviceRule(allow=True, type="c", major=136, access="rwm"),
]
#: The namespaces that are made ahead; the network's is handed over ready.
NAMESPACES = frozenset({"mount", "pid", "uts", "ipc", "cgroup"})
#: Masked: the host's memory, keys, timers, hardware. As Docker 29; /proc/interrupts and thermal_throttle since CVE-2025-31133's
#: review, powercap for the PLATYPUS side channel (CVE-2020-8694).
MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
#: Read-only: their settings are those of the whole machine.
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
