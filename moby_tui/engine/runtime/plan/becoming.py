"""The last steps, by which a process that is where it is to be becomes the program that was asked for."""

from __future__ import annotations

import os

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.protocol.configuration import Process, Rlimit
from moby_tui.engine.protocol.filter import MAKES_PROCESSES, SETS_LIMITS, admits
from moby_tui.engine.runtime.plan.gate import Gate, wait_for
from moby_tui.engine.runtime.plan.process import identity, joining, scheduling
from moby_tui.engine.runtime.plan.program import Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class Streams:
    """The descriptors of a process's terminal, or of its standard input, output and error; all -1 if it keeps those of its parent."""

    __slots__ = ("standard", "terminal")

    def __init__(self, terminal: int = -1, standard: tuple[int, int, int] = (-1, -1, -1)) -> None:
        self.terminal: Final = terminal
        self.standard: Final = standard


class ProcessInputs:
    """What the last steps of a process need beside its configuration. The process that makes it has opened all of it before the clone.

    ``seccomp`` is the compiled filter, empty for none; ``listener`` the socket that the filter's listener is sent to, or -1. The process
    waits at the pipe ``go``, unless that is -1, until its pid is written to the state, and at the gate ``before_program`` for the hooks that
    run before the program. ``monitored``: it is killed when the one that made it ends. It inherits ``preserved`` descriptors from 3 on.
    """

    __slots__ = ("before_program", "go", "listener", "monitored", "preserved", "seccomp", "streams")

    def __init__(
        self,
        streams: Streams,
        *,
        seccomp: bytes = b"",
        listener: int = -1,
        go: int = -1,
        before_program: Gate | None = None,
        monitored: bool = True,
        preserved: int = 0,
    ) -> None:
        self.streams: Final = streams
        self.seccomp: Final = seccomp
        self.listener: Final = listener
        self.go: Final = go
        self.before_program: Final = before_program
        self.monitored: Final = monitored
        self.preserved: Final = preserved

    def needed_last(self) -> list[int]:
        """The descriptors that the process still uses after it has given everything else up."""
        gate = self.before_program
        needed = [fd for fd in (self.go, self.listener) if fd >= 0]
        return needed if gate is None else [*needed, *gate.child_ends()]


def attach_streams(program: Program, streams: Streams) -> None:
    if streams.terminal >= 0:
        identity.take_terminal(program, streams.terminal)
    elif streams.standard[0] >= 0:
        # without any, they are already what they are to be
        identity.set_streams(program, streams.standard)


def finish(program: Program, process: Process, inputs: ProcessInputs, *, may_set_groups: bool) -> None:
    """Adds the last steps, in the one order in which none undoes another: limits, directory, privileges, filter, program.

    ``may_set_groups`` is false in a user namespace that forbids it.
    """
    _lower(program, process, inputs, process.rlimits, may_set_groups)
    _become_program(program, process, inputs)


def can_fork_lowered(process: Process, inputs: ProcessInputs) -> bool:
    """False if the process could not make another one after it has given everything up, because its filter is loaded by then."""
    if process.no_new_privileges or not inputs.seccomp:
        return True
    # whoever answers for the filter does not have its listener yet
    return inputs.listener < 0 and admits(inputs.seccomp, MAKES_PROCESSES)


def fork_lowered(program: Program, process: Process, inputs: ProcessInputs, *, may_set_groups: bool) -> None:
    """Gives everything up, and only then makes the process that stays, which is born in the pid namespace that was joined.

    No process of that namespace sees the one that joins; its child they do, and trace it if they hold CAP_SYS_PTRACE, dumpable or not
    (ptrace(2), "Ptrace access mode checking"). So the child holds nothing that the program will not hold, but for pipes to its maker
    (CVE-2016-9962). Raises ``ValueError`` if the filter does not let it be made.
    """
    if not can_fork_lowered(process, inputs):
        raise ValueError(
            "the seccomp profile refuses clone, setsid, ioctl, read or write, or asks about calls, so that no process can enter a pid "
            "namespace in which it may be traced: allow these calls, or set no-new-privileges"
        )
    terminal = inputs.streams.terminal
    if terminal >= 0:
        identity.set_streams(program, (terminal, terminal, terminal))
    else:
        attach_streams(program, inputs.streams)
    late = [limit for limit in process.rlimits if _counts_the_maker(limit) and _may_be_set_late(process, inputs, limit)]
    _lower(program, process, inputs, [limit for limit in process.rlimits if limit not in late], may_set_groups)
    joining.fork(program)
    program.add("new session", calls.setsid)
    if terminal >= 0:
        identity.control_terminal(program, 0)
    if inputs.go >= 0:
        wait_for(program, inputs.go)
    identity.set_limits(program, late)
    _become_program(program, process, inputs)


def _counts_the_maker(limit: Rlimit) -> bool:
    """Whether it is on the processes of the user: the process that makes the one that stays would count beside it."""
    return limit.type == "RLIMIT_NPROC"


def _may_be_set_late(process: Process, inputs: ProcessInputs, limit: Rlimit) -> bool:
    filtered = bool(inputs.seccomp) and not process.no_new_privileges
    return identity.is_unprivileged(limit) and (not filtered or admits(inputs.seccomp, SETS_LIMITS))


def _lower(program: Program, process: Process, inputs: ProcessInputs, limits: list[Rlimit], may_set_groups: bool) -> None:
    """Gives up what the host has lent: limits, place, descriptors, privileges."""
    scheduling.set_priorities(program, process)
    identity.set_limits(program, limits)
    identity.check_working_directory(program, process.cwd or "/")
    # before the filter, which may be older than close_range
    identity.close_descriptors(program, 3 + inputs.preserved, inputs.needed_last())
    if process.no_new_privileges:
        identity.forbid_new_privileges(program)
    elif inputs.seccomp:
        # without no_new_privs only CAP_SYS_ADMIN may load a filter, and we are about to give it up
        identity.load_seccomp(program, inputs.seccomp, inputs.listener)
    identity.become_user(program, process.user, process.capabilities, may_set_groups=may_set_groups)


def _become_program(program: Program, process: Process, inputs: ProcessInputs) -> None:
    if inputs.monitored:
        program.add("die with the monitor", calls.prctl, processes.PR_SET_PDEATHSIG, 9, 0, 0, 0)
    identity.reset_signals(program)
    environment, arguments = process.env, process.args
    if not arguments:
        raise ValueError("process.args must not be empty")
    search_path = _search_path(environment)
    filtered = process.no_new_privileges and bool(inputs.seccomp)
    if filtered and inputs.listener >= 0:
        # who is to have the listener is there only until the gate
        identity.load_seccomp(program, inputs.seccomp, inputs.listener)
    if inputs.before_program is not None:
        # whoever waits to let it go learns here, not there, that there is no such program
        identity.check_executable(program, arguments[0], search_path)
        inputs.before_program.add_to(program)
    if inputs.before_program is not None or inputs.listener >= 0:
        identity.close_descriptors(program, 3 + inputs.preserved)
    if filtered and inputs.listener < 0:
        identity.load_seccomp(program, inputs.seccomp)
    identity.execute(program, arguments, environment, search_path, process.executable)


def _search_path(environment: list[str]) -> str:
    for entry in reversed(environment):
        if entry.startswith("PATH="):
            return entry[5:]
    return os.defpath
