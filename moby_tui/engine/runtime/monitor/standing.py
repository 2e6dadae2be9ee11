"""The state of a container for all other processes: ``state.json``, which its monitor alone writes, and its events (light imports)."""

from __future__ import annotations

import os

from moby_tui.engine.events.journal import Journal
from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.protocol.order import Order
from moby_tui.engine.runtime.monitor.restart_policy import Restarts
from moby_tui.engine.store.state import State, now


class Standing:
    """Each method writes the state first, then publishes the event. Raises ``OSError`` if the state cannot be written."""

    def __init__(self, order: Order, restarts: Restarts) -> None:
        self._order = order
        self._restarts = restarts
        self._journal = Journal(order.paths.journal)
        self.state = State.read(order.paths.state)

    def write(self) -> None:
        self.state.write(self._order.paths.state)

    def publish(self, action: str, **attributes: str) -> None:
        self._journal.publish("container", action, self._order.id, {**self._order.attributes, **attributes})

    def created(self, child: int) -> None:
        """Writes the pid of the first process, before that process is let go."""
        state = self.state
        if state.status != "restarting":
            state = State(restart_count=self._restarts.count, finished_at=state.finished_at)
        state.pid, state.pid_started = child, processes.start_time(child)
        state.monitor, state.boot = os.getpid(), self._order.boot
        self.state = state
        self.write()
        fault.point("monitor.created written")

    def begun(self) -> None:
        """The program runs."""
        self.state.status, self.state.started_at, self.state.exit_code = "running", now(), 0
        self.write()
        fault.point("monitor.running written")
        self.publish("start")
        fault.point("monitor.start told")

    def change_status(self, status: str) -> None:
        self.state.status = status
        self.write()

    def killed_for_memory(self) -> None:
        self.state.oom_killed = True
        self.write()
        self.publish("oom")

    def ended(self, code: int, ran: float) -> None:
        """``code`` as ``os.waitstatus_to_exitcode`` gives it, ``ran`` in seconds. Decides whether the container is started again."""
        state = self.state
        state.exit_code = 128 - code if code < 0 else code
        state.status = "restarting" if self._restarts.decide(state.exit_code, ran) else "exited"
        state.finished_at, state.restart_count = now(), self._restarts.count
        state.pid = 0
        self.write()
        fault.point("monitor.end written")
        self.publish("die", exitCode=str(state.exit_code), execDuration=str(int(ran)))

    def put_away(self) -> None:
        """Publishes the events of the run's end (network disconnects, volume unmounts), after everything of the run is removed."""
        for event in self._order.exit_events:
            self._journal.publish(event.type, event.action, event.id, event.attributes)
