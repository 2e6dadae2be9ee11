"""One run of a container by another OCI runtime, which makes the processes; streams, log and state are the monitor's (light imports)."""

from __future__ import annotations

import os
from collections.abc import Callable

from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.cgroup import open_cgroup
from moby_tui.engine.kernel.ids import IdMap
from moby_tui.engine.kernel.loop import Loop
from moby_tui.engine.protocol.configuration import Configuration, Resources, read
from moby_tui.engine.protocol.order import Order
from moby_tui.engine.runtime.birth.standby import Standby
from moby_tui.engine.runtime.monitor.execution import Execution
from moby_tui.engine.runtime.monitor.external import External
from moby_tui.engine.runtime.monitor.run import Run
from moby_tui.engine.runtime.monitor.standing import Standing
from moby_tui.engine.runtime.plan.filesystem.source import open_own_sources


class ExternalRun(Run):
    """``program`` is the runtime; the rest is as for ``Run``."""

    def __init__(
        self,
        program: str,
        order: Order,
        loop: Loop,
        standing: Standing,
        root: int,
        joined: dict[str, int],
        trees: dict[str, int],
        standby: Standby | None,
    ) -> None:
        super().__init__(order, loop, standing, root, joined, trees, standby)
        self._runtime = External(program, order.id, order.paths.run)

    def make(self, take_lock: Callable[[], None], open_doors: Callable[[], None]) -> None:
        spec = self.spec = self._read_configuration()
        self._dismiss_standby()
        self._make_streams(spec)
        take_lock()
        self.cgroup = open_cgroup(self.order.cgroup)
        open_doors()
        assert self.stdio is not None
        trees = self.trees | self.secret_trees(spec)
        open_own_sources(spec, trees, self.joined.get("user", -1))
        self.child = self._runtime.create(spec, self.root, self.joined, trees, self.stdio)
        for destination in trees.keys() - self.trees.keys():
            os.close(trees[destination])
        self._write_created()
        self.stdio.start()
        self._runtime.start()

    def _read(self) -> Configuration:
        """The whole of it: the runtime compiles the filter."""
        with open(self.order.paths.bundle, "rb") as file:
            return read(file.read())

    def _open_devpts(self, uids: IdMap, gids: IdMap) -> int:
        """The runtime opens its terminals."""
        return -1

    def kill(self, number: int) -> None:
        if self.ended:
            super().kill(number)
            return
        try:
            self._runtime.kill(number)
        except OSError:
            # the process has just ended, which the runtime has seen first
            if processes.is_alive(self.child):
                raise

    def freeze(self) -> None:
        self._runtime.pause()

    def thaw(self) -> None:
        self._runtime.resume()

    def update(self, resources: Resources) -> None:
        self._runtime.update(resources)

    def execute(self, execution: Execution) -> int:
        assert self.cgroup is not None
        return execution.start(self.pidfd, self.cgroup, self.seccomp, self._runtime)

    def remove_cgroup(self) -> None:
        self._runtime.delete()
        super().remove_cgroup()
