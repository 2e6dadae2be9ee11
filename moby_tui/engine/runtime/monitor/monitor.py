"""The monitor: one small process per container, parent of its first process.

It makes the container, holds its streams, writes its log, serves those who attach, waits for its end and puts away what was there
for it, whether or not any other process of ours is alive. It is forked by the launcher and imports only what that has imported.
"""

from __future__ import annotations

import fcntl
import gc
import os
import time
from collections.abc import Callable

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.cgroup.oom import OomWatch
from moby_tui.engine.kernel.loop import PRIORITY, READ, Loop
from moby_tui.engine.kernel.removal import remove_tree, remove_with_mount
from moby_tui.engine.protocol import network as protocol
from moby_tui.engine.protocol.control import Answer
from moby_tui.engine.protocol.descriptors import Descriptors
from moby_tui.engine.protocol.order import CONFIGURATION, LOCK, NAMES, NAMESPACE, ROOT, SECRET, TREE, HealthSettings, Order
from moby_tui.engine.runtime.birth.failure import StartFailure, kind_of, say, write_down
from moby_tui.engine.runtime.birth.standby import Standby
from moby_tui.engine.runtime.monitor import restart
from moby_tui.engine.runtime.monitor.control import Control
from moby_tui.engine.runtime.monitor.execution import Execution
from moby_tui.engine.runtime.monitor.holdings import Holdings
from moby_tui.engine.runtime.monitor.restart_policy import Restarts
from moby_tui.engine.runtime.monitor.run import Run
from moby_tui.engine.runtime.monitor.standing import Standing
from moby_tui.engine.store.state import LIMITED, STATE_FILE

#: How long the rest of the output is waited for after the end: a process that left the container may hold the pipe.
_DRAIN_SECONDS = 2.0
#: How long clients may take to read the rest of the output.
_LINGER_SECONDS = 30.0

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.runtime.monitor.health import HealthCheck
    from moby_tui.engine.runtime.monitor.name_service import NameService
    from moby_tui.engine.runtime.monitor.stdio import Stdio


def run(order: Order, descriptors: list[int], reply: int, launcher: int, standby: Standby | None = None) -> None:
    """The life of one monitor. Closing ``launcher`` tells the launcher that the start is over. ``standby`` is the process made ahead, if any.

    ``descriptors`` are those that the order names.
    """
    try:
        monitor = Monitor(order, Descriptors.received(order.descriptors, descriptors), standby)
    except (OSError, ValueError) as error:
        # nothing was made yet, and what was handed over goes with this process
        if standby is not None:
            standby.dismiss()
        answer(reply, Answer.refusing("failed", say(error)))
        return
    try:
        pid = monitor.start()
    except StartFailure as failure:
        monitor.run.give_up()
        monitor.put_away()
        fault.point("monitor.failure put away")
        answer(reply, Answer.refusing(failure.kind, failure.message))
        return
    # the start is over: other processes may stop or remove the container
    fault.point("monitor.started")
    os.close(monitor.container_lock)
    fault.point("monitor.lock let go")
    answer(reply, Answer(pid=pid))
    os.close(launcher)
    fault.point("monitor.answered")
    monitor.watch(reply)


def answer(fd: int, said: Answer) -> None:
    """Nobody may be left to read it; the container lives on all the same."""
    try:
        os.write(fd, said.encode_line())
    except OSError:
        pass


