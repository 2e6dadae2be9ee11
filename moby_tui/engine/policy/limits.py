"""Checks the limits of a request, and which of them this machine can enforce. The error texts are the Docker Engine's.

A limit that the kernel cannot enforce is left out with a warning if the Docker Engine does so; else it is refused.
"""

from __future__ import annotations

import os
import re
from typing import TypeVar

from msgspec.structs import replace

from moby_tui.engine.kernel.cgroup import Layout, detect
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import Resources

R = TypeVar("R", bound=Resources)

_MEGABYTE = 1024 * 1024
_LEAST_MEMORY = 6 * _MEGABYTE
_NANO = 1_000_000_000
_RANGES = r"\d{1,6}(?:-\d{1,6})?(?:,\d{1,6}(?:-\d{1,6})?)*"
#: For each field the kernel's feature that it needs, and the warning if the kernel lacks it.
_NO_CGROUP = "or the cgroup is not mounted."
_DISCARDED = {
    "pids_limit": ("pids", f"Your kernel does not support PIDs limit capabilities {_NO_CGROUP} PIDs limit discarded."),
    "memory_reservation": (
        "memory reservation",
        f"Your kernel does not support memory soft limit capabilities {_NO_CGROUP} Limitation discarded.",
    ),
    "kernel_memory_tcp": (
        "kernel memory of TCP",
        f"Your kernel does not support kernel memory TCP limit capabilities {_NO_CGROUP} Limitation discarded.",
    ),
    "memory_swappiness": (
        "memory swappiness",
        f"Your kernel does not support memory swappiness capabilities {_NO_CGROUP} Memory swappiness discarded.",
    ),
    "oom_kill_disable": ("oom killer", "Your kernel does not support OomKillDisable. OomKillDisable discarded."),
    "cpu_shares": ("cpu shares", f"Your kernel does not support CPU shares {_NO_CGROUP} Shares discarded."),
    "cpu_period": ("cpu quota", "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded."),
    "cpu_quota": ("cpu quota", "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded."),
    "cpuset_cpus": ("cpuset", f"Your kernel does not support cpuset {_NO_CGROUP} Cpuset discarded."),
    "cpuset_mems": ("cpuset", f"Your kernel does not support cpuset {_NO_CGROUP} Cpuset discarded."),
    "blkio_weight": ("block weights", f"Your kernel does not support Block I/O weight {_NO_CGROUP} Weight discarded."),
    "blkio_weight_device": (
        "block weights",
        f"Your kernel does not support Block I/O weight_device {_NO_CGROUP} Weight-device discarded.",
    ),
    "blkio_device_read_bps": (
        "read bps",
        f"Your kernel does not support BPS Block I/O read limit {_NO_CGROUP} Block I/O BPS read limit discarded.",
    ),
    "blkio_device_write_bps": (
        "write bps",
        f"Your kernel does not support BPS Block I/O write limit {_NO_CGROUP} Block I/O BPS write limit discarded.",
    ),
    "blkio_device_read_iops": (
        "read iops",
        f"Your kernel does not support IOPS Block read limit {_NO_CGROUP} Block I/O IOPS read limit discarded.",
    ),
    "blkio_device_write_iops": (
        "write iops",
        f"Your kernel does not support IOPS Block write limit {_NO_CGROUP} Block I/O IOPS write limit discarded.",
    ),
}


def settle(asked: R, *, update: bool = False) -> tuple[R, list[str]]:
    """Checks limits; returns them without those that this machine cannot enforce, and the warnings that say so.

    ``update``: they are changes to a container that has limits already. Raises ``InvalidArgument``.
    """
    settled = replace(
        asked,
        memory_swappiness=None if asked.memory_swappiness == -1 else asked.memory_swappiness,
    )
    _check_memory(settled, update=update)
    _check_cpu(settled)
    settled, warnings = _without_windows_limits(settled)
    settled, discarded = _enforceable(settled)
    # what is discarded may have any value, as with dockerd
    _check_block_io(settled)
    warnings += discarded
    if settled.oom_kill_disable and not settled.memory and not update:
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, "
            "this can result in the system running out of resources."
        )
    return settled, warnings


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidArgument(message)


def _check_memory(asked: Resources, *, update: bool) -> None:
    memory, swap, reservation = asked.memory, asked.memory_swap, asked.memory_reservation
    _require(memory >= 0, "invalid memory limit: it must not be negative")
    _require(memory == 0 or memory >= _LEAST_MEMORY, "Minimum memory limit allowed is 6MB")
    _require(swap >= -1, "invalid memory+swap limit: give a size, or -1 for as much swap as there is")
    _require(not memory or swap <= 0 or swap >= memory, "Minimum memoryswap limit should be larger than memory limit, see usage")
    _require(bool(memory) or swap <= 0 or update, "You should always set the Memory limit when using Memoryswap limit, see usage")
    swappiness = asked.memory_swappiness
    _require(swappiness is None or 0 <= swappiness <= 100, f"Invalid value: {swappiness}, valid memory swappiness range is 0-100")
    _require(reservation >= 0, "invalid memory reservation: it must not be negative")
    _require(asked.kernel_memory_tcp >= 0, "invalid limit of kernel memory for TCP: it must not be negative")
    _require(reservation == 0 or reservation >= _LEAST_MEMORY, "Minimum memory reservation allowed is 6MB")
    _require(not memory or reservation <= memory, "Minimum memory limit can not be less than memory reservation limit, see usage")


