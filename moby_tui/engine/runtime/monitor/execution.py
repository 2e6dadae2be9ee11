"""A process of ``exec`` in a running container, made and watched by the monitor (light imports)."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.cgroup.group import Cgroup
from moby_tui.engine.kernel.loop import READ, Loop
from moby_tui.engine.protocol.configuration import Configuration
from moby_tui.engine.protocol.control import Execute
from moby_tui.engine.protocol.execution import ExecutionState
from moby_tui.engine.protocol.report import Failed
from moby_tui.engine.runtime.birth.awaiting import Awaited, check_moving
from moby_tui.engine.runtime.birth.failure import StartFailure, say
from moby_tui.engine.runtime.monitor.stdio import Stdio
from moby_tui.engine.runtime.plan.becoming import ProcessInputs, Streams
from moby_tui.engine.runtime.plan.exec import compile_exec
from moby_tui.engine.runtime.plan.process import joining
from moby_tui.engine.runtime.plan.program import Program
from moby_tui.engine.store.state import write_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.runtime.monitor.external import External
    from moby_tui.engine.runtime.monitor.stdio import OutputLog

_DRAIN_SECONDS = 2.0
#: How often a process is checked that has ended, and that its tracer (ptrace) has not reaped yet.
_TRACED_SECONDS = 0.5
#: The report of a process that was killed before it wrote one: the container has ended meanwhile.
_GONE = Failed(0, "the container has ended")


class Execution:
    """``container`` is the container's configuration.

    ``record`` is the file whose replacement tells others how it stands, empty if nobody asks; ``ended`` is called when all is
    over; ``log`` takes its output.
    """

    def __init__(
        self,
        loop: Loop,
        request: Execute,
        record: str,
        devpts: int,
        container: Configuration,
        ended: Callable[[Execution, int], None],
        log: OutputLog | None = None,
    ) -> None:
        self.id = request.id
        self._loop = loop
        self._process = request.process
        self._request = request
        self._record = record
        self._container = container
        self._on_end = ended
        self._pid = 0
        self._pidfd = -1
        self._over = False
        self.stdio = Stdio(
            loop,
            devpts=devpts,
            tty=request.tty,
            open_stdin=request.stdin,
            close_stdin_with_peer=True,
            log=log,
        )
        try:
            if request.size and all(request.size):
                self.stdio.resize(*request.size)
            self.stdio.give_to(request.process.user, *joining.id_maps(container))
        except BaseException:
            self.stdio.discard()
            raise

    def start(self, init: int, cgroup: Cgroup, seccomp: bytes, runtime: External | None = None) -> int:
        """Makes the process, with ``runtime`` if given, and returns its pid.

        Raises ``StartFailure``; the record then holds the exit code a shell would give."""
        try:
            if runtime is not None:
                return self._begin(runtime.execute(self._process, self.stdio))
            return self._begin(self._start(init, cgroup, seccomp))
        except (OSError, ValueError) as error:
            self._give_up(126)
            raise StartFailure("failed", say(error)) from error
        except StartFailure as failure:
            self._give_up(127 if failure.kind == "not_found" else 126)
            raise
        except Exception:
            # of a process that cannot be compiled, which a message of another version may ask for
            self._give_up(126)
            raise

    def _start(self, init: int, cgroup: Cgroup, seccomp: bytes) -> int:
        entrances = open_entrances(cgroup)
        fault.point("exec.entrances open")
        report = report_child = -1
        try:
            report, report_child = os.pipe2(os.O_CLOEXEC)
            inputs = ProcessInputs(Streams(self.stdio.terminal, self.stdio.child), seccomp=seccomp)
            program = compile_exec(self._process, self._container, init, entrances, inputs)
            joiner = self._clone_joiner(program, cgroup, init, report_child)
            fault.point("exec.cloned")
            os.close(report_child)
            report_child = -1
            return self._await_execution(joiner, report, cgroup.path)
        finally:
            for fd in (*entrances, report, report_child):
                if fd >= 0:
                    os.close(fd)

    def _clone_joiner(self, program: Program, cgroup: Cgroup, init: int, report: int) -> int:
        """The process that joins the namespaces, already in the container's cgroup where that can be had at birth."""
        pid = clone_into(cgroup, init)
        if pid == 0:
            program.run(report)
        if pid < 0:
            raise OSError(-pid, "clone3")
        return pid

    def _await_execution(self, joiner: int, report: int, cgroup: str) -> int:
        """The pid of the process that stays, as soon as it is its program. Raises ``StartFailure``, and kills what was made then."""
        awaited = Awaited(report, lambda: check_moving(cgroup, joiner, *filter(None, [awaited.report.pid])))
        pid, failure = awaited.outcome(joiner)
        if pid and failure:
            os.waitpid(pid, 0)
        if failure or not pid:
            raise StartFailure.of_report(failure or _GONE, self._process.args[0])
        fault.point("exec.executed")
        return pid

    def _begin(self, pid: int) -> int:
        self._pid = pid
        self._pidfd = os.pidfd_open(pid)
        if self._record:
            write_message(self._record, ExecutionState(running=True, pid=pid))
        return pid

    def serve(self, connection: socket.socket | None) -> None:
        """Starts the streams; ``connection``, if given, is attached to them."""
        request = self._request
        self.stdio.start()
        if connection is not None:
            self.stdio.attach(
                connection,
                stdin=request.stdin,
                stdout=request.stdout,
                stderr=request.stderr,
                keys=bytes(request.keys),
                raw=request.raw,
            )
        self._loop.watch(self._pidfd, READ, lambda _: self._finish_unless_traced())

    def kill(self) -> None:
        """Kills the process and its session. Its pid is valid: only this monitor reaps it."""
        if self._pid and not self._over:
            os.killpg(self._pid, signal.SIGKILL)

    def _finish_unless_traced(self) -> None:
        """A process inside that traces it is shown its end first, and may never look: all others are served meanwhile (ptrace(2))."""
        if self._over:
            return
        if os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            self._loop.remove(self._pidfd)
            self._loop.call_later(_TRACED_SECONDS, self._finish_unless_traced)
            return
        self.finish()

    def finish(self) -> None:
        """The process has ended: takes the rest of its output, then records how it ended, then lets its peers go."""
        if self._over:
            return
        self._over = True
        self._loop.remove(self._pidfd)
        os.close(self._pidfd)
        _, status = os.waitpid(self._pid, 0)
        fault.point("exec.reaped")
        self._loop.run_until(lambda: self.stdio.ended, _DRAIN_SECONDS)
        code = os.waitstatus_to_exitcode(status)
        code = 128 - code if code < 0 else code
        self._write_end(code)
        fault.point("exec.end written")
        self._on_end(self, code)
        self.stdio.finish()

    def _give_up(self, code: int) -> None:
        if self._pid:
            # the process runs, but cannot be watched or recorded
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        if self._pidfd >= 0:
            os.close(self._pidfd)
        self.stdio.start()
        self.stdio.finish()
        self._write_end(code)

    def _write_end(self, code: int) -> None:
        if not self._record:
            return
        try:
            write_message(self._record, ExecutionState(pid=self._pid, exit_code=code))
        except OSError:
            # the container is being removed, or the disk is full: only the event tells of the end
            pass


