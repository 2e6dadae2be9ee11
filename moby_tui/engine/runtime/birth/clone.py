"""Clones a container's first process, in the monitor, which makes a time namespace for it where needed (light imports)."""

from __future__ import annotations

import ctypes
import os

from moby_tui.engine.kernel import calls, namespaces
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.protocol.configuration import Configuration
from moby_tui.engine.runtime.birth.awaiting import Awaited
from moby_tui.engine.runtime.plan.process import joining


class Birth:
    def __init__(self, spec: Configuration, joined: dict[str, int]) -> None:
        self._spec = spec
        #: whether the process that is cloned makes the one that stays only when it has given everything up
        self.forks_last = "pid" in joined
        self._forks = joining.forks(spec) or self.forks_last

    def clone(self, cgroup: int | None) -> int:
        """The pid in the parent, 0 in the child. Raises ``OSError``."""
        clone = processes.Clone(joining.clone_flags(self._spec), cgroup)
        pid = self._clone_in_new_time(clone) if joining.has_time_namespace(self._spec) else clone()
        if pid < 0:
            raise OSError(-pid, "clone3")
        return pid

    def settle(self, pid: int, awaited: Awaited) -> int:
        """The pid of the container's process: of the second one if the first forked, 0 if it failed before (its report says why).

        Raises ``MalformedMessage``, and what ``awaited`` raises if the first one does not get there.
        """
        if not self._forks:
            return pid
        made = awaited.pid()
        os.waitpid(pid, 0)
        return made

    def _clone_in_new_time(self, clone: processes.Clone) -> int:
        """Makes a time namespace for its children (unshare affects only them), clones, and has its own for children again."""
        own = os.open("/proc/self/ns/time", os.O_RDONLY | os.O_CLOEXEC)
        pid = -1
        try:
            self._make_time_namespace()
            pid = clone()
            return pid
        finally:
            # only the parent goes back: the child is where it belongs
            if pid:
                namespaces.join(own, "time")
                os.close(own)

    def _make_time_namespace(self) -> None:
        """Makes a time namespace. Its offsets must be set before the first process is in it (time_namespaces(7))."""
        if calls.unshare(processes.CLONE_NEWTIME) != 0:
            raise OSError(ctypes.get_errno(), "make a time namespace")
        if offsets := joining.time_offsets(self._spec):
            with open("/proc/self/timens_offsets", "w") as file:
                file.write(offsets)
