"""A container's health check: its monitor runs a command in it again and again (light imports).

Defaults, counting and texts are Docker's (docs: Dockerfile reference, HEALTHCHECK); what is done to an unhealthy container is
Podman's ``--health-on-failure``. All times are taken on the monotonic clock: a set clock neither hurries nor delays a probe.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from moby_tui.engine.kernel.loop import Timer
from moby_tui.engine.protocol.configuration import Process
from moby_tui.engine.protocol.control import Execute
from moby_tui.engine.protocol.health import HEALTHY, STARTING, UNHEALTHY, HealthReport, ProbeResult
from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.protocol.order import HealthSettings
from moby_tui.engine.runtime.birth.failure import StartFailure, say
from moby_tui.engine.runtime.monitor.execution import Execution
from moby_tui.engine.store.state import now, write_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.runtime.monitor.monitor import Monitor

_KEPT_RESULTS = 5
_OUTPUT_BYTES = 4096
_SECOND = 1_000_000_000
#: The exit code of a probe that was killed or could not be started.
_NO_CODE = -1


class Record:
    """``health.json``: a container's health in the API's form, replaced after each probe."""

    def __init__(self, path: str, retries: int) -> None:
        self._path = path
        self._retries = retries
        self.status, self.streak = STARTING, 0
        self.log: list[ProbeResult] = []

    def begin(self) -> None:
        """Begins a new run, with status ``starting``; the results of the last run are kept."""
        self.status, self.streak = STARTING, 0
        try:
            with open(self._path, "rb") as file:
                self.log = HealthReport.decode(file.read()).log
        except (OSError, MalformedMessage):
            # none yet, or what a disk made of it
            self.log = []
        self.write()

    def judge(self, result: ProbeResult, *, lenient: bool) -> bool:
        """Adds a result; returns whether the status has changed. ``lenient``: failures do not count yet (start period)."""
        former = self.status
        self.log = [*self.log, result][-_KEPT_RESULTS:]
        if result.exit_code == 0:
            self.status, self.streak = HEALTHY, 0
        elif not (lenient and self.status == STARTING):
            self.streak += 1
            if self.streak >= self._retries:
                self.status = UNHEALTHY
        return self.status != former

    def write(self) -> None:
        try:
            write_message(self._path, HealthReport(status=self.status, streak=self.streak, log=self.log))
        except OSError:
            # the container is being removed, or the disk is full: the next probe tries again
            pass


class HealthCheck:
    """The check of one container, through all of its runs."""

    def __init__(self, monitor: Monitor, settings: HealthSettings) -> None:
        self._monitor = monitor
        self._settings = settings
        self._record = Record(settings.path, settings.retries)
        self._began = 0.0
        self._timer: Timer | None = None
        self._probe: Probe | None = None
        self._over = False

    def begin(self) -> None:
        """Called when the container runs: schedules the first probe, after one interval."""
        self._over, self._began = False, time.monotonic()
        self._record.begin()
        self._arm()

    def end(self) -> None:
        """Called when the container has ended: ignores a probe that is still running. As in Docker, the status is ``unhealthy`` then."""
        self._over = True
        self.pause()
        self._record.status = UNHEALTHY
        self._record.write()

    def pause(self) -> None:
        """Stops the timers: a frozen container is not probed, and a running probe does not time out."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def resume(self) -> None:
        self._arm() if self._probe is None else self._limit()

    @property
    def _within_start_period(self) -> bool:
        return time.monotonic() - self._began < self._settings.start_period / _SECOND

    def _arm(self) -> None:
        hurried = self._record.status == STARTING and self._within_start_period
        nanoseconds = self._settings.start_interval if hurried else self._settings.interval
        self._timer = self._monitor.loop.call_later(nanoseconds / _SECOND, self._begin_probe)

    def _limit(self) -> None:
        probe = self._probe
        if probe is not None:
            self._timer = self._monitor.loop.call_later(self._settings.timeout / _SECOND, probe.time_out)

    def _begin_probe(self) -> None:
        process, timeout = self._settings.process, self._settings.timeout
        self._probe = Probe(self._monitor, process, timeout, lenient=self._within_start_period, ended=self._judge)
        self._limit()
        self._probe.begin()

    def _judge(self, probe: Probe, code: int, output: str) -> None:
        self.pause()
        self._probe = None
        if self._over:
            return
        result = ProbeResult(start=probe.began, end=now(), exit_code=code, output=output)
        changed = self._record.judge(result, lenient=probe.lenient)
        self._record.write()
        if changed:
            self._monitor.standing.publish(f"health_status: {self._record.status}")
            if self._record.status == UNHEALTHY:
                self._act(self._settings.on_failure)
        if self._monitor.standing.state.status != "paused":
            self._arm()

    def _act(self, action: str) -> None:
        if action == "kill":
            self._send(signal.SIGKILL)
        elif action in ("restart", "stop"):
            if action == "restart":
                self._monitor.restarts.demanded = True
            else:
                self._monitor.restarts.cancelled = self._monitor.standing.state.stopped = True
            run = self._began
            self._send(self._settings.stop_signal)
            patience = self._settings.stop_timeout
            if patience >= 0:
                self._monitor.loop.call_later(patience, lambda: self._end_impatiently(run))

    def _end_impatiently(self, run: float) -> None:
        """Kills a process that did not end on the stop signal, unless another run has begun by now."""
        if not self._over and self._began == run:
            self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        try:
            signal.pidfd_send_signal(self._monitor.run.pidfd, number)
        except ProcessLookupError:
            # the process has just ended
            return
        self._monitor.standing.publish("kill", signal=str(int(number)))


