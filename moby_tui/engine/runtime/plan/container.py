"""The whole of a container's start as one program: from the clone to execve."""

from __future__ import annotations

import ctypes
import errno
import os
import stat

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.runtime.plan import filesystem, guard, identity, joining, scheduling
from moby_tui.engine.runtime.plan.defaults import STAGED
from moby_tui.engine.runtime.plan.filesystem import FileSystemPlan, MountOptions, mount_cgroups, open_bind_source
from moby_tui.engine.runtime.plan.gate import Gate
from moby_tui.engine.runtime.plan.program import Program, Slot
from moby_tui.engine.runtime.plan.stage import HIDDEN, MASKS, PROTECTED, ROOT_POINT, Stage

_KEYRING = "_moby"
Spec = dict[str, object]


class Bind:
    """A bind mount's source as a detached tree, and whether its destination may lie in /proc (see ``guard``)."""

    __slots__ = ("directory", "over_proc", "tree")

    def __init__(self, tree: int, directory: bool, over_proc: bool) -> None:
        self.tree = tree
        self.directory = directory
        self.over_proc = over_proc


class Surroundings:
    """What the monitor has opened for the container before it is cloned. All are descriptors, -1 where there is none."""

    def __init__(self) -> None:
        self.root = -1
        self.network = -1
        #: for each kind of namespace that is joined, its descriptor; the network's is here too
        self.joined: dict[str, int] = {}
        #: where the process that is cloned tells the pid of the one it makes: see ``joining.forks``
        self.born = -1
        #: false in a user namespace that forbids it
        self.may_set_groups = True
        self.devpts = -1
        self.terminal = -1
        #: standard input, output and error where there is no terminal
        self.streams = (-1, -1, -1)
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


def open_own_sources(spec: Spec, trees: dict[str, int], user_namespace: int) -> None:
    """Puts what only this engine can mount into ``trees`` (see ``source``). Raises ``OSError``."""
    for mount in _list(spec, "mounts"):
        if ("subpath" in mount or "layers" in mount) and mount["destination"] not in trees:
            from moby_tui.engine.runtime.plan import source

            tree, _ = source.open_own(mount, _mount_options(mount), user_namespace, joining.id_maps(spec))
            trees[str(mount["destination"])] = tree


def open_binds(spec: Spec, trees: dict[str, int], user_namespace: int) -> list[Bind]:
    """The sources of the bind mounts, for ``Surroundings.binds``. What is in ``trees``, by destination, was opened by the engine.

    Opened by the monitor: a process that was made ahead sees the mounts of the host as they were then. Raises ``OSError`` on one that
    cannot be opened, ``ValueError`` on one that may not be mounted where it is asked for.
    """
    binds = []
    open_own_sources(spec, trees, user_namespace)
    for mount in _list(spec, "mounts"):
        if mount.get("type") == "bind":
            source = str(mount["source"])
            if mount["destination"] in trees:
                tree = trees.pop(mount["destination"])
                binds.append(Bind(tree, stat.S_ISDIR(os.fstat(tree).st_mode), over_proc=False))
                continue
            over_proc = guard.check_destination(str(mount["destination"]), source)
            tree, directory = open_bind_source(source, _mount_options(mount), user_namespace)
            binds.append(Bind(tree, directory, over_proc))
    return binds


def compile_container(spec: Spec, around: Surroundings) -> Program:
    """Lays out the start of a container. Raises ``ValueError`` for what cannot be."""
    linux = _section(spec, "linux")
    process = _section(spec, "process")
    root = _section(spec, "root")
    program = Program()
    files = FileSystemPlan(program, around.root)
    premade: dict[str, Slot] = {}
    if around.stage is None:
        premade = _settle_in(program, files, spec, around)
        files.make_private(mounts.MS_PRIVATE)
    else:
        _wait_for(program, around.go)
        _join_network(program, spec, around)
    files.attach_root(around.root_point if around.stage is None else ROOT_POINT)
    staged = around.stage.serves(spec) if around.stage is not None else set()
    _mount_all(program, files, spec, around, staged, premade)
    _hide(files, linux, around, staged, premade)
    if str(process["cwd"]) != "/":
        files.program.add("close", calls.close, files.target(str(process["cwd"])))
    if around.before_root is not None:
        around.before_root.add_to(program)
    files.enter_root(read_only=bool(root.get("readonly")), no_pivot=around.no_pivot)
    identity.set_hostname(program, str(spec.get("hostname", "")), str(spec.get("domainname", "")))
    _attach_streams(program, around)
    _set_personality(program, linux)
    around.may_set_groups = joining.may_set_groups(spec)
    _finish(program, process, around)
    return program


