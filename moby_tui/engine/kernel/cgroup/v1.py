"""Control groups version 1 and the hybrid: one tree for each controller, the group has a folder in all of them.

Kernel: Documentation/admin-guide/cgroup-v1/.
"""

from __future__ import annotations

import errno
import os
import time

from moby_tui.engine.kernel.cgroup import block_io, files
from moby_tui.engine.kernel.cgroup.group import Cgroup, check, devices, huge_pages, limit_or, missing, number, section
from moby_tui.engine.kernel.cgroup.oom import OomWatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.kernel.cgroup.group import Resources, Section
    from moby_tui.engine.kernel.cgroup.layout import Hierarchy, Layout

#: A process that is just being born cannot be moved yet (EINVAL, TASK_NEW).
_JOIN_TRIES, _JOIN_PAUSE = 5, 0.03
_FREEZE_TRIES = 1000
#: The least and the most that the kernel takes as ``cpu.shares``.
_SHARES = (2, 262144)
#: The hierarchies in which processes are looked for: a container cannot leave its group in these.
_COUNTING = ("freezer", "devices", "memory", "cpu", "pids")


class LegacyCgroup(Cgroup):
    """A folder for each mounted hierarchy; two controllers of one mount share theirs."""

    renames = True

    def __init__(self, path: str, layout: Layout) -> None:
        super().__init__(path)
        self._layout = layout
        self._trees = layout.trees
        self._unified = -1
        #: where a process that was born before ``rename`` still is in the hybrid's v2 tree, which cannot rename
        self._born = ""

    def create(self, resources: Resources) -> None:
        check(resources)
        try:
            for tree in self._trees:
                if self._unified < 0 or tree is not self._layout.unified:
                    self._make_anew(tree)
            if "cpuset" in self._layout.roots:
                self._inherit_cpuset()
            self.update(resources)
        except BaseException:
            self._remove(patience=0, quiet=True)
            raise

    def make(self) -> None:
        for tree in self._trees:
            files.make_if_missing(tree.mountpoint, self.path)
        if "cpuset" in self._layout.roots:
            self._inherit_cpuset()

    def _make_anew(self, tree: Hierarchy) -> None:
        place = f"{tree.mountpoint}{self.path}"
        try:
            # nearly always its parent is there, and itself is not
            os.mkdir(place, 0o755)
        except FileExistsError:
            files.remove(place, patience=0)
            files.make(tree.mountpoint, self.path)
        except FileNotFoundError:
            files.make(tree.mountpoint, self.path)

    def make_birthplace(self) -> int | None:
        if self._layout.unified is not None:
            self._make_anew(self._layout.unified)
        return self.descriptor()

    def rename(self, path: str) -> bool:
        """Every v1 tree can; what is left at the new place by an earlier container is removed."""
        if os.path.dirname(path) != os.path.dirname(self.path):
            return False
        for tree in self._layout.legacy:
            place = f"{tree.mountpoint}{path}"
            try:
                os.rename(f"{tree.mountpoint}{self.path}", place)
            except FileExistsError:
                files.remove(place, patience=0)
                os.rename(f"{tree.mountpoint}{self.path}", place)
        self._born, self.path = self._born or self.path, path
        return True

    def _folder(self, controller: str) -> str | None:
        root = self._layout.roots.get(controller)
        return None if root is None else f"{root}{self.path}"

    def _place(self, tree: Hierarchy) -> str:
        return f"{tree.mountpoint}{self._born if self._born and tree is self._layout.unified else self.path}"

    def descriptor(self) -> int | None:
        """Of the hybrid's v2 tree."""
        if self._unified < 0 and self._layout.unified is not None:
            self._unified = os.open(self._place(self._layout.unified), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self._unified if self._unified >= 0 else None

    def entrances(self) -> list[str]:
        return [f"{tree.mountpoint}{self.path}/tasks" for tree in self._layout.legacy]

    def add(self, pid: int) -> None:
        for tree in self._trees:
            self._join(f"{self._place(tree)}/cgroup.procs", pid)

    def _join(self, path: str, pid: int) -> None:
        for attempt in range(_JOIN_TRIES):
            try:
                files.write(path, pid)
                return
            except OSError as error:
                if error.errno != errno.EINVAL or attempt == _JOIN_TRIES - 1:
                    raise
            time.sleep(_JOIN_PAUSE)

    def update(self, resources: Resources) -> None:
        check(resources)
        self._limit_memory(section(resources, "memory"))
        self._limit_cpu(section(resources, "cpu"))
        self._limit_cpuset(section(resources, "cpu"))
        limit = number(section(resources, "pids"), "limit")
        if limit is not None:
            self._set("pids", "pids.max", limit_or(limit, "max"), needed=limit > 0)
        if block := section(resources, "blockIO"):
            self._limit_block_io(block)
        for size, most in huge_pages(resources):
            self._limit_huge_pages(size, most)
        for name in section(resources, "unified"):
            raise ValueError(f"control groups: {name} is a version 2 setting and this machine uses version 1")
        rules = devices(resources)
        if rules is not None:
            self._filter_devices(rules)

    def _set(self, controller: str, name: str, value: object, *, needed: bool = True) -> None:
        folder = self._folder(controller)
        if folder is not None:
            files.write(f"{folder}/{name}", value)
        elif needed:
            raise missing(controller)

    def _limit_memory(self, asked: Section) -> None:
        limit, swap = number(asked, "limit"), number(asked, "swap")
        pair = [("memory.limit_in_bytes", limit), ("memory.memsw.limit_in_bytes", swap)]
        # the kernel requires limit <= memsw after each write, so the order depends on the values before
        folder = self._folder("memory")
        if folder is not None and swap and (swap < 0 or swap > files.read_number(f"{folder}/memory.limit_in_bytes")):
            now = files.read_number(f"{folder}/memory.memsw.limit_in_bytes", files.UNLIMITED_V1)
            if swap < 0 or swap > now:
                pair.reverse()
        for name, value in pair:
            if value and not self._lacks_swap(name):
                self._set("memory", name, max(value, -1), needed=value > 0)
        reservation, swappiness = number(asked, "reservation"), number(asked, "swappiness")
        if reservation:
            self._set("memory", "memory.soft_limit_in_bytes", reservation)
        if kernel_tcp := number(asked, "kernelTCP"):
            self._set("memory", "memory.kmem.tcp.limit_in_bytes", kernel_tcp)
        if swappiness is not None and swappiness >= 0:
            self._set("memory", "memory.swappiness", swappiness)
        if asked.get("disableOOMKiller") is True:
            self._set("memory", "memory.oom_control", 1)

    def _lacks_swap(self, name: str) -> bool:
        """Swap is counted only where the kernel was told so (``swapaccount=1``); without it memory alone is limited."""
        folder = self._folder("memory")
        return folder is not None and "memsw" in name and not os.path.exists(f"{folder}/{name}")

    def _limit_cpu(self, asked: Section) -> None:
        shares, period, quota = number(asked, "shares"), number(asked, "period"), number(asked, "quota")
        if shares:
            _check_shares(shares)
            self._set("cpu", "cpu.shares", shares)
        try:
            if period:
                self._set("cpu", "cpu.cfs_period_us", period)
        except OSError as error:
            # for a moment the new period with the old quota may exceed the parent's share
            if error.errno != errno.EINVAL or not quota:
                raise
            self._set("cpu", "cpu.cfs_quota_us", quota)
            self._set("cpu", "cpu.cfs_period_us", period)
        if quota:
            self._set("cpu", "cpu.cfs_quota_us", max(quota, -1), needed=quota > 0)
        for key, file in (("burst", "cpu.cfs_burst_us"), ("idle", "cpu.idle")):
            if (value := number(asked, key)) is not None:
                self._set("cpu", file, value)
        self._grant_real_time(number(asked, "realtimePeriod"), number(asked, "realtimeRuntime"))

    def _grant_real_time(self, period: int | None, runtime: int | None) -> None:
        """The period first, unless the old runtime does not fit in it; the groups above must have as much themselves."""
        if not period and not runtime:
            return
        if "cpu" not in self._layout.roots:
            raise missing("cpu")
        folder = self._layout.roots["cpu"]
        for name in self.path.strip("/").split("/"):
            folder = f"{folder}/{name}"
            mine = folder == self._folder("cpu")
            steps = [("cpu.rt_period_us", period), ("cpu.rt_runtime_us", runtime)]
            if period and period < files.read_number(f"{folder}/cpu.rt_runtime_us"):
                steps.reverse()
            for file, value in steps:
                if value and (mine or value > files.read_number(f"{folder}/{file}")):
                    files.write(f"{folder}/{file}", value)

    def _limit_cpuset(self, asked: Section) -> None:
        for key in ("cpus", "mems"):
            value = asked.get(key)
            if value:
                self._set("cpuset", f"cpuset.{key}", value)

    def _inherit_cpuset(self) -> None:
        """A new cpuset is empty, and an empty one takes no process: each level gets what its parent has."""
        folder = self._layout.roots["cpuset"]
        for name in self.path.strip("/").split("/"):
            above, folder = folder, f"{folder}/{name}"
            for file in ("cpuset.cpus", "cpuset.mems"):
                if not files.read(f"{folder}/{file}").strip():
                    files.write(f"{folder}/{file}", files.read(f"{above}/{file}").strip())

    def _limit_block_io(self, asked: Section) -> None:
        folder = self._folder("blkio")
        if folder is None:
            raise missing("blkio")
        block_io.limit_v1(folder, asked)

    def _limit_huge_pages(self, size: str, most: int) -> None:
        if "hugetlb" in self._layout.roots:
            self._set("hugetlb", f"hugetlb.{size}.limit_in_bytes", most)
            return
        # in a hybrid the controller may be in the tree of version 2
        tree = self._layout.unified
        if tree is None or "hugetlb" not in tree.controllers:
            raise missing("hugetlb")
        files.hand_down(tree.mountpoint, self.path, ("hugetlb",))
        files.write(f"{tree.mountpoint}{self.path}/hugetlb.{size}.max", most)

    def _filter_devices(self, rules: list[dict[str, object]]) -> None:
        for rule in rules:
            kind = str(rule.get("type") or "a")
            major, minor = (_device_number(rule.get(key)) for key in ("major", "minor"))
            line = "a" if kind == "a" else f"{kind} {major}:{minor} {rule.get('access') or 'rwm'}"
            self._set("devices", "devices.allow" if rule.get("allow") else "devices.deny", line)

    def freeze(self) -> None:
        folder = self._folder("freezer")
        if folder is None:
            raise missing("freezer")
        state = f"{folder}/freezer.state"
        for attempt in range(_FREEZE_TRIES):
            # a process in an uninterruptible wait delays the others; thawing now and then lets it continue
            if attempt % 50 == 49:
                files.write(state, "THAWED")
                time.sleep(0.01)
            files.write(state, "FROZEN")
            if files.read(state).strip() == "FROZEN":
                return
            time.sleep(0.01)
        self.thaw()
        raise TimeoutError(errno.ETIMEDOUT, "the container's processes do not stop; they run on", self.path)

    def thaw(self) -> None:
        self._set("freezer", "freezer.state", "THAWED")

    def frozen(self) -> bool:
        folder = self._folder("freezer")
        return folder is not None and files.read(f"{folder}/freezer.state").strip() != "THAWED"

    def exists(self) -> bool:
        return any(os.path.isdir(self._place(tree)) for tree in self._trees)

    def pids(self) -> list[int]:
        for name in _COUNTING:
            folder = self._folder(name)
            if folder is not None:
                return files.pids(folder)
        return files.pids(self._place(self._trees[0]))

    def oom_kills(self) -> int:
        folder = self._folder("memory")
        if folder is None:
            return 0
        return sum(files.read_table(f"{group}/memory.oom_control").get("oom_kill", 0) for group in files.subgroups(folder))

    def watch_oom(self) -> OomWatch | None:
        folder = self._folder("memory")
        return OomWatch.of_v1(folder, self.oom_kills) if folder is not None else None

    def usage(self) -> dict[str, object]:
        return {"cpu": self._cpu_usage(), "memory": self._memory_usage(), "pids": self._pids_usage(), "io": self._io_usage()}

    def _cpu_usage(self) -> dict[str, object]:
        folder = self._folder("cpuacct")
        if folder is None:
            return {}
        throttled = files.read_table(f"{self._folder('cpu') or folder}/cpu.stat")
        return {
            "total": files.read_number(f"{folder}/cpuacct.usage"),
            "user": files.read_number(f"{folder}/cpuacct.usage_user"),
            "system": files.read_number(f"{folder}/cpuacct.usage_sys"),
            "each": [int(word) for word in files.read(f"{folder}/cpuacct.usage_percpu").split()],
            "periods": throttled.get("nr_periods", 0),
            "throttled_periods": throttled.get("nr_throttled", 0),
            "throttled_time": throttled.get("throttled_time", 0),
        }

    def _memory_usage(self) -> dict[str, object]:
        folder = self._folder("memory")
        if folder is None:
            return {}
        stat = files.read_table(f"{folder}/memory.stat")
        limit = stat.get("hierarchical_memory_limit", files.UNLIMITED_V1)
        return {
            "usage": files.read_number(f"{folder}/memory.usage_in_bytes"),
            "limit": limit if limit < files.UNLIMITED_V1 else None,
            "failures": files.read_number(f"{folder}/memory.failcnt"),
            "most": files.read_number(f"{folder}/memory.max_usage_in_bytes"),
            "stat": stat,
        }

    def _pids_usage(self) -> dict[str, object]:
        folder = self._folder("pids")
        if folder is None:
            return {}
        return {"current": files.read_number(f"{folder}/pids.current"), "limit": files.read_number(f"{folder}/pids.max")}

    def _io_usage(self) -> dict[str, object]:
        folder = self._folder("blkio")
        return block_io.usage_v1(folder) if folder is not None else {}

    def remove(self) -> None:
        if self._unified >= 0:
            os.close(self._unified)
            self._unified = -1
        self._remove(patience=3.0, quiet=False)

    def _remove(self, *, patience: float, quiet: bool) -> None:
        """Tries every hierarchy before it raises, so that a busy one does not keep the others from being removed."""
        failure: OSError | None = None
        for tree in self._trees:
            try:
                files.remove(self._place(tree), patience=patience, parent=self.owns_parent)
            except OSError as error:
                failure = error
        if failure is not None and not quiet:
            raise failure

    def mounts(self) -> list[dict[str, object]]:
        described: list[dict[str, object]] = []
        for tree in self._trees:
            folder = os.path.basename(tree.mountpoint)
            links = [name for name in tree.controllers if name != folder]
            options = [*tree.controllers, *([f"name={tree.name}"] if tree.name else [])]
            kind = "cgroup" if tree.version == 1 else "cgroup2"
            described.append({"type": kind, "name": folder, "options": options, "links": links})
        return described


def _device_number(value: object) -> str:
    """A major or minor number; absent or negative stands for all."""
    return str(value) if isinstance(value, int) and value >= 0 else "*"


def _check_shares(shares: int) -> None:
    """Raises ``ValueError`` for ``cpu.shares`` that the kernel would clamp, as runc does."""
    if shares < _SHARES[0]:
        raise ValueError(f"the minimum allowed cpu-shares is {_SHARES[0]}")
    if shares > _SHARES[1]:
        raise ValueError(f"the maximum allowed cpu-shares is {_SHARES[1]}")
