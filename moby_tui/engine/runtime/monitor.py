"""The monitor: one small process per container, parent of its first process.

It makes the container, holds its streams, writes its log, serves those who attach, waits for its end and puts away what was there
for it, whether or not any other process of ours is alive. It is forked by the launcher and imports only what that has imported.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from moby_tui.engine.events.journal import Journal
from moby_tui.engine.kernel import fault, netlink, unix_socket
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.cgroup import Cgroup, files, open_cgroup
from moby_tui.engine.kernel.cgroup.oom import OomWatch
from moby_tui.engine.kernel.folders import remove_tree
from moby_tui.engine.kernel.ids import IdMap
from moby_tui.engine.runtime import restart
from moby_tui.engine.runtime.birth import Birth
from moby_tui.engine.runtime.execution import Execution, open_entrances
from moby_tui.engine.runtime.failure import StartFailure, read_report, say
from moby_tui.engine.runtime.logs.container_log import ContainerLog
from moby_tui.engine.runtime.logs.destination import open_log
from moby_tui.engine.runtime.logs.settings import LogSettings
from moby_tui.engine.runtime.loop import PRIORITY, READ, Loop
from moby_tui.engine.runtime.order import Order
from moby_tui.engine.runtime.plan import joining
from moby_tui.engine.runtime.plan.container import Spec, Surroundings, compile_container, open_binds, open_own_sources
from moby_tui.engine.runtime.plan.program import Program
from moby_tui.engine.runtime.plan.stage import Stage, compile_stage
from moby_tui.engine.runtime.restart_policy import Restarts
from moby_tui.engine.runtime.standby import SAMPLE, Standby
from moby_tui.engine.runtime.stdio import Stdio
from moby_tui.engine.runtime.terminal import mount_devpts
from moby_tui.engine.store.state import State, now

#: How long output is waited for after the end: a process that left the container may hold the pipe.
_DRAIN_SECONDS = 2.0
#: How long those who are still reading are waited for.
_LINGER_SECONDS = 30.0
#: Whoever attached before the start may be stopped; the start does not wait longer for it.
_ATTACH_SECONDS = 1.0
#: How soon it is looked again whether a descriptor is free for a connection.
_FULL_SECONDS = 0.1
_WARM_ROUNDS = 8
_MAX_REQUEST = 4 * 1024 * 1024
#: What may be asked of a container that waits for its restart.
_WHILE_RESTARTING = ("signal", "policy")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.runtime.external import External
    from moby_tui.engine.runtime.health import HealthCheck
    from moby_tui.engine.runtime.hook_stages import HookStages


def warm() -> None:
    """Does, in the launcher, what each monitor would otherwise do for the first time: imports on use, and the interpreter's own.

    CPython specializes code as it runs, in place; done here, the pages stay shared with every monitor.
    """
    try:
        open_cgroup("/moby/warm").exists()
        # the codec of control files is imported on use
        files.read("/proc/self/cgroup")
        os.close(mount_devpts())
    except OSError:
        # no control groups, or no devpts: the start will say so
        pass
    around = Surroundings()
    for stage in (None, Stage()):
        around.stage = stage
        for _ in range(_WARM_ROUNDS):
            compile_container(json.loads(json.dumps(SAMPLE)), around)
    for _ in range(_WARM_ROUNDS):
        compile_stage(Program(), -1, [])


def rehearse() -> None:
    """Does, in a process that stands by, what it is about to do with an order, on nothing: the pages that it writes to on the way, which
    the kernel must copy first, are its own by the time that the order comes.
    """
    order = Order(**json.loads(json.dumps(Order.sample().values())))
    monitor = Monitor(order, [-1, -1], None)
    spec: Spec = json.loads(json.dumps(SAMPLE))
    process = spec["process"]
    assert isinstance(process, dict)
    stdio = monitor.stdio = Stdio(monitor.loop, devpts=-1, tty=False, open_stdin=False, close_stdin_with_peer=False)
    stdio.give_to(process["user"], *joining.id_maps(spec))
    monitor._surroundings(spec)
    json.dumps(spec).encode()
    stdio.start()
    stdio.finish()
    monitor.loop.close()


def run(order: Order, descriptors: list[int], reply: int, launcher: int, standby: Standby | None = None) -> None:
    """The life of one monitor. The launcher sees ``launcher`` closed when the start is over. ``standby`` is the process made ahead, if any.

    ``descriptors``: the root mount, the container's lock (held on even when the engine that gave the order dies), the network
    namespace if any, and those to keep open.
    """
    monitor = Monitor(order, descriptors, standby)
    try:
        pid = monitor.start()
    except StartFailure as failure:
        monitor.give_up()
        monitor.put_away()
        fault.point("monitor.failure put away")
        answer(reply, {"error": failure.kind, "message": failure.message})
        return
    # the container is changed no more: whoever wants to stop or remove it may
    fault.point("monitor.started")
    os.close(monitor.container_lock)
    fault.point("monitor.lock let go")
    answer(reply, {"pid": pid})
    os.close(launcher)
    fault.point("monitor.answered")
    monitor.watch(reply)


def answer(fd: int, value: dict[str, object]) -> None:
    """One line of JSON. Nobody may be left to read it; the container lives on all the same."""
    try:
        os.write(fd, json.dumps(value).encode() + b"\n")
    except OSError:
        pass


class Monitor:
    def __init__(self, order: Order, descriptors: list[int], standby: Standby | None) -> None:
        self.order = order
        self.standby = standby
        self.root, self.container_lock = descriptors[:2]
        self.joined, self.trees, self.kept = order.sort(descriptors[2:])
        self.loop = Loop()
        self.journal = Journal(order.journal)
        self.state = State.read(order.state)
        self.cgroup: Cgroup | None = None
        self.log: ContainerLog | None = None
        self.stdio: Stdio | None = None
        self.executions: dict[str, Execution] = {}
        self.restarts = Restarts(order.restart)
        self.health: HealthCheck | None = None
        self.hooks: HookStages | None = None
        self.runtime: External | None = self._other_runtime(order)
        self.listener: socket.socket | None = None
        self.oom: OomWatch | None = None
        self.lock = -1
        self.engine = -1
        self.devpts = -1
        #: see ``Standby.mounts``
        self.mounts = -1
        #: the first process, 0 before there is one
        self.child = 0
        self.pidfd = -1
        self.seccomp = b""
        self.spec: Spec = {}
        self.command = ""
        self.started = 0.0
        self.ended = False

    @staticmethod
    def _other_runtime(order: Order) -> External | None:
        if order.runtime is None:
            return None
        # few containers have one
        from moby_tui.engine.runtime.external import External

        return External(order.runtime, order.id, order.run)

    # start

    def start(self) -> int:
        """Makes the container and lets it run; returns its pid. Raises ``StartFailure``, with nothing left but what ``put_away`` removes."""
        try:
            return self.make()
        except (OSError, ValueError) as error:
            raise StartFailure("failed", say(error)) from error

    def make(self) -> int:
        """One run of the container, from its root on. Raises ``StartFailure``, ``OSError`` and ``ValueError``."""
        spec = self.spec = self._read_bundle()
        fault.point("monitor.bundle read")
        if self.runtime is not None:
            return self._make_with(self.runtime, spec)
        self._choose_process(spec)
        self._make_streams(spec)
        around = self._surroundings(spec)
        standby = self._instruct_standby(spec, around)
        if self.lock < 0:
            self._take_lock()
        fault.point("monitor.locked")
        self._open_cgroup(spec, standby)
        fault.point("monitor.cgroup made")
        if self.listener is None:
            self._open_doors()
        fault.point("monitor.streams open")
        go, report = self._clone(spec, around) if standby is None else (standby.channel.detach(), standby.report)
        self._let_go(spec, go)
        fault.point("monitor.let go")
        if self.hooks is not None:
            self.hooks.until_program()
        self._await_execution(report)
        return self.state.pid

    def _make_with(self, runtime: External, spec: Spec) -> int:
        """The same, by another runtime: what is of the process is its work, what is around the process stays ours."""
        if self.standby is not None:
            self.standby.dismiss()
            self.standby = None
        self._make_streams(spec)
        if self.lock < 0:
            self._take_lock()
        self.cgroup = open_cgroup(self.order.cgroup)
        if self.listener is None:
            self._open_doors()
        assert self.stdio is not None
        trees = dict(self.trees)
        open_own_sources(spec, trees, self.joined.get("user", -1))
        self.child = runtime.create(spec, self.root, self.joined, trees, self.stdio)
        for destination in trees.keys() - self.trees.keys():
            os.close(trees[destination])
        self._write_created()
        self.stdio.start()
        runtime.start()
        self._begin()
        return self.state.pid

    def _read_bundle(self) -> Spec:
        with open(self.order.bundle) as file:
            spec: Spec = json.load(file)
        if self.order.seccomp:
            with open(self.order.seccomp, "rb") as program:
                self.seccomp = program.read()
            if not self.seccomp:
                raise ValueError(f"{self.order.seccomp} is empty; remove it and start again")
        return spec

    def _choose_process(self, spec: Spec) -> None:
        """Ends the process that stands by where it is not the one to use: its terminals go with it."""
        if self.standby is not None and not self.standby.fits(spec, self.order.cgroup):
            self.standby.dismiss()
            self.standby = None

    def _make_streams(self, spec: Spec) -> None:
        order = self.order
        self.log = open_log(order.log_path, LogSettings.of(order.log), self.loop, self._log_has_room)
        fault.point("monitor.log open")
        uids, gids = joining.id_maps(spec)
        self.devpts = self._open_devpts(uids, gids)
        self.stdio = Stdio(
            self.loop,
            devpts=self.devpts,
            tty=order.tty,
            open_stdin=order.open_stdin,
            close_stdin_with_peer=order.stdin_once,
            log=self.log,
            on_detach=lambda: self.publish("detach"),
        )
        if order.tty and all(order.console_size):
            self.stdio.resize(*order.console_size)
        process = spec["process"]
        assert isinstance(process, dict)
        self.command = str(process["args"][0])
        self.stdio.give_to(process["user"], uids, gids)

    def _open_devpts(self, uids: IdMap, gids: IdMap) -> int:
        """Where its terminals are opened; -1 where another runtime opens them."""
        if self.runtime is not None:
            return -1
        return mount_devpts(uids, gids) if self.standby is None else self.standby.take_devpts()

    def _surroundings(self, spec: Spec) -> Surroundings:
        assert self.stdio is not None
        around = Surroundings()
        around.root, around.joined, around.devpts = self.root, self.joined, self.devpts
        around.network = self.joined.get("network", -1)
        around.terminal, around.streams = self.stdio.terminal, self.stdio.child
        around.seccomp = self.seccomp
        around.binds = open_binds(spec, self.trees, self.joined.get("user", -1))
        return around

    def _instruct_standby(self, spec: Spec, around: Surroundings) -> Standby | None:
        """Has the process that stands by lay out its plan, while the rest is made here."""
        standby, self.standby = self.standby, None
        if standby is None:
            return None
        try:
            standby.prepare(spec, around)
        except ConnectionError:
            # it was killed while it waited
            standby.dismiss()
            return None
        self.child, self.mounts = standby.pid, standby.mounts
        for bind in around.binds:
            os.close(bind.tree)
        return standby

    def _take_lock(self) -> None:
        self.lock = os.open(self.order.monitor_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # the monitor of the last run may still be putting away
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def _open_cgroup(self, spec: Spec, standby: Standby | None) -> None:
        linux = spec.get("linux")
        resources = (linux.get("resources") if isinstance(linux, dict) else None) or {}
        if standby is not None:
            self.cgroup = standby.cgroup
            standby.name_cgroup(self.order.cgroup, resources)
        else:
            self.cgroup = open_cgroup(self.order.cgroup)
            self.cgroup.create(resources)

    def _open_doors(self) -> None:
        """The socket, and those who have asked to be attached before there was anything to attach to."""
        self._listen()
        fault.point("monitor.listening")
        self._call_back()

    def _log_has_room(self) -> None:
        if self.stdio is not None:
            self.stdio.caught_up()

    def _listen(self) -> None:
        _unlink(self.order.socket)
        self.listener = unix_socket.listen(self.order.socket)
        self.listener.setblocking(False)
        self.loop.watch(self.listener.fileno(), READ, lambda _: self._accept())

    def _call_back(self) -> None:
        """Attaches those who asked before there was anything to attach to, so that they miss no byte."""
        try:
            waiting = os.listdir(self.order.attachments)
        except FileNotFoundError:
            return
        for name in waiting:
            path = f"{self.order.attachments}/{name}"
            try:
                connection = unix_socket.connect(path, _ATTACH_SECONDS)
            except OSError:
                # whoever waited here is gone
                _unlink(path)
                continue
            _unlink(path)
            try:
                self._serve(connection)
            except OSError:
                connection.close()

    def _clone(self, spec: Spec, around: Surroundings) -> tuple[int, int]:
        """Makes the first process; returns what lets it go and where it reports."""
        assert self.cgroup is not None
        around.root_point, around.mask_point = joining.mount_points(spec, self.order.run)
        for folder in (around.root_point, around.mask_point):
            os.makedirs(folder, exist_ok=True)
        around.cgroup_mounts = self.cgroup.mounts()
        around.entrances = open_entrances(self.cgroup)
        if spec.get("hooks"):
            # few containers have any
            from moby_tui.engine.runtime.hook_stages import HookStages

            self.hooks = HookStages(self, spec, around)
        around.go, go = os.pipe2(os.O_CLOEXEC)
        report, child_report = os.pipe2(os.O_CLOEXEC)
        birth = Birth(spec, self.joined)
        around.born = birth.told_to
        program = compile_container(spec, around)
        self.child = birth.clone(self.cgroup.descriptor())
        if self.child == 0:
            os.close(go)
            program.run(child_report)
        fault.point("monitor.cloned")
        for fd in (around.go, child_report, *around.entrances, *(bind.tree for bind in around.binds)):
            os.close(fd)
        if self.hooks is not None:
            self.hooks.child_is_made()
        self.child = birth.settle(self.child)
        if self.child == 0:
            os.close(go)
            self._await_execution(report)
        return go, report

    def _let_go(self, spec: Spec, go: int) -> None:
        """The child has been waiting; once it is written down, it may go on."""
        assert self.stdio is not None
        try:
            _set_oom_score(self.child, spec)
            self._write_created()
            with suppress(BrokenPipeError):
                # it may have found that it cannot be what is asked for: its report says why
                os.write(go, b"g")
        finally:
            os.close(go)
        self.stdio.start()

    def _write_created(self) -> None:
        """From now on whoever finds the container knows its first process."""
        self.pidfd = os.pidfd_open(self.child)
        state = self.state if self.state.status == "restarting" else State(restart_count=self.restarts.count)
        state.pid, state.pid_started = self.child, processes.start_time(self.child)
        state.monitor, state.boot = os.getpid(), self.order.boot
        self.state = state
        self.state.write(self.order.state)
        fault.point("monitor.created written")

    def _await_execution(self, report: int) -> None:
        """The end of the report is the good news: it closes with execve."""
        _, failure = read_report(report)
        os.close(report)
        fault.point("monitor.executed")
        if failure:
            raise StartFailure.of_report(failure, self.command)
        self._begin()

    def _begin(self) -> None:
        """The program runs: says so, and watches it."""
        self.started = time.monotonic()
        self.state.status, self.state.started_at, self.state.exit_code = "running", now(), 0
        self.state.write(self.order.state)
        fault.point("monitor.running written")
        self.publish("start")
        fault.point("monitor.start told")
        self.ended = False
        self.loop.watch(self.pidfd, READ, lambda _: self._init_ended())
        if self.hooks is not None:
            self.hooks.after_start()
        if self.order.health is not None:
            self._watch_health(self.order.health)

    def give_up(self) -> None:
        """Ends what there is of a container that does not start."""
        if self.standby is not None:
            self.standby.dismiss()
        if self.child:
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
            self.child = 0

    # life

    def watch(self, engine: int) -> None:
        """Serves until the container has ended for good, then puts everything away.

        ``engine`` is told, by any byte, when there is something new in the journal: it need not look for itself again and again.
        """
        self.engine = engine
        gc.enable()
        self._watch_run()
        while self.state.status == "restarting" and restart.again(self):
            self._watch_run()
        # the kernel takes some 15 ms to delete a link: a removal that frees no port need not wait for it
        link_last = self.order.auto_remove and len(self.kept) <= 1 and not self.order.volumes
        self.put_away(keep_network=link_last)
        fault.point("monitor.put away")
        self._finish()
        _nudge(self.engine)
        os.close(self.engine)
        fault.point("monitor.finished")
        if link_last:
            self._undo(self._undo_network)
        os.close(self.lock)
        self._let_readers_finish()

    def _watch_health(self, asked: dict[str, object]) -> None:
        # few containers have one
        from moby_tui.engine.runtime.health import HealthCheck

        self.health = self.health or HealthCheck(self, asked)
        self.health.begin()

    def _watch_run(self) -> None:
        """Serves until the container's process has ended, and records how."""
        self._watch_oom()
        self.loop.run_until(lambda: self.ended)
        fault.point("monitor.ended")
        _, status = os.waitpid(self.state.pid, 0)
        self.child = 0
        fault.point("monitor.reaped")
        if self.health is not None:
            self.health.end()
        self._kill_the_rest()
        self._end_executions()
        fault.point("monitor.execs ended")
        self.loop.run_until(lambda: self.stdio is not None and self.stdio.ended, _DRAIN_SECONDS)
        self._stop_watching_oom()
        self._close_log()
        fault.point("monitor.log closed")
        self._record_end(os.waitstatus_to_exitcode(status))
        _nudge(self.engine)
        fault.point("monitor.end told")

    def _watch_oom(self) -> None:
        """Any process of the container may be killed for want of memory, and the first may live on."""
        assert self.cgroup is not None
        try:
            self.oom = self.cgroup.watch_oom()
        except OSError:
            # the group was taken away under us; the end will show
            return
        if self.oom is not None:
            self.loop.watch(self.oom.fd, READ if self.oom.by_event else PRIORITY, lambda _: self._notice_oom())

    def _notice_oom(self) -> None:
        if self.oom is not None and self.oom.take():
            self.state.oom_killed = True
            self.state.write(self.order.state)
            self.publish("oom")

    def _stop_watching_oom(self) -> None:
        """The last kill may not have been told yet. The group's removal would be told as one more."""
        if self.oom is not None:
            self.loop.remove(self.oom.fd)
            self._notice_oom()
            self.oom.close()
            self.oom = None

    def _init_ended(self) -> None:
        self.ended = True
        self.loop.remove(self.pidfd)

    def _kill_the_rest(self) -> None:
        """Without a pid namespace of its own the container's other processes outlive the first (pid_namespaces(7))."""
        if joining.is_own(self.spec, "pid"):
            return
        if self.cgroup is not None and self.cgroup.pids():
            self.cgroup.kill()

    def _end_executions(self) -> None:
        """An exec's end is known before its container's end is told."""
        for execution in tuple(self.executions.values()):
            execution.finish()

    def put_away(self, *, keep_network: bool = False) -> None:
        """Removes what was there only for the running container. Safe to call at any stage of a start that failed."""
        if self.listener is not None:
            self.loop.remove(self.listener.fileno())
            self.listener.close()
            _unlink(self.order.socket)
        self._let_go_of_run()
        for fd in (*self.joined.values(), *self.trees.values()):
            os.close(fd)
        self.joined, self.trees = {}, {}
        if not keep_network:
            self._undo(self._undo_network)
        self._undo(self._unmount_volumes)
        fault.point("monitor.network undone")
        self._undo(self._remove_cgroup)
        fault.point("monitor.cgroup removed")

    def end_run(self) -> None:
        """Removes what belongs to one run of the container; what it keeps when it is started again stays."""
        self._let_go_of_run()
        self._undo(self._remove_cgroup)
        self.cgroup = None

    def _let_go_of_run(self) -> None:
        self._close_log()
        if self.stdio is not None:
            self.stdio.finish()
        held = (self.root, self.devpts, self.pidfd, self.mounts)
        self.root, self.devpts, self.pidfd, self.mounts = (restart.close(fd) for fd in held)

    def _undo(self, step: Callable[[], None]) -> None:
        """Not worth losing the exit code for: what cannot be undone now, the next engine that looks finds orphaned and removes."""
        try:
            step()
        except OSError as error:
            self.note(error)

    def note(self, error: OSError) -> None:
        """Writes down what nobody is there to be told."""
        with suppress(OSError), open(f"{self.order.data}/monitor.err", "a") as file:
            file.write(f"{now()} {say(error)}\n")

    def _close_log(self) -> None:
        if self.log is not None:
            log, self.log = self.log, None
            log.close()

    def _undo_network(self) -> None:
        closed = {self.kept[int(str(step["close"]))] for step in self.order.teardown if "close" in step}
        try:
            netlink.run_teardown(self.order.teardown, self.kept)
        finally:
            for fd in self.kept:
                if fd not in closed:
                    os.close(fd)

    def _unmount_volumes(self) -> None:
        if self.order.volumes:
            # few containers come here
            from moby_tui.engine.kernel import shared_mount

            for mounted, lock in self.order.volumes.items():
                shared_mount.let_go(lock, mounted)

    def _remove_cgroup(self) -> None:
        if self.runtime is not None:
            self.runtime.delete()
        if self.cgroup is not None:
            self.cgroup.remove()
        if self.hooks is not None:
            stages, self.hooks = self.hooks, None
            stages.after_end()

    def _record_end(self, code: int) -> None:
        state = self.state
        state.exit_code = 128 - code if code < 0 else code
        ran = time.monotonic() - self.started
        state.status = "restarting" if self.restarts.decide(state.exit_code, ran) else "exited"
        state.finished_at, state.restart_count = now(), self.restarts.count
        state.pid = 0
        state.write(self.order.state)
        fault.point("monitor.end written")
        self.publish("die", exitCode=str(state.exit_code), execDuration=str(int(ran)))

    def _finish(self) -> None:
        """Everything of the run is gone: tells so, and removes the container if it was to go with its end."""
        for kind, action, ident, attributes in self.order.exit_events:
            self.journal.publish(str(kind), str(action), str(ident), attributes)  # type: ignore[arg-type]
        if self.order.auto_remove:
            fault.point("monitor.exit told")
            remove_tree(self.order.data)
            fault.point("monitor.data removed")
            remove_tree(self.order.run)
            fault.point("monitor.run removed")
            self.publish("destroy")

    def _let_readers_finish(self) -> None:
        stdio = self.stdio
        assert stdio is not None
        self.loop.run_until(lambda: not stdio.peers, _LINGER_SECONDS)

    def publish(self, action: str, **attributes: str) -> None:
        self.journal.publish("container", action, self.order.id, {**self.order.attributes, **attributes})

    # service

    def _accept(self) -> None:
        assert self.listener is not None
        try:
            connection, _ = self.listener.accept()
        except BlockingIOError:
            return
        except OSError:
            # no descriptor is left: whoever asks waits until one is, for as long as it wants
            self.loop.watch(self.listener.fileno(), 0, lambda _: None)
            self.loop.call_later(_FULL_SECONDS, self._accept_again)
            return
        connection.settimeout(_ATTACH_SECONDS)
        try:
            self._serve(connection)
        except OSError:
            connection.close()

    def _accept_again(self) -> None:
        if self.listener is not None and self.listener.fileno() >= 0:
            self.loop.watch(self.listener.fileno(), READ, lambda _: self._accept())

    def _serve(self, connection: socket.socket) -> None:
        """Reads one request, a line of JSON, and carries it out. Only root can connect: the folder is closed to others."""
        request = _read_request(connection)
        if _has_hung_up(connection):
            # whoever asked has given up, while this process was stopped
            connection.close()
            return
        operations: dict[str, Callable[[socket.socket, dict[str, object]], None]] = {
            "attach": self._attach,
            "exec": self._exec,
            "resize": self._resize,
            "signal": self._signal,
            "freeze": self._freeze,
            "thaw": self._thaw,
            "policy": self._change_policy,
            "update": self._update,
        }
        operation = operations.get(str(request.get("op")))
        if operation is not None and self.state.status == "restarting" and request["op"] not in _WHILE_RESTARTING:
            _tell(connection, {"error": "conflict", "message": f"container {self.order.id} is restarting, try again"})
            connection.close()
            return
        if operation is None:
            _tell(connection, {"error": "failed", "message": f"unknown request {request.get('op')}"})
            connection.close()
            return
        try:
            operation(connection, request)
        except StartFailure as failure:
            _tell(connection, {"error": failure.kind, "message": failure.message})
            connection.close()
        except (OSError, ValueError) as error:
            _tell(connection, {"error": "failed", "message": say(error)})
            connection.close()

    def _attach(self, connection: socket.socket, request: dict[str, object]) -> None:
        assert self.stdio is not None
        _tell(connection, {"ok": True})
        keys = bytes(int(str(key)) for key in _ints(request.get("keys")))
        wanted = {name: bool(request.get(name)) for name in ("stdin", "stdout", "stderr")}
        self.stdio.attach(connection, stdin=wanted["stdin"], stdout=wanted["stdout"], stderr=wanted["stderr"], keys=keys)

    def _resize(self, connection: socket.socket, request: dict[str, object]) -> None:
        rows, columns = int(str(request["height"])), int(str(request["width"]))
        ident = str(request.get("exec") or "")
        target = self.executions[ident].stdio if ident in self.executions else None if ident else self.stdio
        if target is None:
            raise StartFailure("not_found", f"exec {ident} is not running")
        target.resize(rows, columns)
        self._done(connection)

    def _signal(self, connection: socket.socket, request: dict[str, object]) -> None:
        """``stop`` says what it is for: ``hand`` or ``shutdown`` end the container for good, the first for whoever boots too."""
        if request.get("stop"):
            self.state.stopped = request["stop"] == "hand"
            restart.adopt(self)
        if self.pidfd >= 0:
            # it may have just ended, which is then being recorded
            with suppress(ProcessLookupError):
                self._send_signal(int(str(request["signal"])))
        self._done(connection)

    def _send_signal(self, number: int) -> None:
        if self.runtime is None or self.ended:
            signal.pidfd_send_signal(self.pidfd, number)
            return
        try:
            self.runtime.kill(number)
        except OSError:
            # it has just ended, which the runtime sees before we do
            if processes.is_alive(self.child):
                raise

    def _change_policy(self, connection: socket.socket, request: dict[str, object]) -> None:
        self.restarts.change(request)
        self._done(connection)

    def _freeze(self, connection: socket.socket, request: dict[str, object]) -> None:
        assert self.cgroup is not None
        (self.runtime.pause if self.runtime is not None else self.cgroup.freeze)()
        if self.health is not None:
            self.health.pause()
        self._change_status("paused")
        self._done(connection)

    def _thaw(self, connection: socket.socket, request: dict[str, object]) -> None:
        assert self.cgroup is not None
        (self.runtime.resume if self.runtime is not None else self.cgroup.thaw)()
        self._change_status("running")
        if self.health is not None:
            self.health.resume()
        self._done(connection)

    def _update(self, connection: socket.socket, request: dict[str, object]) -> None:
        assert self.cgroup is not None
        resources = request["resources"]
        assert isinstance(resources, dict)
        (self.runtime.update if self.runtime is not None else self.cgroup.update)(resources)
        self._done(connection)

    def _change_status(self, status: str) -> None:
        self.state.status = status
        self.state.write(self.order.state)

    def _done(self, connection: socket.socket) -> None:
        _tell(connection, {"ok": True})
        connection.close()

    def _exec(self, connection: socket.socket, request: dict[str, object]) -> None:
        if self.ended:
            raise StartFailure("failed", "the container has ended")
        if self.state.status == "paused":
            # the process would be frozen before it could say that it has begun, and we would wait for it
            raise StartFailure("conflict", f"container {self.order.id} is paused, unpause the container before exec")
        record = f"{self.order.execs}/{request['id']}.state"
        execution = Execution(self.loop, request, record, self.devpts, self.spec, self.execution_ended)
        fault.point("exec.asked")
        pid = self.run_execution(execution)
        fault.point("exec.started")
        _tell(connection, {"ok": True, "pid": pid})
        fault.point("exec.answered")
        if request.get("detach"):
            connection.close()
            execution.serve(None)
        else:
            execution.serve(connection)

    def run_execution(self, execution: Execution) -> int:
        """Starts one more process in the container; its pid. Raises ``StartFailure``."""
        assert self.cgroup is not None
        pid = execution.start(self.pidfd, self.cgroup, self.seccomp, self.runtime)
        self.executions[execution.id] = execution
        return pid

    def execution_ended(self, execution: Execution, code: int) -> None:
        del self.executions[execution.id]
        self.publish("exec_die", execID=execution.id, exitCode=str(code))