def compile_exec(
    process: Spec,
    *,
    init: int,
    container: Spec,
    entrances: list[int],
    terminal: int,
    streams: tuple[int, int, int],
    seccomp: bytes,
    report: int,
    monitored: bool = True,
    preserved: int = 0,
    listener: int = -1,
) -> Program:
    """Lays out one more process in a running ``container``, whose first process is the pidfd ``init``; its pid is written to ``report``.

    The process that runs this leaves as soon as it has made the one that matters: a pid namespace holds only children.
    """
    program = Program()
    around = Surroundings()
    around.terminal, around.streams, around.seccomp = terminal, streams, seccomp
    around.monitored, around.preserved, around.listener = monitored, preserved, listener
    around.may_set_groups = joining.may_set_groups(container)
    affinity = _section(process, "execCPUAffinity")
    if affinity.get("initial"):
        scheduling.set_affinity(program, str(affinity["initial"]))
    _enter_cgroups(program, entrances)
    if affinity.get("final"):
        # the group's own processors are set by entering it, so this comes after
        scheduling.set_affinity(program, str(affinity["final"]))
    identity.protect(program)
    _enter_profile(program, str(process.get("apparmorProfile") or ""))
    joining.enter_for_exec(program, container, process, init)
    if "CAP_SYS_PTRACE" in _list(_section(process, "capabilities"), "bounding"):
        _enter_lowered(program, process, around, report)
    else:
        joining.fork(program, report)
        program.add("new session", calls.setsid)
        _attach_streams(program, around)
        _finish(program, process, around)
    return program


def _enter_lowered(program: Program, process: Spec, around: Surroundings, report: int) -> None:
    """Where the container's processes may trace any other, the one that appears among them has nothing that they do not have.

    No process inside sees the one that joins; its child it does. (Otherwise the child is not dumpable until it has become the program,
    which keeps all but CAP_SYS_PTRACE out.)
    """
    terminal = around.terminal
    identity.set_streams(program, (terminal, terminal, terminal) if terminal >= 0 else around.streams)
    _lower(program, process, around)
    joining.fork(program, report)
    program.add("new session", calls.setsid)
    if terminal >= 0:
        identity.control_terminal(program, 0)
    _become_program(program, process, around)


def _enter_profile(program: Program, profile: str) -> None:
    """Before the container's files are in reach, through the host's own /proc: what is set for execve is handed on to the child."""
    if profile:
        proc = program.open_slot()
        program.add("open /proc", calls.openat, mounts.AT_FDCWD, b"/proc", os.O_PATH | os.O_CLOEXEC, 0, out=proc)
        identity.set_apparmor(program, proc, profile)
        program.add("close", calls.close, proc)


def settle_ahead(program: Program, around: Surroundings) -> None:
    """The same as ``_settle_in`` for a process that is made before its container is known."""
    program.add("die with the monitor", calls.prctl, processes.PR_SET_PDEATHSIG, 9, 0, 0, 0)
    _take_place(program, around)
    _begin_session(program, _KEYRING)
    program.add("new cgroup namespace", calls.unshare, processes.CLONE_NEWCGROUP)


def _settle_in(program: Program, files: FileSystemPlan, spec: Spec, around: Surroundings) -> dict[str, Slot]:
    """Takes its control groups, its namespaces, its session and its keyring, and waits until its parent has written it down.

    Returns what had to be made before entering a user namespace: see ``FileSystemPlan.make_ahead``.
    """
    premade: dict[str, Slot] = {}
    forks = joining.forks(spec)
    if not forks:
        _wait_for(program, around.go)
    _take_place(program, around)
    if joining.has_user_namespace(spec):
        premade = files.make_ahead(spec)
        identity.raise_limits(program, _list(_section(spec, "process"), "rlimits"))
    joining.enter(program, spec, around.joined)
    if forks:
        joining.fork(program, around.born)
        _wait_for(program, around.go)
    _begin_session(program, str(spec.get("keyring", _KEYRING)))
    if any(namespace["type"] == "cgroup" and "path" not in namespace for namespace in _namespaces(spec)):
        program.add("new cgroup namespace", calls.unshare, processes.CLONE_NEWCGROUP)
    return premade


def _take_place(program: Program, around: Surroundings) -> None:
    _enter_cgroups(program, around.entrances)
    identity.protect(program)
    program.add("set umask", calls.umask, 0)


