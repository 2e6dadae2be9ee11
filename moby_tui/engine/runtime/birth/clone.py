"""The clone of a container's first process, from a monitor that is for a moment where its children are to be (light imports)."""

from __future__ import annotations

import ctypes
import os

from moby_tui.engine.kernel import calls, namespaces
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.runtime.plan.configuration import Spec
from moby_tui.engine.runtime.plan.process import joining


class Birth:
    """``told_to`` goes into the program: there the cloned process tells the pid of the one it makes; -1 where it makes none."""

    def __init__(self, spec: Spec, joined: dict[str, int]) -> None:
        self._spec = spec
        self._joined = joined
        self._told, self.told_to = os.pipe2(os.O_CLOEXEC) if joining.forks(spec) else (-1, -1)

    def clone(self, cgroup: int | None) -> int:
        """The pid in the parent, 0 in the child. Raises ``OSError``."""
        clone = processes.Clone(joining.clone_flags(self._spec), cgroup)
        elsewhere = "pid" in self._joined or joining.has_time_namespace(self._spec)
        pid = self._clone_elsewhere(clone) if elsewhere else clone()
        if pid < 0:
            raise OSError(-pid, "clone3")
        return pid

    def settle(self, pid: int) -> int:
        """The pid of the process that stays; 0 where what was cloned failed before it had made one, and has reported why."""
        if self._told < 0:
            return pid
        os.close(self.told_to)
        data = os.read(self._told, 4)
        os.close(self._told)
        os.waitpid(pid, 0)
        return int.from_bytes(data, "little")

    def _clone_elsewhere(self, clone: processes.Clone) -> int:
        """Children are born into the pid namespace that is joined, and into a time namespace; we ourselves stay where we are.

        They are not dumpable for one moment, as we are not: those they are born among can see them (CVE-2016-9962).
        """
        own = {kind: os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("pid", "time")}
        pid = -1
        try:
            if "pid" in self._joined:
                namespaces.join(self._joined["pid"], "pid")
            if joining.has_time_namespace(self._spec):
                self._make_time_namespace()
            pid = clone()
            return pid
        finally:
            # the child has arrived, and could not come back
            if pid:
                for kind, namespace in own.items():
                    namespaces.join(namespace, kind)
                    os.close(namespace)

    def _make_time_namespace(self) -> None:
        """Its offsets are set before the first process is in it (time_namespaces(7))."""
        if calls.unshare(processes.CLONE_NEWTIME) != 0:
            raise OSError(ctypes.get_errno(), "make a time namespace")
        if offsets := joining.time_offsets(self._spec):
            with open("/proc/self/timens_offsets", "w") as file:
                file.write(offsets)
