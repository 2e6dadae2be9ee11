"""Mounts the procfs of a pid namespace that a container joins, before its first process is in it (light imports; few containers join one)."""

from __future__ import annotations

import os
import socket

from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.cgroup.group import Cgroup
from moby_tui.engine.protocol.configuration import Configuration, Mount
from moby_tui.engine.runtime.birth.awaiting import Awaited, check_moving
from moby_tui.engine.runtime.birth.failure import StartFailure
from moby_tui.engine.runtime.plan.filesystem.procfs import compile_opener
from moby_tui.engine.runtime.plan.mount_options import MountOptions

_ENDED = StartFailure("failed", "the container whose pid namespace is joined has ended: start that one first")


def mount_all(spec: Configuration, namespace: int, cgroup: Cgroup, entrances: list[int]) -> dict[str, int]:
    """The detached trees, by destination, of the configuration's mounts of the type proc. Raises ``StartFailure`` and ``OSError``."""
    return {mount.destination: _mount(mount, namespace, cgroup, entrances) for mount in spec.mounts if mount.type == "proc"}


def _mount(mount: Mount, namespace: int, cgroup: Cgroup, entrances: list[int]) -> int:
    options = MountOptions(mount.options)
    context = _open(namespace, cgroup, entrances)
    try:
        mounts.fsconfig_string(context, "source", mount.source or "proc")
        for key, value in options.data:
            if value is None:
                mounts.fsconfig_flag(context, key)
            else:
                mounts.fsconfig_string(context, key, value)
        mounts.fsconfig_create(context)
        tree = mounts.fsmount(context, attributes=options.attributes)
    finally:
        os.close(context)
    try:
        _check(tree, namespace)
    except BaseException:
        os.close(tree)
        raise
    return tree


def _check(tree: int, namespace: int) -> None:
    """What came may be of a process that was traced: it must be a procfs, and that of the pid namespace. Raises ``StartFailure``."""
    try:
        shown, joined = os.stat("1/ns/pid", dir_fd=tree), os.fstat(namespace)
    except OSError:
        raise _ENDED from None
    if (shown.st_dev, shown.st_ino) != (joined.st_dev, joined.st_ino):
        raise StartFailure("failed", "the proc file system is not that of the pid namespace: start again")


def _open(namespace: int, cgroup: Cgroup, entrances: list[int]) -> int:
    """The file system as it is before it is configured (fsopen(2)). Raises ``StartFailure`` and ``OSError``."""
    take, give = socket.socketpair()
    report, child_report = os.pipe2(os.O_CLOEXEC)
    try:
        program = compile_opener(namespace, give.fileno(), entrances)
        maker = processes.Clone(cgroup=cgroup.descriptor())()
        if maker == 0:
            program.run(child_report)
        give.close()
        os.close(child_report)
        if maker < 0:
            raise OSError(-maker, "clone3")
        awaited = Awaited(report, lambda: check_moving(cgroup.path, maker, *filter(None, [awaited.report.pid])))
        pid, failure = awaited.outcome(maker)
        if pid:
            os.waitpid(pid, 0)
        if failure is not None:
            raise StartFailure.of_report(failure, "proc")
        # it has ended, so all that comes is here
        _, descriptors, _, _ = socket.recv_fds(take, 1, 1, socket.MSG_DONTWAIT)
        if not descriptors:
            raise _ENDED
        return descriptors[0]
    finally:
        take.close()
        os.close(report)
