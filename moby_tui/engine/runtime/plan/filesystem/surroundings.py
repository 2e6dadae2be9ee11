"""What a container's plan needs to know beside its configuration."""

from __future__ import annotations

from moby_tui.engine.runtime.plan.filesystem.source import Bind
from moby_tui.engine.runtime.plan.filesystem.stage import Stage
from moby_tui.engine.runtime.plan.gate import Gate


class Surroundings:
    """What the monitor has opened for the container before it is cloned. All are descriptors, -1 if there is none."""

    def __init__(self) -> None:
        self.root = -1
        self.network = -1
        #: for each kind of namespace that is joined, its descriptor; the network's is here too
        self.joined: dict[str, int] = {}
        #: false in a user namespace that forbids it
        self.may_set_groups = True
        self.devpts = -1
        self.terminal = -1
        #: standard input, output and error if there is no terminal
        self.streams = (-1, -1, -1)
        #: a procfs of the pid namespace that is joined, detached, for each destination
        self.procfs: dict[str, int] = {}
        #: the child waits here until its parent has written it down
        self.go = -1
        #: what the child writes 0 to, to enter its cgroups
        self.entrances: list[int] = []
        #: folders on the host to attach the root and the masks to, inside the child's own mount namespace only
        self.root_point = ""
        self.mask_point = ""
        self.seccomp = b""
        #: the socket that the filter's listener is sent to
        self.listener = -1
        #: the bind mounts of the configuration, in its order
        self.binds: list[Bind] = []
        #: what was built ahead, where this runs on it
        self.stage: Stage | None = None
        #: what the cgroup file system needs: see ``mount_cgroups``
        self.cgroup_mounts: list[dict[str, object]] = []
        #: where the child waits for others to have done something: before it changes its root, and before it becomes the program
        self.before_root: Gate | None = None
        self.before_program: Gate | None = None
        #: whether the process is to be killed when the one that made it dies
        self.monitored = True
        #: how many descriptors from 3 on the program inherits
        self.preserved = 0
        #: whether the root is changed with chroot(2), where pivot_root(2) cannot be had (a ramdisk)
        self.no_pivot = False

    def needed_last(self) -> list[int]:
        """The descriptors that the process still uses after it has given everything else up."""
        gate = self.before_program
        needed = [fd for fd in (self.go, self.listener) if fd >= 0]
        return needed if gate is None else [*needed, *gate.child_ends()]
