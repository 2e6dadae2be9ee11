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
from moby_tui.engine.runtime.plan.configuration import Spec, namespaces
from moby_tui.engine.runtime.plan.process import identity
from moby_tui.engine.runtime.plan.program import Program

#: The mounts are never another's, and a pid namespace is joined by the monitor: see ``Birth``.
_JOINED = ("ipc", "network", "uts", "cgroup", "time")


def clone_flags(spec: Spec) -> int:
    """The clone3 flags of the namespaces that are made new; none where they must first be in a user namespace."""
    return 0 if has_user_namespace(spec) else _new(spec)


def has_user_namespace(spec: Spec) -> bool:
    return any(namespace["type"] == "user" for namespace in namespaces(spec))


def forks(spec: Spec) -> bool:
    """Whether the process that is cloned makes the one that matters, and leaves."""
    return has_user_namespace(spec) and bool(_new(spec) & processes.CLONE_NEWPID)


def is_own(spec: Spec, kind: str) -> bool:
    """Whether a namespace of this kind is made for the container alone."""
    return any(namespace["type"] == kind and "path" not in namespace for namespace in namespaces(spec))


def has_time_namespace(spec: Spec) -> bool:
    """Whether it gets one of its own, which is made by the monitor: only children enter it."""
    return is_own(spec, "time")


def time_offsets(spec: Spec) -> str:
    """``linux.timeOffsets`` as /proc/PID/timens_offsets takes it."""
    linux = spec["linux"]
    assert isinstance(linux, dict)
    offsets = linux.get("timeOffsets") or {}
    return "".join(f"{clock} {value.get('secs', 0)} {value.get('nanosecs', 0)}\n" for clock, value in offsets.items())


def mount_points(spec: Spec, folder: str) -> tuple[str, str]:
    """Directories of the host to attach the root and the masks to, seen in the container's own mount namespace only.

    In a user namespace ours are closed even to its root; two that are there for everybody will do.
    """
    return ("/proc", "/sys") if has_user_namespace(spec) else (f"{folder}/rootfs", f"{folder}/mask")


def id_maps(spec: Spec) -> tuple[ids.IdMap, ids.IdMap]:
    """The maps of the user namespace, for users and groups; empty ones in the host's."""
    linux = spec.get("linux") or {}
    assert isinstance(linux, dict)
    return linux.get("uidMappings") or [], linux.get("gidMappings") or []


def _new(spec: Spec) -> int:
    """Without the cgroup namespace, which is unshared later, from inside the cgroup, and that of time: see ``Birth``."""
    flags = 0
    for namespace in namespaces(spec):
        if "path" not in namespace and namespace["type"] not in ("cgroup", "time"):
            flags |= KINDS[str(namespace["type"])][0]
    return flags


def enter(program: Program, spec: Spec, joined: dict[str, int]) -> None:
    """Everything but the fork. ``joined`` has a descriptor for each namespace of the specification that has a path.

    What is another's is joined while we are still root of the host: the user namespace need not own it.
    """
    for kind in _JOINED:
        if kind in joined:
            program.add(f"join {kind} namespace", calls.setns, joined[kind], KINDS[kind][0])
    if has_user_namespace(spec):
        _enter_user_namespace(program, joined["user"], spec)
        program.add("new namespaces", calls.unshare, _new(spec))


def enter_for_exec(program: Program, container: Spec, process: Spec, init: int) -> None:
    """Joins all namespaces of a running container's first process, the pidfd ``init``; the user namespace last."""
    flags = 0
    for namespace in namespaces(container):
        flags |= KINDS[str(namespace["type"])][0]
    program.add("join namespaces", calls.setns, init, flags & ~processes.CLONE_NEWUSER)
    if has_user_namespace(container):
        limits = process.get("rlimits") or []
        assert isinstance(limits, list)
        identity.raise_limits(program, limits)
        _enter_user_namespace(program, init, container)


def may_set_groups(spec: Spec) -> bool:
    """False where the user namespace was made so that nobody in it may: see ``user_namespace.may_not_set_groups``."""
    return ids.count(id_maps(spec)[1]) != 1


def _enter_user_namespace(program: Program, namespace: int, spec: Spec) -> None:
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
