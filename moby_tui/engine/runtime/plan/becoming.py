"""The last steps, by which a process that is where it is to be becomes the program that was asked for."""

from __future__ import annotations

import os

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.protocol.configuration import Process
from moby_tui.engine.runtime.plan.filesystem.surroundings import Surroundings
from moby_tui.engine.runtime.plan.process import identity, scheduling
from moby_tui.engine.runtime.plan.program import Program


def attach_streams(program: Program, around: Surroundings) -> None:
    if around.terminal >= 0:
        identity.take_terminal(program, around.terminal)
    elif around.streams[0] >= 0:
        # without any, they are already what they are to be
        identity.set_streams(program, around.streams)


def finish(program: Program, process: Process, around: Surroundings) -> None:
    """The last steps, in the one order in which none undoes another: limits, directory, privileges, filter, program."""
    lower(program, process, around)
    become_program(program, process, around)


def lower(program: Program, process: Process, around: Surroundings) -> None:
    """Gives up what the host has lent: limits, place, descriptors, privileges."""
    scheduling.set_priorities(program, process)
    identity.set_limits(program, process.rlimits)
    identity.check_working_directory(program, process.cwd or "/")
    if around.before_program is None and around.listener < 0:
        # before the filter, which may be older than close_range
        identity.close_descriptors(program, 3 + around.preserved)
    if process.no_new_privileges:
        identity.forbid_new_privileges(program)
    elif around.seccomp:
        # without no_new_privs only CAP_SYS_ADMIN may load a filter, and we are about to give it up
        identity.load_seccomp(program, around.seccomp, around.listener)
    identity.become_user(program, process.user, process.capabilities, may_set_groups=around.may_set_groups)


def become_program(program: Program, process: Process, around: Surroundings) -> None:
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