class Output:
    """The first bytes of a probe's output, of both streams; the rest is read and dropped."""

    behind = False

    def __init__(self) -> None:
        self._taken = bytearray()
        self._truncated = False

    def write(self, stream: str, data: bytes) -> None:
        room = _OUTPUT_BYTES - len(self._taken)
        self._taken += data[:room]
        self._truncated = self._truncated or len(data) > room

    @property
    def text(self) -> str:
        return self._taken.decode("utf-8", "replace") + ("..." if self._truncated else "")


class Probe:
    """One run of the check's command, as an exec of the container."""

    def __init__(
        self,
        monitor: Monitor,
        process: Process,
        timeout: int,
        *,
        lenient: bool,
        ended: Callable[[Probe, int, str], None],
    ) -> None:
        """``timeout``, in nanoseconds, is for the text of a timeout only."""
        self._monitor = monitor
        self._process = process
        self._timeout = timeout
        self._on_end = ended
        self._output = Output()
        self._timed_out = ""
        self._execution: Execution | None = None
        self.lenient = lenient
        self.began = now()

    def begin(self) -> None:
        """Starts the command."""
        monitor, ident = self._monitor, os.urandom(32).hex()
        command = " ".join(self._process.args)
        monitor.standing.publish(f"exec_create: {command}", execID=ident)
        monitor.standing.publish(f"exec_start: {command}", execID=ident)
        request = Execute(id=ident, process=self._process)
        try:
            self._execution = Execution(
                monitor.loop, request, "", monitor.run.devpts, monitor.run.spec, self._ended, self._output
            )
            monitor.run_execution(self._execution)
        except StartFailure as failure:
            self._on_end(self, _NO_CODE, failure.message)
            return
        except OSError as error:
            self._on_end(self, _NO_CODE, say(error))
            return
        self._execution.serve(None)

    def time_out(self) -> None:
        """Kills the command's process group, so that probes do not pile up."""
        self._timed_out = f"Health check exceeded timeout ({format_duration(self._timeout)})"
        if self._execution is not None:
            self._execution.kill()

    def _ended(self, execution: Execution, code: int) -> None:
        self._monitor.execution_ended(execution, code)
        text = self._output.text
        if self._timed_out:
            code, text = _NO_CODE, f"{self._timed_out}: {text}" if text else self._timed_out
        self._on_end(self, code, text)


def format_duration(nanoseconds: int) -> str:
    """As Go writes a duration of a millisecond or more: ``1m30s``, ``1.5s``, ``250ms``."""
    if nanoseconds < _SECOND:
        return f"{nanoseconds / 1_000_000:g}ms"
    minutes, rest = divmod(nanoseconds, 60 * _SECOND)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest / _SECOND:.9f}".rstrip("0").rstrip(".")
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{seconds}s"