def _begin_session(program: Program, keyring: str) -> None:
    program.add("new session", calls.setsid, on={errno.EPERM: None})
    identity.join_keyring(program, keyring)


def _join_network(program: Program, spec: Spec, around: Surroundings) -> None:
    if around.network >= 0 and any(namespace["type"] == "network" for namespace in _namespaces(spec)):
        program.add("join network namespace", calls.setns, around.network, processes.CLONE_NEWNET)


def _enter_cgroups(program: Program, entrances: list[int]) -> None:
    zero = program.keep(ctypes.create_string_buffer(b"0"))
    for entrance in entrances:
        program.add("enter control group", calls.write, entrance, zero, 1)


def _wait_for(program: Program, go: int) -> None:
    byte = ctypes.create_string_buffer(1)
    address = program.keep(byte)

    def wait() -> int:
        # 0 is the end of the pipe: the parent has died, and nobody will ever let us go
        return 0 if calls.read(go, address, 1) == 1 else calls.exit_group(1)

    program.add("wait for the monitor", wait)


def _mount_all(
    program: Program, files: FileSystemPlan, spec: Spec, around: Surroundings, staged: set[str], premade: dict[str, Slot]
) -> None:
    """In the order of the configuration: a later mount may lie inside an earlier one.

    /proc and /sys are put on real directories only: a link would move them to where the image, or who shares a volume with it, has
    a say in what they show (CVE-2019-19921, CVE-2023-27561).
    """
    devices = _list(_section(spec, "linux"), "devices")
    binds = iter(around.binds)
    if around.stage is not None:
        _fit_stage(program, files, staged, devices)
    if "/proc" in staged:
        assert around.stage is not None
        _write_through_stage(program, spec, around.stage)
    elif not any(mount.get("type") == "proc" for mount in _list(spec, "mounts")):
        _use_own_procfs(program, files, spec, premade.get(filesystem.PROCFS))
    for mount in _list(spec, "mounts"):
        destination, kind = str(mount["destination"]), str(mount.get("type", "none"))
        options = _mount_options(mount)
        if destination in staged:
            if not destination.startswith("/dev/"):
                files.move(destination, destination, real=kind == "proc")
        elif destination in premade:
            files.attach(premade[destination], destination)
        elif kind == "bind":
            bind = next(binds)
            files.attach(bind.tree, destination, directory=bind.directory, over_proc=bind.over_proc)
        elif kind == "cgroup":
            mount_cgroups(files, destination, options, around.cgroup_mounts)
        elif kind == "devpts" and around.devpts >= 0:
            files.attach(around.devpts, destination)
        elif kind == "tmpfs" and destination == "/dev":
            files.mount_device_tree(options, devices)
        elif kind == "proc":
            tree_slot = files.new_mount(destination, kind, options)
            _write_through_proc(program, spec, tree_slot)
            files.attach(tree_slot, destination, real=True)
        elif kind == "sysfs":
            files.attach(files.new_mount(destination, kind, options), destination, real=True)
        else:
            over_proc = guard.check_destination(destination, kind)
            tree_slot = files.new_mount(destination, kind, options, source=str(mount.get("source") or ""))
            files.attach(tree_slot, destination, over_proc=over_proc)
    for device in _list(_section(spec, "linux"), "devices"):
        if not str(device["path"]).startswith("/dev/"):
            files.make_device(device)
    if around.terminal >= 0:
        files.attach_console(around.terminal)


def _use_own_procfs(program: Program, files: FileSystemPlan, spec: Spec, made: Slot | None) -> None:
    """Where the container's /proc is a bind of another, what has to be written is written through one that is never attached."""
    if _section(_section(spec, "linux"), "sysctl") or _section(spec, "process").get("apparmorProfile"):
        proc = made if made is not None else files.new_mount("/proc", "proc", MountOptions([]))
        _write_through_proc(program, spec, proc)
        program.add("close", calls.close, proc)


def _fit_stage(program: Program, files: FileSystemPlan, staged: set[str], devices: list[Spec]) -> None:
    """Makes the staged ``/dev`` what this container asks for."""
    if "/dev" not in staged:
        return
    for mount in STAGED:
        path = str(mount["destination"])
        if path.startswith("/dev/") and path not in staged:
            program.add(f"unmount {path}", calls.umount2, path.encode(), mounts.MNT_DETACH)
    files.add_staged_devices(devices)


