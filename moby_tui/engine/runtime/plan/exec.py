"""The whole of an exec's start as one program: one more process in a container that runs."""

from __future__ import annotations

from moby_tui.engine.kernel import calls
from moby_tui.engine.protocol.configuration import Configuration, Process
from moby_tui.engine.runtime.plan import becoming
from moby_tui.engine.runtime.plan.becoming import ProcessInputs
from moby_tui.engine.runtime.plan.filesystem import cgroups
from moby_tui.engine.runtime.plan.process import identity, joining, scheduling
from moby_tui.engine.runtime.plan.program import Program


def compile_exec(process: Process, container: Configuration, init: int, entrances: list[int], inputs: ProcessInputs) -> Program:
    """Lays out one more process in a running ``container``, whose first process is the pidfd ``init``; its pid is reported.

    By the files ``entrances`` it enters its control groups. The process that runs the plan ends as soon as it has made this one: a
    process cannot enter a pid namespace, only its children can.
    """
    program = Program()
    may_set_groups = joining.may_set_groups(container)
    affinity = process.affinity
    if affinity is not None and affinity.initial:
        scheduling.set_affinity(program, affinity.initial)
    cgroups.enter(program, entrances)
    if affinity is not None and affinity.final:
        # the group's own processors are set by entering it, so this comes after
        scheduling.set_affinity(program, affinity.final)
    scheduling.set_oom_score(program, container.process.oom_score_adj)
    identity.protect(program)
    identity.enter_profile(program, process.apparmor_profile)
    joining.enter_for_exec(program, container, process, init)
    if becoming.can_fork_lowered(process, inputs) or _may_be_traced(container, process):
        becoming.fork_lowered(program, process, inputs, may_set_groups=may_set_groups)
    else:
        # not dumpable until it has become the program, which keeps all but CAP_SYS_PTRACE out
        joining.fork(program)
        program.add("new session", calls.setsid)
        becoming.attach_streams(program, inputs.streams)
        becoming.finish(program, process, inputs, may_set_groups=may_set_groups)
    return program


def _may_be_traced(container: Configuration, process: Process) -> bool:
    """Whether its pid namespace may hold a process with CAP_SYS_PTRACE: of the container, or of the one whose namespace it joined."""
    joined = any(namespace.type == "pid" and namespace.path for namespace in container.linux.namespaces)
    return joined or "CAP_SYS_PTRACE" in process.capabilities.bounding
