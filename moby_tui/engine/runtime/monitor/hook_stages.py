"""Runs the hooks of an engine's container at each stage of its life, in its monitor (light imports; few containers have any).

Specification: opencontainers/runtime-spec 1.2, runtime.md "Lifecycle" and config.md "POSIX-platform Hooks".
"""

from __future__ import annotations

import json
import os

from moby_tui.engine.protocol.configuration import Configuration, Hook
from moby_tui.engine.protocol.control import Execute
from moby_tui.engine.runtime.birth import hooks
from moby_tui.engine.runtime.birth.awaiting import Awaited
from moby_tui.engine.runtime.birth.failure import StartFailure, write_down
from moby_tui.engine.runtime.birth.hooks import HookFailure
from moby_tui.engine.runtime.monitor.execution import Execution
from moby_tui.engine.runtime.plan.gate import Gate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.runtime.monitor.run import Run

_BEFORE_ROOT = ("prestart", "createRuntime", "createContainer")
_INSIDE = "startContainer"


class HookStages:
    """One container's hooks. It is made before the clone, since the first process has to wait at its gates."""

    def __init__(self, run: Run, spec: Configuration) -> None:
        self._run = run
        self._spec = spec
        #: None if no hook runs there; the first is None again as soon as its hooks have run
        self.before_root = Gate() if any(spec.hooks.of(stage) for stage in _BEFORE_ROOT) else None
        self.before_program = Gate() if spec.hooks.of(_INSIDE) else None

    def child_is_made(self) -> None:
        for gate in (self.before_root, self.before_program):
            if gate is not None:
                gate.child_is_made()

    def until_program(self, awaited: Awaited) -> None:
        """Runs the hooks that come before the program. If the first process fails meanwhile, its report says why. Raises ``StartFailure``."""
        self.until_root(awaited)
        try:
            self._run_inside(awaited)
        except HookFailure as failure:
            raise StartFailure("failed", str(failure)) from failure

    def until_root(self, awaited: Awaited) -> None:
        """Runs those before the change of root, unless they were already. Raises ``StartFailure``.

        If the first process joins a pid namespace, they are told of the process that will make it, which has all its other namespaces.
        """
        try:
            self._run_before_root(awaited)
        except HookFailure as failure:
            raise StartFailure("failed", str(failure)) from failure

    def _run_before_root(self, awaited: Awaited) -> None:
        """The hooks before the change of root: the container's mounts are there, and the host's tree is still in reach."""
        gate, self.before_root = self.before_root, None
        if gate is None:
            return
        if awaited.at(gate):
            state = self._state("creating")
            for stage in _BEFORE_ROOT[:2]:
                hooks.run(self._spec.hooks.of(stage), stage, state)
            inside = os.pidfd_open(self._run.child)
            hooks.run(self._spec.hooks.of(_BEFORE_ROOT[2]), _BEFORE_ROOT[2], state, inside=inside)
            os.close(inside)
            gate.let_go()
        gate.close()

    def _run_inside(self, awaited: Awaited) -> None:
        """The hooks inside the container (startContainer): they run like an exec, with no more rights."""
        gate = self.before_program
        if gate is None:
            return
        if awaited.at(gate):
            for number, hook in enumerate(self._spec.hooks.of(_INSIDE)):
                _Inside(self._run, self._spec, hook, number).run(json.dumps(self._state("created")).encode())
            gate.let_go()
        gate.close()

    def after_start(self) -> None:
        """Runs poststart hooks. A failure is written to the container's folder, and the container runs on, as the specification says."""
        self._run_kindly("poststart", "running")

    def after_end(self) -> None:
        self._run_kindly("poststop", "stopped")

    def _run_kindly(self, stage: str, status: str) -> None:
        for hook in self._spec.hooks.of(stage):
            try:
                hooks.run([hook], stage, self._state(status))
            except HookFailure as failure:
                write_down(self._run.order.paths.data, failure)

    def _state(self, status: str) -> dict[str, object]:
        run = self._run
        state: dict[str, object] = {"ociVersion": self._spec.oci_version, "id": run.order.id, "status": status}
        state["pid"] = 0 if status == "stopped" else run.child
        state["bundle"] = os.path.dirname(run.order.paths.bundle)
        if self._spec.annotations:
            state["annotations"] = self._spec.annotations
        return state


class _Inside:
    """One startContainer hook."""

    def __init__(self, run: Run, spec: Configuration, hook: Hook, number: int) -> None:
        self._run = run
        self._hook = hook
        self._code = -1
        self._over = False
        # executes ``path``, whatever the first argument is
        own = spec.process.replaced(args=hook.args or [hook.path], env=hook.env, executable=hook.path, terminal=False)
        request = Execute(id=f"hook-{number}", process=own, stdin=True)
        self._execution = Execution(run.loop, request, "", run.devpts, spec, self._ended)

    def run(self, state: bytes) -> None:
        """Raises ``HookFailure``."""
        run, execution, timeout = self._run, self._execution, self._hook.timeout
        what = f"{_INSIDE} hook {self._hook.path}"
        assert run.cgroup is not None
        try:
            execution.start(run.pidfd, run.cgroup, run.seccomp)
        except StartFailure as failure:
            raise HookFailure(f"{what}: {failure.message}") from failure
        execution.serve(None)
        execution.stdio.feed(state)
        execution.stdio.peer_ended_input()
        if not run.loop.run_until(lambda: self._over, None if timeout is None else float(timeout)):
            execution.kill()
            run.loop.run_until(lambda: self._over)
            raise HookFailure(f"{what}: no end after {timeout} s; it was killed")
        if self._code:
            raise HookFailure(f"{what}: exit status {self._code}")

    def _ended(self, execution: Execution, code: int) -> None:
        self._code, self._over = code, True