def _write_through_stage(program: Program, spec: Spec, stage: Stage) -> None:
    sysctls = _section(_section(spec, "linux"), "sysctl")
    identity.set_sysctls(program, stage.proc_sys, b"", {key: str(value) for key, value in sysctls.items()})
    profile = str(_section(spec, "process").get("apparmorProfile", ""))
    if profile:
        proc = program.open_slot()
        # still of the stage's making: nothing of the image lies in it
        program.add("open /proc", calls.openat, mounts.AT_FDCWD, b"/proc", os.O_PATH | os.O_CLOEXEC, 0, out=proc)
        identity.set_apparmor(program, proc, profile)


def _write_through_proc(program: Program, spec: Spec, proc: ctypes.c_int) -> None:
    """While our procfs is still detached, what is written to it cannot be led astray by the image."""
    sysctls = _section(_section(spec, "linux"), "sysctl")
    identity.set_sysctls(program, proc, b"sys/", {key: str(value) for key, value in sysctls.items()})
    profile = str(_section(spec, "process").get("apparmorProfile", ""))
    if profile:
        identity.set_apparmor(program, proc, profile)


def _hide(files: FileSystemPlan, linux: Spec, around: Surroundings, staged: set[str], premade: dict[str, Slot]) -> None:
    done: tuple[str, ...] = (*HIDDEN, *PROTECTED) if "/proc" in staged else ()
    for path in _list(linux, "readonlyPaths"):
        if path not in done:
            files.make_read_only(str(path))
    masked = [str(path) for path in _list(linux, "maskedPaths") if path not in done]
    if masked:
        made = premade.get(filesystem.MASKS)
        masks = files.make_masks(around.mask_point, made) if around.stage is None else files.open_masks(*MASKS)
        for path in masked:
            files.mask(path, masks)


def _attach_streams(program: Program, around: Surroundings) -> None:
    if around.terminal >= 0:
        identity.take_terminal(program, around.terminal)
    elif around.streams[0] >= 0:
        # without any, they are already what they are to be
        identity.set_streams(program, around.streams)


def _set_personality(program: Program, linux: Spec) -> None:
    personality = _section(linux, "personality")
    if personality:
        scheduling.set_personality(program, personality)


def _finish(program: Program, process: Spec, around: Surroundings) -> None:
    """The last steps, in the one order in which none undoes another: limits, directory, privileges, filter, program."""
    _lower(program, process, around)
    _become_program(program, process, around)


def _lower(program: Program, process: Spec, around: Surroundings) -> None:
    """Gives up what the host has lent: limits, place, descriptors, privileges."""
    scheduling.set_priorities(program, process)
    identity.set_limits(program, _list(process, "rlimits"))
    identity.check_working_directory(program, str(process["cwd"]))
    if around.before_program is None and around.listener < 0:
        # before the filter, which may be older than close_range
        identity.close_descriptors(program, 3 + around.preserved)
    if process.get("noNewPrivileges"):
        identity.forbid_new_privileges(program)
    elif around.seccomp:
        # without no_new_privs only CAP_SYS_ADMIN may load a filter, and we are about to give it up
        identity.load_seccomp(program, around.seccomp, around.listener)
    user = _section(process, "user")
    umask = int(str(user.get("umask", 0o022)))
    identity.become_user(program, user, _section(process, "capabilities"), umask, may_set_groups=around.may_set_groups)


def _become_program(program: Program, process: Spec, around: Surroundings) -> None:
    if around.monitored:
        program.add("die with the monitor", calls.prctl, processes.PR_SET_PDEATHSIG, 9, 0, 0, 0)
    identity.reset_signals(program)
    environment = [str(entry) for entry in _list(process, "env")]
    arguments, search_path = [str(word) for word in _list(process, "args")], _search_path(environment)
    filtered = bool(process.get("noNewPrivileges") and around.seccomp)
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
    identity.execute(program, arguments, environment, search_path, str(process.get("executable", "")))


def _search_path(environment: list[str]) -> str:
    for entry in reversed(environment):
        if entry.startswith("PATH="):
            return entry[5:]
    return os.defpath


def _mount_options(mount: Spec) -> MountOptions:
    return MountOptions([str(option) for option in _list(mount, "options")])


def _namespaces(spec: Spec) -> list[Spec]:
    return _list(_section(spec, "linux"), "namespaces")


def _section(parent: Spec, key: str) -> Spec:
    value = parent.get(key) or {}
    if not isinstance(value, dict):
        raise ValueError(f"configuration: {key} is not an object")
    return value


def _list(parent: Spec, key: str) -> list:  # type: ignore[type-arg]
    value = parent.get(key) or []
    if not isinstance(value, list):
        raise ValueError(f"configuration: {key} is not a list")
    return value