def clone_into(cgroup: Cgroup, init: int) -> int:
    """Makes a process in the container's control group of version 2, if there is one; returns as ``processes.Clone`` does.

    The kernel refuses that (EBUSY) where the container, as Docker in it does, has given controllers to groups of its own below: then no
    process may be in the group itself (cgroup-v2.rst, "No Internal Process Constraint"). The new one is then where the first process is,
    the pidfd ``init``.
    """
    pid = processes.Clone(cgroup=cgroup.descriptor())()
    if pid == -errno.EBUSY and (birthplace := _open_group_of(init, cgroup)) is not None:
        pid = processes.Clone(cgroup=birthplace)()
        if pid != 0:
            os.close(birthplace)
    return pid


def _open_group_of(init: int, cgroup: Cgroup) -> int | None:
    """A descriptor of the group that a process is in; None if it has ended or that is none below ``cgroup``."""
    own = cgroup.descriptor()
    try:
        name = os.path.basename(os.readlink(f"/proc/self/fd/{own}"))
        with open(f"/proc/{processes.pid_of(init)}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            path = next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), "")
        below = path.partition(f"/{name}/")[2]
        return os.open(below, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=own) if below else None
    except OSError:
        return None


def open_entrances(cgroup: Cgroup) -> list[int]:
    """Opens the files to which a new process writes to enter the control groups of v1. Raises ``OSError``."""
    opened: list[int] = []
    try:
        for path in cgroup.entrances():
            opened.append(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
    except OSError:
        for fd in opened:
            os.close(fd)
        raise
    return opened
