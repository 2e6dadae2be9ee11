"""The steps into namespaces: those that are made, and those of others that are joined by descriptor.

In a user namespace of its own a container needs three things in this order: the user namespace, then its root's identity,
and only then the other namespaces, which belong to the user namespace and the identity that they are made with (an mqueue made
earlier would be nobody's). A pid namespace is entered by a child only, so there is one process more on the way.
"""

from __future__ import annotations

import ctypes

from moby_tui.engine.kernel import calls, ids
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.namespaces import KINDS
from moby_tui.engine.protocol.configuration import Configuration, Process
from moby_tui.engine.runtime.plan.process import identity
from moby_tui.engine.runtime.plan.program import Program

#: The mounts are never another's. Into a pid namespace only children come.
_JOINED = ("pid", "ipc", "network", "uts", "cgroup", "time")


def clone_flags(spec: Configuration) -> int:
    """The clone3 flags of the namespaces that are made new; none where they must first be in a user namespace."""
    return 0 if has_user_namespace(spec) else _new(spec)


def has(spec: Configuration, kind: str) -> bool:
    """Whether it is in a namespace of this kind that is not the host's."""
    return any(namespace.type == kind for namespace in spec.linux.namespaces)


def has_user_namespace(spec: Configuration) -> bool:
    return has(spec, "user")


def forks(spec: Configuration) -> bool:
    """Whether the process that is cloned makes the one that matters, and leaves."""
    return has_user_namespace(spec) and bool(_new(spec) & processes.CLONE_NEWPID)


def is_own(spec: Configuration, kind: str) -> bool:
    """Whether a namespace of this kind is made for the container alone."""
    return any(namespace.type == kind and not namespace.path for namespace in spec.linux.namespaces)


def has_time_namespace(spec: Configuration) -> bool:
    """Whether it gets one of its own, which is made by the monitor: only children enter it."""
    return is_own(spec, "time")


def time_offsets(spec: Configuration) -> str:
    """The lines for /proc/PID/timens_offsets of the configuration's ``linux.timeOffsets`` (time_namespaces(7))."""
    offsets = spec.linux.time_offsets
    return "".join(f"{clock} {offset.seconds} {offset.nanoseconds}\n" for clock, offset in offsets.items())


def mount_points(spec: Configuration, folder: str) -> tuple[str, str]:
    """Directories of the host to attach the root and the masks to, seen in the container's own mount namespace only.

    In a user namespace ours are closed even to its root; two that are there for everybody will do.
    """
    return ("/proc", "/sys") if has_user_namespace(spec) else (f"{folder}/rootfs", f"{folder}/mask")


def id_maps(spec: Configuration) -> tuple[ids.IdMap, ids.IdMap]:
    """The maps of the user namespace, for users and groups; empty ones in the host's."""
    return spec.linux.uid_mappings, spec.linux.gid_mappings


def _new(spec: Configuration) -> int:
    """Without the cgroup namespace, which is unshared later, from inside the cgroup, and that of time: see ``Birth``."""
    flags = 0
    for namespace in spec.linux.namespaces:
        if not namespace.path and namespace.type not in ("cgroup", "time"):
            flags |= KINDS[namespace.type][0]
    return flags


def enter(program: Program, spec: Configuration, joined: dict[str, int]) -> None:
    """Everything but the fork. ``joined`` has a descriptor for each namespace of the specification that has a path.

    What is another's is joined while we are still root of the host: the user namespace need not own it.
    """
    for kind in _JOINED:
        if kind in joined:
            program.add(f"join {kind} namespace", calls.setns, joined[kind], KINDS[kind][0])
    if has_user_namespace(spec):
        _enter_user_namespace(program, joined["user"], spec)
        program.add("new namespaces", calls.unshare, _new(spec))


def enter_for_exec(program: Program, container: Configuration, process: Process, init: int) -> None:
    """Joins all namespaces of a running container's first process, the pidfd ``init``; the user namespace last."""
    flags = 0
    for namespace in container.linux.namespaces:
        flags |= KINDS[namespace.type][0]
    program.add("join namespaces", calls.setns, init, flags & ~processes.CLONE_NEWUSER)
    if has_user_namespace(container):
        identity.raise_limits(program, process.rlimits)
        _enter_user_namespace(program, init, container)


def may_set_groups(spec: Configuration) -> bool:
    """False if the user namespace was made so that nobody in it may: see ``kernel.user_namespace.may_not_set_groups``."""
    return ids.count(id_maps(spec)[1]) != 1


def _enter_user_namespace(program: Program, namespace: int, spec: Configuration) -> None:
    """Joins it and becomes its root. What groups we had are dropped while that is still ours to do (CVE-2014-8989)."""
    uids, gids = id_maps(spec)
    uid, gid = ids.first(uids), ids.first(gids)
    program.add("leave groups", calls.setgroups, 0, None)
    program.add("join user namespace", calls.setns, namespace, processes.CLONE_NEWUSER)
    program.add("become root of the user namespace", calls.setresgid, gid, gid, gid)
    program.add("become root of the user namespace", calls.setresuid, uid, uid, uid)
    # the kernel makes who changes its user dumpable as fs.suid_dumpable has it
    identity.protect(program)


def fork(program: Program) -> None:
    """Makes the process that stays; the one that runs this reports its pid (``protocol.report.Made``) and leaves.

    The new one's parent is the monitor.
    """
    clone = processes.clone_sibling
    pid = ctypes.c_int(0)
    address = ctypes.addressof(pid)

    def make() -> int:
        result = clone()
        if result > 0:
            pid.value = result
            calls.write(program.report, address, 4)
            calls.exit_group(0)
        if result < 0:
            ctypes.set_errno(-result)
            return -1
        return 0

    program.add("create process", make)
