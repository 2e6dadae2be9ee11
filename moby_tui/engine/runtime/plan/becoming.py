"""The last steps, by which a process that is where it is to be becomes the program that was asked for."""

from __future__ import annotations

import os

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.protocol.configuration import Process, Rlimit
from moby_tui.engine.protocol.filter import MAKES_PROCESSES, SETS_LIMITS, admits
from moby_tui.engine.runtime.plan.filesystem.surroundings import Surroundings
from moby_tui.engine.runtime.plan.gate import wait_for
from moby_tui.engine.runtime.plan.process import identity, joining, scheduling
from moby_tui.engine.runtime.plan.program import Program


def attach_streams(program: Program, around: Surroundings) -> None:
    if around.terminal >= 0:
        identity.take_terminal(program, around.terminal)
    elif around.streams[0] >= 0:
        # without any, they are already what they are to be
        identity.set_streams(program, around.streams)


def finish(program: Program, process: Process, around: Surroundings) -> None:
    """Adds the last steps, in the one order in which none undoes another: limits, directory, privileges, filter, program."""
    _lower(program, process, around, process.rlimits)
    _become_program(program, process, around)


def can_fork_lowered(process: Process, around: Surroundings) -> bool:
    """False if the process could not make another one after it has given everything up, because its filter is loaded by then."""
    if process.no_new_privileges or not around.seccomp:
        return True
    # whoever answers for the filter does not have its listener yet
    return around.listener < 0 and admits(around.seccomp, MAKES_PROCESSES)


def fork_lowered(program: Program, process: Process, around: Surroundings) -> None:
    """Gives everything up, and only then makes the process that stays, which is born in the pid namespace that was joined.

    No process of that namespace sees the one that joins; its child they do, and trace it if they hold CAP_SYS_PTRACE, dumpable or not
    (ptrace(2), "Ptrace access mode checking"). So the child holds nothing that the program will not hold, but for pipes to its maker
    (CVE-2016-9962). Raises ``ValueError`` if the filter does not let it be made.
    """
    if not can_fork_lowered(process, around):
        raise ValueError(
            "the seccomp profile refuses clone, setsid, ioctl, read or write, or asks about calls, so that no process can enter a pid "
            "namespace in which it may be traced: allow these calls, or set no-new-privileges"
        )
    if around.terminal >= 0:
        identity.set_streams(program, (around.terminal, around.terminal, around.terminal))
    else:
        attach_streams(program, around)
    late = [limit for limit in process.rlimits if _counts_the_maker(limit) and _may_be_set_late(process, around, limit)]
    _lower(program, process, around, [limit for limit in process.rlimits if limit not in late])
    joining.fork(program)
    program.add("new session", calls.setsid)
    if around.terminal >= 0:
        identity.control_terminal(program, 0)
    if around.go >= 0:
        wait_for(program, around.go)
    identity.set_limits(program, late)
    _become_program(program, process, around)


def _counts_the_maker(limit: Rlimit) -> bool:
    """Whether it is on the processes of the user: the process that makes the one that stays would count beside it."""
    return limit.type == "RLIMIT_NPROC"


def _may_be_set_late(process: Process, around: Surroundings, limit: Rlimit) -> bool:
    filtered = bool(around.seccomp) and not process.no_new_privileges
    return identity.is_unprivileged(limit) and (not filtered or admits(around.seccomp, SETS_LIMITS))


def _lower(program: Program, process: Process, around: Surroundings, limits: list[Rlimit]) -> None:
    """Gives up what the host has lent: limits, place, descriptors, privileges."""
    scheduling.set_priorities(program, process)
    identity.set_limits(program, limits)
    identity.check_working_directory(program, process.cwd or "/")
    # before the filter, which may be older than close_range
    identity.close_descriptors(program, 3 + around.preserved, around.needed_last())
    if process.no_new_privileges:
        identity.forbid_new_privileges(program)
    elif around.seccomp:
        # without no_new_privs only CAP_SYS_ADMIN may load a filter, and we are about to give it up
        identity.load_seccomp(program, around.seccomp, around.listener)
    identity.become_user(program, process.user, process.capabilities, may_set_groups=around.may_set_groups)


def _become_program(program: Program, process: Process, around: Surroundings) -> None:
    if around.monitored:
        program.add("die with the monitor", calls.prctl, processes.PR_SET_PDEATHSIG, 9, 0, 0, 0)
    identity.reset_signals(program)
    environment, arguments = process.env, process.args
    if not arguments:
        raise ValueError("process.args must not be empty")
    search_path = _search_path(environment)
    filtered = process.no_new_privileges and bool(around.seccomp)
    if filtered and around.listener >= 0:
        # who is to have the listener is there only until the gate
        identity.load_seccomp(program, around.seccomp, around.listener)
    if around.before_program is not None:
        # whoever waits to let it go learns here, not there, that there is no such program
        identity.check_executable(program, arguments[0], search_path)
        around.before_program.add_to(program)
    if around.before_program is not None or around.listener >= 0:
        identity.close_descriptors(program, 3 + around.preserved)
    if filtered and around.listener < 0:
        identity.load_seccomp(program, around.seccomp)
    identity.execute(program, arguments, environment, search_path, process.executable)


def _search_path(environment: list[str]) -> str:
    for entry in reversed(environment):
        if entry.startswith("PATH="):
            return entry[5:]
    return os.defpath
