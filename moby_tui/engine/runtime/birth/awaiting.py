"""Waiting for the report of a process that is being made, which may be stopped or frozen meanwhile (light imports)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.cgroup import freezer
from moby_tui.engine.kernel.readiness import wait_readable
from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.protocol.report import Failed, Report
from moby_tui.engine.runtime.birth.failure import StartFailure
from moby_tui.engine.runtime.plan.gate import Gate

#: A process is made in milliseconds. After so long without a word from it, whoever waits looks whether it is stopped or frozen: before the
#: engine, which waits for ten seconds, takes the monitor for one that is held itself.
IDLE_SECONDS = 5.0
_PIECE = 4096


class Awaited:
    """The reading end of a report. ``idle`` is called whenever nothing has come for ``IDLE_SECONDS``; what it raises ends the wait."""

    def __init__(self, descriptor: int, idle: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._idle = idle
        self.report = Report()

    def pid(self) -> int:
        """Waits for the first message: the pid of the process that was made, 0 if there is none. Raises ``MalformedMessage``."""
        while not self.report.pid and self.report.failure is None and self._read():
            pass
        return self.report.pid

    def failure(self) -> Failed | None:
        """Waits for the end: the failure, None if the process has become its program, or was killed. Raises ``MalformedMessage``."""
        while self._read():
            pass
        return self.report.failure

    def outcome(self, maker: int) -> tuple[int, Failed | None]:
        """Waits for the end, and for ``maker``, the process that makes the one that stays: the pid of that one, 0 if there is none, and
        the failure. Raises ``StartFailure`` and ``MalformedMessage``; both processes are killed and reaped then."""
        try:
            failure = self.failure()
        except (StartFailure, ValueError):
            self.give_up(maker)
            raise
        os.waitpid(maker, 0)
        return self.report.pid, failure

    def give_up(self, maker: int) -> None:
        """Kills and reaps ``maker`` and what it has made."""
        for pid in filter(None, (self.report.pid, maker)):
            kill(pid)

    def wait(self, descriptor: int) -> None:
        """Waits until another descriptor can be read, or its other end is closed, which the process being made holds."""
        while not wait_readable(descriptor, seconds=IDLE_SECONDS):
            self._idle()

    def at(self, gate: Gate) -> bool:
        """Waits until the process has come to the gate; False if it has ended before."""
        self.wait(gate.arrival)
        return gate.arrived()

    def _read(self) -> bool:
        self.wait(self._descriptor)
        data = os.read(self._descriptor, _PIECE)
        if data:
            self.report.feed(data)
            self._check_pid()
        else:
            self.report.finish()
        return bool(data)

    def _check_pid(self) -> None:
        """A process that can be traced from inside may have been made to report any pid, and whoever reads it may send that one signals."""
        try:
            if self.report.pid:
                os.waitid(os.P_PID, self.report.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            pid, self.report.pid = self.report.pid, 0
            raise MalformedMessage(f"report of the process: {pid} is no process that was made here") from None


def check_moving(cgroup: str, *pids: int) -> None:
    """Raises ``StartFailure`` if one of these processes, on their way into a container of this control group, is frozen or stopped.

    A process of a pid namespace that the container joins may stop it; the group, or one above it, may have been frozen by anybody.
    """
    for pid in pids:
        if freezer.is_frozen(pid):
            raise StartFailure("failed", f"the control group {cgroup} is frozen: thaw it, or the one above it, and start again")
        if processes.is_stopped(pid):
            raise StartFailure(
                "failed", "the process was stopped by a signal or a tracer before it became its program: start again"
            )


def kill(pid: int) -> None:
    """Kills and reaps a child of this process that is being made, and may be frozen."""
    os.kill(pid, signal.SIGKILL)
    freezer.let_killed_die(pid)
    os.waitpid(pid, 0)