class Monitor:
    """A container's life: its start, its runs and restarts, its end."""

    def __init__(self, order: Order, descriptors: Descriptors, standby: Standby | None) -> None:
        self.order = order
        self.loop = Loop()
        self.restarts = Restarts(order.restart)
        self.standing = Standing(order, self.restarts)
        root, self.container_lock = descriptors.take(ROOT), descriptors.take(LOCK)
        joined, trees = descriptors.take_below(NAMESPACE), descriptors.take_below(TREE)
        configuration, secrets = descriptors.take(CONFIGURATION), descriptors.take_below(SECRET)
        self.holdings = Holdings(self.loop, order.holdings, descriptors)
        self.names: NameService | None = None
        if order.names is not None:
            self.serve_names(order.names, descriptors.take_all(NAMES))
        #: open until the container has ended
        self.kept = descriptors.take_rest()
        self.run = self._run_of(root, joined, trees, standby)
        self.run.configuration, self.run.secrets = configuration, secrets
        self.control = Control(self)
        self.executions: dict[str, Execution] = {}
        #: streams of ended processes, whose clients may still be reading
        self._ended: list[Stdio] = []
        self.health: HealthCheck | None = None
        self.oom: OomWatch | None = None
        self.lock = -1
        self.engine = -1
        self.started = 0.0

    def _run_of(self, root: int, joined: dict[str, int], trees: dict[str, int], standby: Standby | None) -> Run:
        order, loop, standing = self.order, self.loop, self.standing
        if order.runtime is None:
            return Run(order, loop, standing, root, joined, trees, standby)
        # few containers have one
        from moby_tui.engine.runtime.monitor.external_run import ExternalRun

        return ExternalRun(order.runtime, order, loop, standing, root, joined, trees, standby)

    # start

    def start(self) -> int:
        """Makes the container and lets it run; returns its pid. Raises ``StartFailure``, with nothing left but what ``put_away`` removes."""
        try:
            return self.make()
        except (OSError, ValueError) as error:
            raise StartFailure(kind_of(error), say(error)) from error

    def make(self) -> int:
        """One run of the container, from its root on. Raises ``StartFailure``, ``OSError`` and ``ValueError``."""
        self.run.make(self._take_lock, self._open_doors)
        self._begin()
        return self.standing.state.pid

    def _take_lock(self) -> None:
        if self.lock < 0:
            self.lock = os.open(self.order.paths.monitor_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            # the monitor of the last run may still be putting away
            fcntl.flock(self.lock, fcntl.LOCK_EX)

    def _open_doors(self) -> None:
        if not self.control.is_open:
            self.control.open()

    def _begin(self) -> None:
        """The program runs: says so, and watches it."""
        run = self.run
        self.started = time.monotonic()
        self.standing.begun()
        run.ended = False
        self.loop.watch(run.pidfd, READ, lambda _: self._init_ended())
        if run.hooks is not None:
            run.hooks.after_start()
        if self.order.health is not None:
            self._watch_health(self.order.health)

    # life

    def serve_names(self, settings: protocol.NameService, descriptors: list[int]) -> None:
        """Has the container's questions for names answered, from the moment at which the loop runs."""
        # only those in networks of users have any
        from moby_tui.engine.runtime.monitor.name_service import NameService

        if self.names is not None:
            self.names.close()
        self.names = NameService(self.loop, settings, descriptors)
        self.loop.call_later(0, self.names.register)

    def watch(self, engine: int) -> None:
        """Serves until the container has ended for good, then puts everything away.

        ``engine`` is told, by any byte, when there is something new in the journal: it need not look for itself again and again.
        """
        self.engine = engine
        gc.enable()
        self._watch_run()
        while self.standing.state.status == "restarting" and restart.again(self):
            self._watch_run()
        # the kernel takes some 15 ms to delete a link: a removal that frees no port need not wait for it
        has_volumes = bool(self.order.volumes or self.order.plugin_mounts)
        link_last = self.order.auto_remove and not self.holdings.has_sockets and not has_volumes
        self.put_away(keep_network=link_last)
        fault.point("monitor.put away")
        self._finish()
        _nudge(self.engine)
        os.close(self.engine)
        fault.point("monitor.finished")
        if link_last:
            self._undo(self.holdings.release_all)
        os.close(self.lock)
        self._let_readers_finish()

    def _watch_health(self, settings: HealthSettings) -> None:
        # few containers have one
        from moby_tui.engine.runtime.monitor.health import HealthCheck

        self.health = self.health or HealthCheck(self, settings)
        self.health.begin()

    def _watch_run(self) -> None:
        """Serves until the container's process has ended, and records how."""
        run = self.run
        self._watch_oom()
        self.loop.run_until(lambda: run.ended)
        fault.point("monitor.ended")
        code = run.reap()
        fault.point("monitor.reaped")
        if self.health is not None:
            self.health.end()
        run.kill_the_rest()
        self._end_executions()
        fault.point("monitor.execs ended")
        self.loop.run_until(lambda: run.stdio is not None and run.stdio.ended, _DRAIN_SECONDS)
        self._stop_watching_oom()
        run.close_log()
        fault.point("monitor.log closed")
        self.standing.ended(code, time.monotonic() - self.started)
        _nudge(self.engine)
        fault.point("monitor.end told")

    def _init_ended(self) -> None:
        self.run.ended = True
        self.loop.remove(self.run.pidfd)

    def _watch_oom(self) -> None:
        """Any process of the container may be killed for want of memory, and the first may live on."""
        assert self.run.cgroup is not None
        try:
            self.oom = self.run.cgroup.watch_oom()
        except OSError:
            # the group was taken away under us; the end will show
            return
        if self.oom is not None:
            self.loop.watch(self.oom.fd, READ if self.oom.by_event else PRIORITY, lambda _: self._notice_oom())

    def _notice_oom(self) -> None:
        if self.oom is not None and self.oom.take():
            self.standing.killed_for_memory()

    def _stop_watching_oom(self) -> None:
        """The last kill may not have been told yet. The group's removal would be told as one more."""
        if self.oom is not None:
            self.loop.remove(self.oom.fd)
            self._notice_oom()
            self.oom.close()
            self.oom = None

    def run_execution(self, execution: Execution) -> int:
        """Starts one more process in the container; its pid. Raises ``StartFailure``."""
        pid = self.run.execute(execution)
        self.executions[execution.id] = execution
        return pid

    def execution_ended(self, execution: Execution, code: int) -> None:
        del self.executions[execution.id]
        self._remember(execution.stdio)
        self.standing.publish("exec_die", execID=execution.id, exitCode=str(code))

    def _remember(self, stdio: Stdio) -> None:
        self._ended = [*(earlier for earlier in self._ended if earlier.peers), stdio]

    def _end_executions(self) -> None:
        """An exec's end is known before its container's end is told."""
        for execution in tuple(self.executions.values()):
            execution.finish()

    # end

    def put_away(self, *, keep_network: bool = False) -> None:
        """Removes what was there only for the running container. Safe to call at any stage of a start that failed."""
        self.control.close()
        self.run.close()
        self.run.close_shared()
        if not keep_network:
            self._undo(self.holdings.release_all)
        self._close_kept()
        if self.names is not None:
            self.names.close()
        self._undo(self._unmount_volumes)
        fault.point("monitor.network undone")
        self._undo(self.run.remove_cgroup)
        fault.point("monitor.cgroup removed")

    def end_run(self) -> None:
        """Removes what belongs to one run of the container; what it keeps when it is started again stays."""
        self.run.close()
        if self.run.stdio is not None:
            self._remember(self.run.stdio)
        self._undo(self.run.remove_cgroup)
        self.run.cgroup = None

    def _undo(self, step: Callable[[], None]) -> None:
        """Not worth losing the exit code for: what cannot be undone now, the next engine that looks finds orphaned and removes."""
        try:
            step()
        except OSError as error:
            write_down(self.order.paths.data, error)

    def _close_kept(self) -> None:
        for fd in self.kept:
            os.close(fd)
        self.kept = []

    def _unmount_volumes(self) -> None:
        if self.order.volumes:
            # few containers come here
            from moby_tui.engine.kernel import shared_mount

            for mounted, lock in self.order.volumes.items():
                shared_mount.let_go(lock, mounted)
        if self.order.plugin_mounts:
            from moby_tui.engine.plugins import volume_mounts

            for record in self.order.plugin_mounts:
                volume_mounts.let_go(record)

    def _finish(self) -> None:
        """Everything of the run is gone: tells so, and removes the container if it was to go with its end."""
        self.standing.put_away()
        if self.order.auto_remove:
            fault.point("monitor.exit told")
            remove_with_mount(self.order.paths.data, STATE_FILE, LIMITED)
            fault.point("monitor.data removed")
            remove_tree(self.order.paths.run)
            fault.point("monitor.run removed")
            self.standing.publish("destroy")

    def _let_readers_finish(self) -> None:
        assert self.run.stdio is not None
        ended = [*self._ended, self.run.stdio]
        self.loop.run_until(lambda: not any(stdio.peers for stdio in ended), _LINGER_SECONDS)


def _nudge(engine: int) -> None:
    try:
        os.write(engine, b"\n")
    except OSError:
        # it is gone, or has better things to do than to read
        pass