def _nudge(engine: int) -> None:
    try:
        os.write(engine, b"\n")
    except OSError:
        # it is gone, or has better things to do than to read
        pass


def _read_request(connection: socket.socket) -> dict[str, object]:
    data = bytearray()
    while b"\n" not in data:
        # byte-exact: what follows the line is the stream's
        piece = connection.recv(65536, socket.MSG_PEEK)
        if not piece or len(data) > _MAX_REQUEST:
            raise OSError(errno.EPROTO, "request cut short")
        end = piece.find(b"\n")
        data += connection.recv(end + 1 if end >= 0 else len(piece))
    value = json.loads(data)
    if not isinstance(value, dict):
        raise OSError(errno.EPROTO, "request is not an object")
    return value


def _has_hung_up(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))


def _tell(connection: socket.socket, value: dict[str, object]) -> None:
    try:
        connection.sendall(json.dumps(value).encode() + b"\n")
    except OSError:
        pass


def _ints(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _set_oom_score(pid: int, spec: Spec) -> None:
    """Lowering it needs CAP_SYS_RESOURCE; without, it stays what ours is."""
    process = spec["process"]
    score = process.get("oomScoreAdj") if isinstance(process, dict) else None
    if score is None:
        return
    try:
        with open(f"/proc/{pid}/oom_score_adj", "w") as file:
            file.write(str(score))
    except PermissionError:
        pass


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
