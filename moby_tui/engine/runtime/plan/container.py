"""The whole of a container's start as one program: from the clone to execve."""

from __future__ import annotations

import errno

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.protocol.configuration import Configuration, Linux
from moby_tui.engine.runtime.plan import becoming
from moby_tui.engine.runtime.plan.becoming import ProcessInputs
from moby_tui.engine.runtime.plan.filesystem import cgroups, mounting
from moby_tui.engine.runtime.plan.filesystem.ahead import make_ahead
from moby_tui.engine.runtime.plan.filesystem.devices import Devices
from moby_tui.engine.runtime.plan.filesystem.mounting import MountInputs
from moby_tui.engine.runtime.plan.filesystem.root import FileSystemPlan
from moby_tui.engine.runtime.plan.gate import Gate, wait_for
from moby_tui.engine.runtime.plan.process import identity, joining, scheduling
from moby_tui.engine.runtime.plan.program import Program, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

_KEYRING = "_moby"


class ContainerInputs:
    """What the plan of a container's first process needs beside the configuration. The process that makes it has opened all of it before.

    ``joined`` has the descriptors of the namespaces that it joins, by kind. By the files ``entrances`` it enters its control groups. At the
    gate ``before_root`` it waits for the hooks that run before the change of root, which is made with chroot(2) if ``no_pivot`` is true
    (a ramdisk refuses pivot_root(2)).
    """

    __slots__ = ("before_root", "entrances", "joined", "mounts", "no_pivot", "process")

    def __init__(
        self,
        process: ProcessInputs,
        mounts: MountInputs,
        *,
        joined: dict[str, int],
        entrances: list[int] | None = None,
        before_root: Gate | None = None,
        no_pivot: bool = False,
    ) -> None:
        self.process: Final = process
        self.mounts: Final = mounts
        self.joined: Final = joined
        self.entrances: Final = entrances or []
        self.before_root: Final = before_root
        self.no_pivot: Final = no_pivot


def compile_container(spec: Configuration, inputs: ContainerInputs) -> Program:
    """Lays out the start of a container. Raises ``ValueError`` for what cannot be."""
    linux, process, root = spec.linux, spec.process, spec.root
    program = Program()
    stage, terminal = inputs.mounts.stage, inputs.process.streams.terminal
    files = FileSystemPlan(program, inputs.mounts.root)
    devices = Devices(files)
    premade: dict[str, Slot] = {}
    if stage is None:
        premade = _settle_in(program, files, devices, spec, inputs)
        host_cgroups = _enter_cgroup_namespace(program, spec, inputs.mounts.cgroups)
        files.make_private(mounts.MS_PRIVATE)
    else:
        wait_for(program, inputs.process.go)
        _join_network(program, spec, inputs.joined)
        host_cgroups = None if joining.has(spec, "cgroup") else stage.host_cgroups
    files.attach_root(inputs.mounts.root_point)
    staged = stage.serves(spec) if stage is not None else set()
    mounting.mount_all(files, devices, spec, inputs.mounts, staged, premade)
    if terminal >= 0:
        files.attach_console(terminal)
    mounting.hide(files, devices, linux, inputs.mounts, staged, premade)
    if host_cgroups is not None:
        cgroups.leave(program, host_cgroups)
    if process.cwd not in ("", "/"):
        files.program.add("close", calls.close, files.target(process.cwd))
    if inputs.before_root is not None:
        inputs.before_root.add_to(program)
    files.enter_root(read_only=root.readonly, no_pivot=inputs.no_pivot)
    identity.set_hostname(program, spec.hostname, spec.domainname)
    _set_personality(program, linux)
    may_set_groups = joining.may_set_groups(spec)
    if "pid" in inputs.joined:
        becoming.fork_lowered(program, process, inputs.process, may_set_groups=may_set_groups)
    else:
        becoming.attach_streams(program, inputs.process.streams)
        becoming.finish(program, process, inputs.process, may_set_groups=may_set_groups)
    return program


def settle_ahead(program: Program, entrances: Sequence[int | Slot], hierarchies: list[dict[str, object]]) -> Slot | None:
    """The same as ``_settle_in`` for a process that is made before its container is known.

    Returns the descriptor of the host's cgroup namespace, for a container that is to be in it; None if no process made ahead can be its.
    """
    program.add("die with the monitor", calls.prctl, processes.PR_SET_PDEATHSIG, 9, 0, 0, 0)
    _take_place(program, entrances)
    _begin_session(program, _KEYRING)
    if cgroups.is_legacy(hierarchies):
        return cgroups.unshare_for_mounts(program)
    cgroups.unshare_namespace(program)
    return None


def _settle_in(
    program: Program, files: FileSystemPlan, devices: Devices, spec: Configuration, inputs: ContainerInputs
) -> dict[str, Slot]:
    """Takes its control groups, its namespaces, its session and its keyring, and waits until its parent has written it down.

    (Where it joins a pid namespace, it is its child that is written down: see ``becoming.fork_lowered``.)
    Returns what had to be made before entering a user namespace: see ``make_ahead``.
    """
    premade: dict[str, Slot] = {}
    forks = joining.forks(spec)
    joins = "pid" in inputs.joined
    if not forks and not joins:
        wait_for(program, inputs.process.go)
    _take_place(program, inputs.entrances)
    if joins:
        # by the joined one's procfs no profile can be entered: this process is not in it
        identity.enter_profile(program, spec.process.apparmor_profile)
    if joining.has_user_namespace(spec):
        premade = make_ahead(files, devices, spec)
        identity.raise_limits(program, spec.process.rlimits)
    joining.enter(program, spec, inputs.joined)
    if forks:
        joining.fork(program)
        wait_for(program, inputs.process.go)
    _begin_session(program, _KEYRING if spec.keyring is None else spec.keyring)
    return premade


def _enter_cgroup_namespace(program: Program, spec: Configuration, hierarchies: list[dict[str, object]]) -> Slot | None:
    """Enters the container's cgroup namespace if it is a new one, or one for the mounts, which is left again: then its descriptor."""
    if joining.is_own(spec, "cgroup"):
        cgroups.unshare_namespace(program)
    elif cgroups.is_legacy(hierarchies) and not joining.has(spec, "cgroup") and not joining.has_user_namespace(spec):
        return cgroups.unshare_for_mounts(program)
    return None


def _take_place(program: Program, entrances: Sequence[int | Slot]) -> None:
    cgroups.enter(program, entrances)
    identity.protect(program)
    program.add("set umask", calls.umask, 0)


def _begin_session(program: Program, keyring: str) -> None:
    program.add("new session", calls.setsid, on={errno.EPERM: None})
    identity.join_keyring(program, keyring)


def _join_network(program: Program, spec: Configuration, joined: dict[str, int]) -> None:
    if "network" in joined and joining.has(spec, "network"):
        program.add("join network namespace", calls.setns, joined["network"], processes.CLONE_NEWNET)


def _set_personality(program: Program, linux: Linux) -> None:
    if linux.personality is not None:
        scheduling.set_personality(program, linux.personality)