def _check_cpu(asked: Resources) -> None:
    count = os.cpu_count() or 1
    _require(
        0 <= asked.nano_cpus <= count * _NANO,
        f"range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available",
    )
    _require(not (asked.nano_cpus and asked.cpu_period), "Conflicting options: Nano CPUs and CPU Period cannot both be set")
    _require(not (asked.nano_cpus and asked.cpu_quota), "Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    _require(
        asked.cpu_period == 0 or 1000 <= asked.cpu_period <= 1_000_000,
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    )
    _require(asked.cpu_quota <= 0 or asked.cpu_quota >= 1000, "CPU cfs quota can not be less than 1ms (i.e. 1000)")
    _require(asked.cpu_shares >= 0, f"invalid CPU shares ({asked.cpu_shares}): value must be a positive integer")
    _check_real_time(asked)
    _check_set(asked.cpuset_cpus, "CPUs", "cpus", "/sys/devices/system/cpu/online")
    _check_set(asked.cpuset_mems, "memory nodes", "mems", "/sys/devices/system/node/online")


def _check_real_time(asked: Resources) -> None:
    period, runtime = asked.cpu_realtime_period, asked.cpu_realtime_runtime
    if not period and not runtime:
        return
    _require(not (period and runtime > period), "cpu real-time runtime cannot be higher than cpu real-time period")
    there = _has(detect(), "cpu real-time")
    _require(not period or there, "Your kernel does not support cgroup cpu real-time period")
    _require(not runtime or there, "Your kernel does not support cgroup cpu real-time runtime")


def _check_set(asked: str, what: str, option: str, online: str) -> None:
    if not asked:
        return
    readable = bool(re.fullmatch(_RANGES, asked)) and all(first <= last for first, last in _spans(asked))
    _require(readable, f"Invalid value {asked} for cpuset {option}: invalid format: {asked}")
    try:
        with open(online, encoding="utf-8") as file:
            available = file.read().strip()
    except OSError:
        available = "0"
    there = _spans(available)
    _require(
        all(any(low <= first <= last <= high for low, high in there) for first, last in _spans(asked)),
        f"Requested {what} are not available - requested {asked}, available: {available}",
    )


def _spans(text: str) -> list[tuple[int, int]]:
    """``0-2,5`` as pairs of first and last number. The numbers between are not listed: a range may be huge."""
    pairs = (part.partition("-") for part in text.split(","))
    return [(int(first), int(last or first)) for first, _, last in pairs]


def _check_block_io(asked: Resources) -> None:
    _require(not asked.blkio_weight or 10 <= asked.blkio_weight <= 1000, "Range of blkio weight is from 10 to 1000")
    for weight in asked.blkio_weight_device or []:
        _require(
            not weight.weight or 10 <= weight.weight <= 1000,
            f"Range of blkio weight is from 10 to 1000: {weight.path} has {weight.weight}",
        )
    for name in ("blkio_device_read_bps", "blkio_device_write_bps", "blkio_device_read_iops", "blkio_device_write_iops"):
        for limit in getattr(asked, name) or []:
            _require(limit.rate >= 0, f"invalid rate for {limit.path}: it must not be negative")
    _require(not asked.io_maximum_bandwidth, "invalid option: QoS maximum bandwidth configuration is not supported on linux")
    _require(not asked.io_maximum_iops, "invalid option: QoS maximum IOPs configuration is not supported on linux")


def _enforceable(asked: R) -> tuple[R, list[str]]:
    """The limits that the kernel can enforce, and a warning for each that it cannot. Raises ``InvalidArgument`` for a limit of CPUs."""
    names = [name for name in _DISCARDED if _is_limit(name, getattr(asked, name))]
    if not names and not asked.memory and not asked.nano_cpus:
        return asked, []
    layout = detect()
    settled, warnings = _enforceable_memory(asked, layout)
    _require(
        not asked.nano_cpus or _has(layout, "cpu quota"),
        "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted",
    )
    lacking = [name for name in names if not _has(layout, _DISCARDED[name][0])]
    warnings += dict.fromkeys(_DISCARDED[name][1] for name in lacking)
    return replace(settled, **{name: _NOTHING[name] for name in lacking}), warnings


def _has(layout: Layout, feature: str) -> bool:
    """True if the control groups of this machine have the feature (a name of ``kernel/cgroup/features.py``)."""
    # imported here, since few containers have limits
    from moby_tui.engine.kernel.cgroup.features import has

    return has(layout, feature)


_NOTHING: dict[str, object] = {name: getattr(Resources(), name) for name in _DISCARDED}


def _is_limit(name: str, value: object) -> bool:
    """True if the field asks for a limit: a value that means "none" needs no support. A swappiness of 0 is a limit."""
    if name == "memory_swappiness":
        return value is not None
    return value not in (None, 0, "", []) and not (isinstance(value, int) and value < 0)


def _enforceable_memory(asked: R, layout: Layout) -> tuple[R, list[str]]:
    if not asked.memory:
        return asked, []
    if not _has(layout, "memory"):
        text = f"Your kernel does not support memory limit capabilities {_NO_CGROUP} Limitation discarded."
        return replace(asked, memory=0, memory_swap=-1), [text]
    if asked.memory_swap != -1 and not _has(layout, "memory swap"):
        text = f"Your kernel does not support swap limit capabilities {_NO_CGROUP} Memory limited without swap."
        return replace(asked, memory_swap=-1), [text]
    return asked, []


def _without_windows_limits(asked: R) -> tuple[R, list[str]]:
    """The limits for Windows as the Docker Engine has them here: CPU percent is dropped with a warning, the CPU count kept without effect."""
    if asked.cpu_percent <= 0:
        return asked, []
    return replace(asked, cpu_percent=0), ["linux does not support CPU percent. Percent discarded."]
