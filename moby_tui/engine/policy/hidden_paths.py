"""The paths of a container that are hidden or may only be read: plain values (every monitor loads them: light imports)."""

from __future__ import annotations

#: Masked: the host's memory, keys, timers, hardware. As Docker 29; /proc/interrupts and thermal_throttle since CVE-2025-31133's
#: review, powercap for the PLATYPUS side channel (CVE-2020-8694).
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
#: Read-only: their settings are those of the whole machine.
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
