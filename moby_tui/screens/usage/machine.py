"""What the machine uses, read from /proc: cores, memory, pressure (proc(5), Documentation/accounting/psi.rst of the kernel)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cores:
    """Busy and whole time since boot, in ticks: of all cores together, and of each."""

    total: tuple[int, int] = (0, 0)
    each: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Pressure:
    """Percent of the last 10, 60 and 300 seconds in which some, or all, tasks waited for this."""

    some: tuple[float, float, float] = (0.0, 0.0, 0.0)
    full: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system: bytes."""

    path: str
    total: int
    used: int

    @property
    def share(self) -> float:
        return self.used / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Machine:
    """One look at it. ``memory`` has the fields of /proc/meminfo in bytes; ``load`` the averages of 1, 5 and 15 minutes."""

    cores: Cores = field(default_factory=Cores)
    memory: dict[str, int] = field(default_factory=dict)
    pressure: dict[str, Pressure] = field(default_factory=dict)
    load: tuple[float, ...] = ()
    disks: tuple[Disk, ...] = ()
    uptime: float = 0.0

    @property
    def memory_total(self) -> int:
        return self.memory.get("MemTotal", 0)

    @property
    def memory_used(self) -> int:
        """Without what the kernel would give back: page cache and reclaimable slabs."""
        return max(self.memory_total - self.memory.get("MemAvailable", self.memory.get("MemFree", 0)), 0)

    @property
    def swap_used(self) -> int:
        return self.memory.get("SwapTotal", 0) - self.memory.get("SwapFree", 0)


def parse_stat(content: str) -> Cores:
    """Reads /proc/stat. Guests are counted in user time already; idle and iowait are not busy."""
    total, each = (0, 0), []
    for line in content.splitlines():
        name, *fields = line.split()
        if not name.startswith("cpu"):
            break
        ticks = [int(value) for value in fields[:8]]
        times = sum(ticks) - sum(ticks[3:5]), sum(ticks)
        if name == "cpu":
            total = times
        else:
            each.append(times)
    return Cores(total, tuple(each))


def busy(before: Cores, now: Cores) -> tuple[float, list[float]]:
    """Percent in which all cores, and each, were busy between two looks."""
    shares = [_share(one, other) for one, other in zip(before.each, now.each, strict=False)]
    return _share(before.total, now.total), shares


def _share(before: tuple[int, int], now: tuple[int, int]) -> float:
    whole = now[1] - before[1]
    return min(max((now[0] - before[0]) / whole * 100, 0.0), 100.0) if whole > 0 else 0.0


def parse_meminfo(content: str) -> dict[str, int]:
    """Reads /proc/meminfo, in bytes."""
    values: dict[str, int] = {}
    for line in content.splitlines():
        name, _, rest = line.partition(":")
        number, *unit = rest.split() or [""]
        if number.isdecimal():
            values[name] = int(number) * (1024 if unit == ["kB"] else 1)
    return values


def parse_pressure(content: str) -> Pressure:
    """Reads a file of /proc/pressure."""
    rows: dict[str, tuple[float, float, float]] = {}
    for line in content.splitlines():
        kind, *fields = line.split()
        values = dict(one.split("=", 1) for one in fields if "=" in one)
        rows[kind] = (float(values.get("avg10", 0)), float(values.get("avg60", 0)), float(values.get("avg300", 0)))
    return Pressure(rows.get("some", (0.0, 0.0, 0.0)), rows.get("full"))


def look(paths: Iterable[str] = ("/",), proc: Path = Path("/proc")) -> Machine:
    """Reads all of it; what this machine does not tell stays empty. ``paths`` are folders whose file systems are told once each."""
    return Machine(
        cores=_read(proc / "stat", parse_stat) or Cores(),
        memory=_read(proc / "meminfo", parse_meminfo) or {},
        pressure={
            name: pressure
            for name in ("cpu", "memory", "io")
            if (pressure := _read(proc / "pressure" / name, parse_pressure)) is not None
        },
        load=_read(proc / "loadavg", lambda content: tuple(float(one) for one in content.split()[:3])) or (),
        disks=tuple(_disks(paths)),
        uptime=_read(proc / "uptime", lambda content: float(content.split()[0])) or 0.0,
    )


def _read(path: Path, parse: Callable[[str], T]) -> T | None:
    try:
        return parse(path.read_text())
    except (OSError, ValueError, IndexError):
        return None


def _disks(paths: Iterable[str]) -> Iterable[Disk]:
    seen: set[int] = set()
    for path in paths:
        try:
            device, usage = os.stat(path).st_dev, os.statvfs(path)
        except OSError:
            continue
        if device not in seen and usage.f_blocks:
            seen.add(device)
            # as df: what is reserved for root is not used, and cannot be had either
            used = (usage.f_blocks - usage.f_bfree) * usage.f_frsize
            yield Disk(path, used + usage.f_bavail * usage.f_frsize, used)
