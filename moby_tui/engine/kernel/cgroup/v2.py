"""Control groups version 2: one tree, one folder (Documentation/admin-guide/cgroup-v2.rst)."""

from __future__ import annotations

import errno
import math
import os
import select
import time

from moby_tui.engine.kernel import bpf
from moby_tui.engine.kernel.cgroup import block_io, files
from moby_tui.engine.kernel.cgroup.group import Cgroup, check, devices, huge_pages, limit_or, missing, number, section
from moby_tui.engine.kernel.cgroup.oom import OomWatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.kernel.cgroup.group import Resources, Section
    from moby_tui.engine.kernel.cgroup.layout import Layout

_FREEZE_SECONDS = 10.0


class UnifiedCgroup(Cgroup):
    """One folder below the mount point of cgroup2."""

    def __init__(self, path: str, layout: Layout) -> None:
        super().__init__(path)
        assert layout.unified is not None
        self._root = layout.unified.mountpoint
        self._folder = f"{self._root}{path}"
        self._descriptor: int | None = None

    def create(self, resources: Resources) -> None:
        check(resources)
        files.remove(self._folder, patience=0)
        try:
            files.make(self._root, self.path)
            # with the folder in it, nobody can remove the parent any more
            self._enable_controllers()
            self.update(resources)
        except BaseException:
            files.remove(self._folder, patience=0)
            raise

    def make(self) -> None:
        files.make_if_missing(self._root, self.path)

    def _enable_controllers(self) -> None:
        """Enables every controller in each group of the path, one at a time, because the kernel refuses the whole write if it refuses one.

        A refusal is no error yet: what is then missing is told when a limit needs it.
        """
        files.hand_down(self._root, self.path)

    def descriptor(self) -> int | None:
        if self._descriptor is None:
            self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self._descriptor

    def entrances(self) -> list[str]:
        return []

    def add(self, pid: int) -> None:
        files.write(f"{self._folder}/cgroup.procs", pid)

    def update(self, resources: Resources) -> None:
        check(resources)
        self._limit_memory(section(resources, "memory"))
        self._limit_cpu(section(resources, "cpu"))
        limit = number(section(resources, "pids"), "limit")
        if limit is not None:
            self._set("pids", "pids.max", limit_or(limit, "max"), needed=limit > 0)
        if block := section(resources, "blockIO"):
            if not os.path.exists(f"{self._folder}/io.stat"):
                raise missing("io")
            block_io.limit_v2(self._folder, block)
        for size, most in huge_pages(resources):
            self._set("hugetlb", f"hugetlb.{size}.max", most)
        for name, value in section(resources, "unified").items():
            if "/" in name or "." not in name:
                raise ValueError(f"control groups: {name!r} is not the name of a setting")
            self._set(name.partition(".")[0], name, value)
        rules = devices(resources)
        if rules is not None:
            bpf.filter_devices(self.descriptor() or 0, rules)

    def _set(self, controller: str, name: str, value: object, *, needed: bool = True) -> None:
        path = f"{self._folder}/{name}"
        if os.path.exists(path):
            files.write(path, value)
        elif needed:
            raise missing(controller)

    def _limit_memory(self, asked: Section) -> None:
        limit, reservation = number(asked, "limit"), number(asked, "reservation")
        swap = swap_alone(limit, number(asked, "swap"))
        if swap is not None:
            # without swap space in the kernel there is nothing to limit
            self._set("memory", "memory.swap.max", swap, needed=False)
        if limit:
            self._set("memory", "memory.max", limit_or(limit, "max"), needed=limit > 0)
        if reservation:
            self._set("memory", "memory.low", reservation)
        if (number(asked, "swappiness") or -1) >= 0 or asked.get("disableOOMKiller") is True or number(asked, "kernelTCP"):
            raise ValueError("swappiness, TCP's memory and the out-of-memory killer cannot be set on version 2 of control groups")

    def _limit_cpu(self, asked: Section) -> None:
        shares, period, quota = number(asked, "shares"), number(asked, "period"), number(asked, "quota")
        if shares:
            self._set("cpu", "cpu.weight", weight_of_shares(shares))
        if quota or period:
            self._set("cpu", "cpu.max", " ".join(str(word) for word in (limit_or(quota or -1, "max"), period) if word))
        for key, file in (("burst", "cpu.max.burst"), ("idle", "cpu.idle")):
            if (number_of := number(asked, key)) is not None:
                self._set("cpu", file, number_of)
        if number(asked, "realtimePeriod") or number(asked, "realtimeRuntime"):
            raise ValueError("real-time budgets of CPU time cannot be set on version 2 of control groups")
        for key in ("cpus", "mems"):
            value = asked.get(key)
            if value:
                self._set("cpuset", f"cpuset.{key}", value)

    def freeze(self) -> None:
        self._switch_freezer(frozen=True)

    def thaw(self) -> None:
        self._switch_freezer(frozen=False)

    def _switch_freezer(self, *, frozen: bool) -> None:
        files.write(f"{self._folder}/cgroup.freeze", int(frozen))
        deadline = time.monotonic() + _FREEZE_SECONDS
        with open(f"{self._folder}/cgroup.events", encoding="utf-8") as events:
            waiter = select.poll()
            waiter.register(events, select.POLLPRI)
            while f"frozen {int(frozen)}" not in events.read():
                if time.monotonic() > deadline:
                    files.write(f"{self._folder}/cgroup.freeze", 0)
                    raise TimeoutError(errno.ETIMEDOUT, "the container's processes do not stop; they run on", self.path)
                waiter.poll(100)
                events.seek(0)

    def frozen(self) -> bool:
        return files.read_number(f"{self._folder}/cgroup.freeze") == 1

    def exists(self) -> bool:
        return os.path.isdir(self._folder)

    def pids(self) -> list[int]:
        return files.pids(self._folder)

    def kill(self) -> None:
        try:
            files.write(f"{self._folder}/cgroup.kill", 1)
        except FileNotFoundError:
            self._kill_frozen()  # Linux before 5.14

    def oom_kills(self) -> int:
        return files.read_table(f"{self._folder}/memory.events").get("oom_kill", 0)

    def watch_oom(self) -> OomWatch | None:
        return OomWatch.of_v2(f"{self._folder}/memory.events", self.oom_kills)

    def usage(self) -> dict[str, object]:
        return {"cpu": self._cpu_usage(), "memory": self._memory_usage(), "pids": self._pids_usage(), "io": self._io_usage()}

    def _cpu_usage(self) -> dict[str, object]:
        stat = files.read_table(f"{self._folder}/cpu.stat")
        return {
            "total": stat.get("usage_usec", 0) * 1000,
            "user": stat.get("user_usec", 0) * 1000,
            "system": stat.get("system_usec", 0) * 1000,
            "periods": stat.get("nr_periods", 0),
            "throttled_periods": stat.get("nr_throttled", 0),
            "throttled_time": stat.get("throttled_usec", 0) * 1000,
        }

    def _memory_usage(self) -> dict[str, object]:
        if not os.path.exists(f"{self._folder}/memory.current"):
            return {}
        return {
            "usage": files.read_number(f"{self._folder}/memory.current"),
            "limit": files.read_number(f"{self._folder}/memory.max", -1) if self._is_limited() else None,
            "failures": files.read_table(f"{self._folder}/memory.events").get("max", 0),
            "stat": files.read_table(f"{self._folder}/memory.stat"),
        }

    def _is_limited(self) -> bool:
        return files.read_number(f"{self._folder}/memory.max", -1) >= 0

    def _pids_usage(self) -> dict[str, object]:
        if not os.path.exists(f"{self._folder}/pids.current"):
            return {}
        return {
            "current": files.read_number(f"{self._folder}/pids.current"),
            "limit": files.read_number(f"{self._folder}/pids.max"),
        }

    def _io_usage(self) -> dict[str, object]:
        return block_io.usage_v2(self._folder)

    def remove(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        files.remove(self._folder, parent=self.owns_parent)

    def mounts(self) -> list[dict[str, object]]:
        return [{"type": "cgroup2"}]


def weight_of_shares(shares: int) -> int:
    """``cpu.shares`` (2 to 262144, default 1024) as ``cpu.weight`` (1 to 10000, default 100).

    The curve of runc since 1.3: both ends and both defaults meet, which no straight line does.
    """
    exponent = math.log2(min(max(shares, 2), 262144))
    return max(1, min(10000, math.ceil(10 ** ((exponent**2 + 125 * exponent) / 612 - 7 / 34))))


def swap_alone(limit: int | None, both: int | None) -> object:
    """``memory.swap.max`` from the version 1 figure, which counts memory and swap together; None: leave it.

    Raises ``ValueError`` where memory and swap together are less than memory, or memory is not limited.
    """
    if both is None or both == 0:
        return "max" if limit is not None and limit < 0 else None
    if both < 0:
        return "max"
    if limit is None or limit <= 0:
        raise ValueError("a limit of memory and swap needs a limit of memory")
    if both < limit:
        raise ValueError("the limit of memory and swap together must not be less than that of memory")
    return both - limit
