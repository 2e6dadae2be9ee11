"""One run of a container: made from its bundle, with its streams, its log, its control group and its first process (light imports)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.cgroup import freezer, open_cgroup
from moby_tui.engine.kernel.cgroup.group import Cgroup
from moby_tui.engine.kernel.ids import IdMap
from moby_tui.engine.kernel.loop import Loop
from moby_tui.engine.protocol.configuration import Configuration, Resources, read_descriptor
from moby_tui.engine.protocol.control import check_process
from moby_tui.engine.protocol.order import Order
from moby_tui.engine.runtime.birth.awaiting import Awaited, check_moving
from moby_tui.engine.runtime.birth.clone import Birth
from moby_tui.engine.runtime.birth.failure import StartFailure
from moby_tui.engine.runtime.birth.standby import Standby
from moby_tui.engine.runtime.birth.terminal import mount_devpts
from moby_tui.engine.runtime.monitor import restart
from moby_tui.engine.runtime.monitor.execution import Execution, open_entrances
from moby_tui.engine.runtime.monitor.logs.container_log import ContainerLog
from moby_tui.engine.runtime.monitor.logs.destination import open_log
from moby_tui.engine.runtime.monitor.standing import Standing
from moby_tui.engine.runtime.monitor.stdio import Stdio
from moby_tui.engine.runtime.plan.becoming import ProcessInputs, Streams
from moby_tui.engine.runtime.plan.container import ContainerInputs, compile_container
from moby_tui.engine.runtime.plan.filesystem.mounting import MountInputs
from moby_tui.engine.runtime.plan.filesystem.source import Bind, open_binds
from moby_tui.engine.runtime.plan.process import joining

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.runtime.monitor.hook_stages import HookStages


class _StandbyLost(Exception):
    """The process made ahead was stopped or frozen, and killed for that, before it reported: the start begins again without it."""


class Run:
    """What exists of a container only while it runs. A restart sets another ``root`` and calls ``make`` again.

    ``root`` is the descriptor of its root mount; ``joined`` are namespaces by kind, ``trees`` mounts by destination; ``standby`` is the
    process made ahead, if any.
    """

    def __init__(
        self,
        order: Order,
        loop: Loop,
        standing: Standing,
        root: int,
        joined: dict[str, int],
        trees: dict[str, int],
        standby: Standby | None,
    ) -> None:
        self.order = order
        self.loop = loop
        self.standing = standing
        #: the file that holds its configuration: see ``order.CONFIGURATION``
        self.configuration = -1
        self.root, self.joined, self.trees = root, joined, trees
        #: by their paths in the container: see ``order.SECRET``
        self.secrets: dict[str, int] = {}
        self.standby = standby
        #: the process made ahead, if this run uses it as the first process
        self._chosen: Standby | None = None
        #: the streams of a process made ahead that was lost: its attached clients move to the next one's
        self._former: Stdio | None = None
        self.cgroup: Cgroup | None = None
        self.log: ContainerLog | None = None
        self.stdio: Stdio | None = None
        self.hooks: HookStages | None = None
        self.devpts = -1
        #: see ``Standby.mounts``
        self.mounts = -1
        #: the first process, 0 before there is one
        self.child = 0
        #: the pipe of its report (``protocol/report.py``), and what was read of it
        self.report = -1
        self.awaited: Awaited | None = None
        self.pidfd = -1
        self.seccomp = b""
        self.spec = Configuration()
        self.command = ""
        #: the first process has ended
        self.ended = False

    # start

    def make(self, take_lock: Callable[[], None], open_doors: Callable[[], None]) -> None:
        """Makes the run, from the root mount until the program is executed. Raises ``StartFailure``, ``OSError`` and ``ValueError``.

        ``take_lock`` is called before anything is made that the last run may still be removing, ``open_doors`` when the streams exist.
        """
        if self.standby is not None:
            # it reads while this process does; if it has been killed, ``prepare`` says so
            with suppress(OSError):
                self.standby.give_configuration(self.configuration)
        spec = self.spec = self._read_configuration()
        self._choose_process(spec)
        try:
            self._make(spec, take_lock, open_doors)
        except _StandbyLost:
            pass
        except (OSError, ValueError, StartFailure):
            if not self._has_lost_standby():
                raise
        else:
            # the report has ended: the program was executed (and may be stopped by now), or the process was killed before
            if self._chosen is None or not processes.was_killed_unexecuted(self._chosen.pid):
                return
        self._throw_away(spec)
        self._make(spec, take_lock, open_doors)

    def _make(self, spec: Configuration, take_lock: Callable[[], None], open_doors: Callable[[], None]) -> None:
        self._make_streams(spec)
        binds = self.open_binds(spec)
        standby = self._instruct_standby(binds)
        take_lock()
        fault.point("monitor.locked")
        self._open_cgroup(spec, standby)
        fault.point("monitor.cgroup made")
        open_doors()
        fault.point("monitor.streams open")
        if standby is None:
            go = self._clone(spec, binds)
        else:
            go, self.report = standby.hand_over()
        self._let_go(spec, go)
        fault.point("monitor.let go")
        if self.hooks is not None:
            assert self.awaited is not None
            self.hooks.until_program(self.awaited)
        self._await_execution()

    def _read_configuration(self) -> Configuration:
        """Reads it, and the compiled filter. Raises ``MalformedMessage`` and ``OSError``."""
        spec = self._read()
        check_process(spec.process, "config.json: process")
        if self.order.paths.seccomp:
            with open(self.order.paths.seccomp, "rb") as program:
                self.seccomp = program.read()
            if not self.seccomp:
                raise ValueError(f"{self.order.paths.seccomp} is empty; remove it and start again")
        fault.point("monitor.bundle read")
        return spec

    def _read(self) -> Configuration:
        return read_descriptor(self.configuration)

    def _choose_process(self, spec: Configuration) -> None:
        """Ends the process made ahead if this container cannot use it; its terminals end with it."""
        if self.standby is not None and not self.standby.fits(spec, self.order.cgroup):
            self._dismiss_standby()

    def _dismiss_standby(self) -> None:
        if self.standby is not None:
            self.standby.dismiss()
            self.standby = None

    def _has_lost_standby(self) -> bool:
        """True if the process made ahead was killed before execve, or is stopped or frozen, in which case it is killed now."""
        standby = self._chosen
        if standby is None:
            return False
        if processes.is_stopped(standby.pid) or freezer.is_frozen(standby.pid):
            os.kill(standby.pid, signal.SIGKILL)
            return True
        return processes.was_killed_unexecuted(standby.pid)

    def _throw_away(self, spec: Configuration) -> None:
        """Removes what was prepared with a lost process. Its mounts end with its namespace, so the root is mounted anew."""
        standby, self._chosen = self._chosen, None
        assert standby is not None
        standby.dismiss()
        self.child, self.mounts, self.cgroup, self.awaited = 0, -1, None, None
        self.report = _close(self.report)
        self.root, self.devpts, self.pidfd = (_close(fd) for fd in (self.root, self.devpts, self.pidfd))
        self._former, self.stdio = self.stdio, None
        self.root = restart.mount_root(self.order.root, self.joined.get("user", -1), *joining.id_maps(spec))

    def _make_streams(self, spec: Configuration) -> None:
        order = self.order
        self.log = self.log or open_log(order.paths.log, order.log, self.loop, self._log_has_room)
        fault.point("monitor.log open")
        uids, gids = joining.id_maps(spec)
        self.devpts = self._open_devpts(uids, gids)
        self.stdio = Stdio(
            self.loop,
            devpts=self.devpts,
            tty=order.streams.tty,
            open_stdin=order.streams.open_stdin,
            close_stdin_with_peer=order.streams.stdin_once,
            log=self.log,
            on_detach=lambda: self.standing.publish("detach"),
        )
        if order.streams.tty and all(order.streams.console_size):
            self.stdio.resize(*order.streams.console_size)
        self.command = spec.process.args[0]
        self.stdio.give_to(spec.process.user, uids, gids)
        if self._former is not None:
            former, self._former = self._former, None
            self.stdio.take_over(former)

    def _open_devpts(self, uids: IdMap, gids: IdMap) -> int:
        """The devpts in which the container's terminals are opened."""
        return mount_devpts(uids, gids) if self.standby is None else self.standby.take_devpts()

    def _log_has_room(self) -> None:
        if self.stdio is not None:
            self.stdio.caught_up()

    def streams(self) -> Streams:
        """The first process's ends of its streams."""
        assert self.stdio is not None
        return Streams(self.stdio.terminal, self.stdio.child)

    def open_binds(self, spec: Configuration) -> list[Bind]:
        """The sources of the bind mounts, this run's secrets among them. Raises ``OSError`` and ``ValueError``."""
        self.trees |= self.secret_trees(spec)
        return open_binds(spec, self.trees, self.joined.get("user", -1))

    def secret_trees(self, spec: Configuration) -> dict[str, int]:
        """This run's mounts of its secrets, by destination. Raises ``OSError``."""
        if not self.secrets:
            return {}
        # few containers have any
        from moby_tui.engine.runtime.monitor import secrets

        return secrets.mount_trees(self.secrets, *joining.id_maps(spec))

    def _instruct_standby(self, binds: list[Bind]) -> Standby | None:
        """Sends the configuration to the process made ahead, which compiles its plan while the rest is made here."""
        standby, self.standby = self.standby, None
        if standby is None:
            return None
        self._chosen, self.cgroup = standby, standby.cgroup
        self.child, self.mounts = standby.pid, standby.mounts
        try:
            standby.prepare(self.root, self.joined.get("network", -1), self.streams(), binds, self.seccomp)
        finally:
            for bind in binds:
                os.close(bind.tree)
        return standby

    def _open_cgroup(self, spec: Configuration, standby: Standby | None) -> None:
        if standby is not None:
            standby.name_cgroup(self.order.cgroup, spec.linux.resources)
        else:
            self.cgroup = open_cgroup(self.order.cgroup)
            self.cgroup.create(spec.linux.resources)

    def _clone(self, spec: Configuration, binds: list[Bind]) -> int:
        """Clones the first process; returns the descriptor that lets it go."""
        assert self.cgroup is not None
        if spec.hooks.any():
            # few containers have any
            from moby_tui.engine.runtime.monitor.hook_stages import HookStages

            self.hooks = HookStages(self, spec)
        wait, go = os.pipe2(os.O_CLOEXEC)
        self.report, child_report = os.pipe2(os.O_CLOEXEC)
        birth = Birth(spec, self.joined)
        inputs = self._open_inputs(spec, binds, wait)
        program = compile_container(spec, inputs)
        self.child = birth.clone(self.cgroup.descriptor())
        if self.child == 0:
            os.close(go)
            program.run(child_report)
        fault.point("monitor.cloned")
        for fd in (wait, child_report, *inputs.entrances, *(bind.tree for bind in binds), *inputs.mounts.procfs.values()):
            os.close(fd)
        if self.hooks is not None:
            self.hooks.child_is_made()
        self.awaited = Awaited(self.report, self._check_moving)
        if self.hooks is not None and birth.forks_last:
            self.hooks.until_root(self.awaited)
        self.child = birth.settle(self.child, self.awaited)
        if self.child == 0:
            os.close(go)
            raise StartFailure.of_report(self.awaited.failure(), self.command)
        return go

    def _open_inputs(self, spec: Configuration, binds: list[Bind], go: int) -> ContainerInputs:
        """Opens the rest of what the plan of a process needs that was not made ahead; ``go`` is where it waits. Raises ``OSError``."""
        assert self.cgroup is not None
        points = joining.mount_points(spec, self.order.paths.run)
        for folder in points:
            os.makedirs(folder, exist_ok=True)
        entrances = open_entrances(self.cgroup)
        procfs_trees = {}
        if "pid" in self.joined:
            # few containers join another's processes
            from moby_tui.engine.runtime.birth import procfs

            procfs_trees = procfs.mount_all(spec, self.joined["pid"], self.cgroup, entrances)
        hooks = self.hooks
        return ContainerInputs(
            ProcessInputs(
                self.streams(), seccomp=self.seccomp, go=go, before_program=None if hooks is None else hooks.before_program
            ),
            MountInputs(
                root=self.root,
                binds=binds,
                devpts=self.devpts,
                procfs=procfs_trees,
                cgroups=self.cgroup.mounts(),
                points=points,
            ),
            joined=self.joined,
            entrances=entrances,
            before_root=None if hooks is None else hooks.before_root,
        )

    def _let_go(self, spec: Configuration, go: int) -> None:
        """Writes the child's pid to the state, then lets the child go on, which has been waiting."""
        assert self.stdio is not None
        try:
            self._reset_oom_score(spec)
            self._write_created()
            with suppress(BrokenPipeError):
                # the child may have failed before: its report says why
                os.write(go, b"g")
        finally:
            os.close(go)
        self.stdio.start()

    def _reset_oom_score(self, spec: Configuration) -> None:
        """Sets the container's OOM score, since the child has inherited the monitor's. If the kernel refuses, the monitor's stays."""
        if (score := spec.process.oom_score_adj) is not None:
            processes.set_oom_score(score, self.child)

    def _write_created(self) -> None:
        self.pidfd = os.pidfd_open(self.child)
        self.standing.created(self.child)

    def _await_execution(self) -> None:
        """Waits for the end of the report, which execve closes. Raises ``StartFailure`` if it holds a failure."""
        awaited = self.awaited or Awaited(self.report, self._check_moving)
        failure = awaited.failure()
        self.awaited, self.report = None, _close(self.report)
        fault.point("monitor.executed")
        if failure is not None:
            raise StartFailure.of_report(failure, self.command)

    def _check_moving(self) -> None:
        """The process has been silent for long. Raises ``StartFailure`` if it is held, and ``_StandbyLost`` if it was made ahead."""
        if self._has_lost_standby():
            # a killed process reports nothing
            raise _StandbyLost
        if self._chosen is None:
            check_moving(self.order.cgroup, self.child)

    def give_up(self) -> None:
        """Kills the processes of a start that failed."""
        if self.standby is not None:
            self.standby.dismiss()
        if self.child:
            os.kill(self.child, signal.SIGKILL)
            freezer.let_killed_die(self.child)
            os.waitpid(self.child, 0)
            self.child = 0

    # life

    def kill(self, number: int) -> None:
        """Raises ``OSError``, as ``ProcessLookupError`` if the first process has just ended."""
        signal.pidfd_send_signal(self.pidfd, number)

    def freeze(self) -> None:
        """Raises ``OSError``, as the next two."""
        assert self.cgroup is not None
        self.cgroup.freeze()

    def thaw(self) -> None:
        assert self.cgroup is not None
        self.cgroup.thaw()

    def update(self, resources: Resources) -> None:
        """Changes limits: ``resources`` has the sections to change."""
        assert self.cgroup is not None
        self.cgroup.update(resources.values())

    def execute(self, execution: Execution) -> int:
        """Starts the process of an exec; returns its pid. Raises ``StartFailure``."""
        assert self.cgroup is not None
        return execution.start(self.pidfd, self.cgroup, self.seccomp)

    # end

    def reap(self) -> int:
        """Reaps the first process; returns its exit code as ``os.waitstatus_to_exitcode`` does."""
        _, status = os.waitpid(self.standing.state.pid, 0)
        self.child = 0
        return os.waitstatus_to_exitcode(status)

    def kill_the_rest(self) -> None:
        """Kills the container's other processes, which outlive the first if it has no pid namespace of its own (pid_namespaces(7))."""
        if joining.is_own(self.spec, "pid"):
            return
        if self.cgroup is not None and self.cgroup.pids():
            self.cgroup.kill()

    def close_log(self) -> None:
        if self.log is not None:
            log, self.log = self.log, None
            log.close()

    def close(self) -> None:
        """Lets go of all but its control group, and of what the next run needs. Safe to call at any stage, and again."""
        self.close_log()
        if self.stdio is not None:
            self.stdio.finish()
        held = (self.root, self.devpts, self.pidfd, self.mounts, self.report)
        self.root, self.devpts, self.pidfd, self.mounts, self.report = (_close(fd) for fd in held)
        self.awaited = None

    def close_shared(self) -> None:
        """Lets go of what each of its runs has used: there is no next one."""
        for fd in (self.configuration, *self.joined.values(), *self.trees.values(), *self.secrets.values()):
            _close(fd)
        self.configuration, self.joined, self.trees, self.secrets = -1, {}, {}, {}

    def remove_cgroup(self) -> None:
        """The last of it. Raises ``OSError``."""
        if self.cgroup is not None:
            self.cgroup.remove()
        if self.hooks is not None:
            stages, self.hooks = self.hooks, None
            stages.after_end()


def _close(fd: int) -> int:
    """Closes a descriptor if there is one; returns what to put in its place."""
    if fd >= 0:
        os.close(fd)
    return -1
