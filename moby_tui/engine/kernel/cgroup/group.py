"""What a control group is, whichever version the machine has."""

from __future__ import annotations

import os
import signal
import time

from moby_tui.engine.kernel.cgroup.block_io import THROTTLES
from moby_tui.engine.kernel.cgroup.layout import CGROUP_PARENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from moby_tui.engine.kernel.cgroup.oom import OomWatch

    Resources = Mapping[str, object]
    Section = Mapping[str, object]

#: The limits that can be set, in the words of the OCI runtime specification (config-linux.md, "Control groups").
KNOWN = {
    "memory": frozenset({"limit", "swap", "reservation", "kernelTCP", "swappiness", "disableOOMKiller"}),
    "cpu": frozenset({"shares", "quota", "period", "burst", "idle", "cpus", "mems", "realtimePeriod", "realtimeRuntime"}),
    "pids": frozenset({"limit"}),
    "blockIO": frozenset({"weight", "weightDevice", *THROTTLES}),
}


class Cgroup:
    """A container's group. ``path`` begins with a slash and is relative to the root of the hierarchy."""

    #: whether ``rename`` works
    renames = False

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def owns_parent(self) -> bool:
        """True if the group above it is an engine's own, and goes with its last container; any other is the user's (``--cgroup-parent``)."""
        return self.path.startswith(CGROUP_PARENT)

    def create(self, resources: Resources) -> None:
        """Makes the group, empty, with its limits and its device filter in force before the first process is in it.

        A group of this name that an earlier container left is removed first. Raises ``OSError`` if it still
        holds processes or the kernel refuses a value, ``ValueError`` if a limit cannot be had on this machine.
        """
        raise NotImplementedError

    def make(self) -> None:
        """Makes the group if it is missing, without limits, for processes that start and end independently. Raises ``OSError``."""
        raise NotImplementedError

    def rename(self, path: str) -> bool:
        """Gives the group another name, with the processes that are in it. False if the kernel cannot: version 2, or another parent."""
        return False

    def make_birthplace(self) -> int | None:
        """Makes what ``clone3`` needs to put a process into the group: its ``descriptor``. The new process may ``create`` the rest."""
        return self.descriptor()

    def descriptor(self) -> int | None:
        """A descriptor of the v2 folder for CLONE_INTO_CGROUP, valid until ``remove``; None if no v2 is mounted."""
        raise NotImplementedError

    def entrances(self) -> list[str]:
        """The files to which a new process writes ``0`` to enter the hierarchies that it cannot be born in; none on v2.

        A single thread that moves itself takes no global lock. Moving another process takes one, and may wait 20 ms for it (the
        kernel's cgroup_procs_write_start).
        """
        raise NotImplementedError

    def add(self, pid: int) -> None:
        """Moves a process into the group, in every hierarchy."""
        raise NotImplementedError

    def update(self, resources: Resources) -> None:
        """Changes the limits that are named, and leaves the others."""
        raise NotImplementedError

    def freeze(self) -> None:
        """Stops every process and returns when all have stopped. Raises ``TimeoutError`` after 10 s, and then they run again."""
        raise NotImplementedError

    def thaw(self) -> None:
        """Lets the processes run again."""
        raise NotImplementedError

    def frozen(self) -> bool:
        """Whether its processes are stopped. Raises ``OSError`` if the group is gone."""
        raise NotImplementedError

    def exists(self) -> bool:
        """Whether any part of the group is there."""
        raise NotImplementedError

    def pids(self) -> list[int]:
        """The processes in the group and below it."""
        raise NotImplementedError

    def watch_oom(self) -> OomWatch | None:
        """A descriptor that becomes ready when the kernel kills a process of the group for lack of memory; None if it does not tell."""
        raise NotImplementedError

    def kill(self) -> None:
        """SIGKILL to every process in the group and below it; none escapes by forking."""
        self._kill_frozen()

    def oom_kills(self) -> int:
        """How many processes the kernel has killed because the memory limit was reached."""
        raise NotImplementedError

    def usage(self) -> dict[str, object]:
        """The counters: ``cpu`` (nanoseconds), ``memory``, ``pids``, ``io``. Without its controller a section is empty."""
        raise NotImplementedError

    def remove(self) -> None:
        """Removes the group, those below it, and our own parent group where that is empty then. No error if it is gone already."""
        raise NotImplementedError

    def mounts(self) -> list[dict[str, object]]:
        """What the container's /sys/fs/cgroup is made of.

        v2: ``{"type": "cgroup2"}`` alone. v1: for each hierarchy ``{"type", "name": folder, "options": of the mount,
        "links": names that are symbolic links to the folder}``.
        """
        raise NotImplementedError

    def _kill_frozen(self) -> None:
        """Freezes first, since frozen processes cannot fork while they are killed. If that fails, kills until the group is empty."""
        try:
            self.freeze()
            frozen = True
        except (OSError, ValueError):
            frozen = False
        try:
            for _ in range(1 if frozen else 50):
                victims = self.pids()
                for pid in victims:
                    _shoot(pid)
                if frozen or not victims:
                    break
                time.sleep(0.01)
        finally:
            if frozen:
                self.thaw()


def check(resources: Resources) -> None:
    """Raises ``ValueError`` for a limit that this engine does not know, so that none is ignored in silence."""
    for name, section in resources.items():
        if name in ("devices", "unified", "hugepageLimits") or not section:
            continue
        requested = {key for key, value in section.items() if value is not None} if isinstance(section, dict) else set()
        unknown = [name] if name not in KNOWN else [f"{name}.{key}" for key in sorted(requested - KNOWN[name])]
        if unknown:
            raise ValueError(f"control groups: limit {unknown[0]} is not supported")


def section(resources: Resources, name: str) -> dict[str, object]:
    """One section of the resources, without keys whose value is null; empty if the section is missing."""
    values = resources.get(name)
    return {key: value for key, value in values.items() if value is not None} if isinstance(values, dict) else {}


def devices(resources: Resources) -> list[dict[str, object]] | None:
    """The device rules; None if none are given, which is not the same as an empty list."""
    rules = resources.get("devices")
    return rules if isinstance(rules, list) else None


def huge_pages(resources: Resources) -> list[tuple[str, int]]:
    """The limits of huge pages: the size as the kernel names it (``2MB``), and bytes. Raises ``ValueError`` for a size that is none."""
    entries = resources.get("hugepageLimits") or []
    limits = [(str(entry["pageSize"]), int(entry["limit"])) for entry in entries] if isinstance(entries, list) else []
    for size, _ in limits:
        if not size.isalnum():
            raise ValueError(f"control groups: {size!r} is not a size of huge pages")
    return limits


def number(values: Section, key: str) -> int | None:
    value = values.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"control groups: {key} must be a whole number, not {value!r}")
    return value


def _shoot(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def missing(controller: str) -> ValueError:
    return ValueError(
        f"the {controller} controller is not available on this machine; leave the limit out or enable the controller at boot"
    )


def limit_or(value: int, unlimited: str) -> object:
    """A limit as the kernel writes it: not positive means none."""
    return value if value > 0 else unlimited
