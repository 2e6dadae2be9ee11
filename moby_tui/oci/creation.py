"""``create``: a container is made whole, and its first process waits to become the program."""

from __future__ import annotations

import os
import stat

from moby_tui.engine.kernel import ids, user_namespace
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.protocol.configuration import Configuration, Hooks, Linux, Process
from moby_tui.engine.runtime.birth import hooks, procfs, terminal
from moby_tui.engine.runtime.birth.awaiting import Awaited, check_moving, kill
from moby_tui.engine.runtime.birth.failure import StartFailure
from moby_tui.engine.runtime.monitor.execution import open_entrances
from moby_tui.engine.runtime.plan.becoming import ProcessInputs, Streams
from moby_tui.engine.runtime.plan.container import ContainerInputs, compile_container
from moby_tui.engine.runtime.plan.filesystem.mounting import MountInputs
from moby_tui.engine.runtime.plan.filesystem.source import open_binds
from moby_tui.engine.runtime.plan.gate import Gate
from moby_tui.engine.runtime.plan.mount_options import MountOptions
from moby_tui.engine.runtime.plan.process import joining
from moby_tui.errors import MobyError
from moby_tui.oci import bundle as bundles
from moby_tui.oci import console, removal, seccomp, trees
from moby_tui.oci.listening import Listener
from moby_tui.oci.namespaces import Joined, open_pid
from moby_tui.oci.store import Container, Store

_BEFORE_ROOT = ("prestart", "createRuntime", "createContainer")


class CreateOptions:
    """What the command line says beside the bundle."""

    def __init__(
        self,
        *,
        bundle: str,
        console_socket: str = "",
        pid_file: str = "",
        preserved: int = 0,
        no_pivot: bool = False,
        no_new_keyring: bool = False,
        relays: bool = False,
    ) -> None:
        self.bundle = os.path.realpath(bundle)
        self.console_socket = console_socket
        self.pid_file = pid_file
        self.preserved = preserved
        self.no_pivot = no_pivot
        self.no_new_keyring = no_new_keyring
        #: whether the caller keeps the terminal's master itself
        self.relays = relays


def create(store: Store, ident: str, asked: CreateOptions) -> tuple[Container, int]:
    """The created container, and the master of its terminal where the caller relays it, else -1.

    Raises ``MobyError``, ``StartFailure``, ``HookFailure``, ``OSError`` and ``ValueError``; nothing is left then.
    """
    spec = bundles.read(asked.bundle)
    _check_terminal(spec, asked)
    spec.keyring = "" if asked.no_new_keyring else f"_ses.{ident}"
    user = open_user_namespace(spec.linux) if joining.has_user_namespace(spec) else -1
    container = store.new(ident, asked.bundle, spec, _cgroup_path(spec, ident))
    making = _Making(container, spec, asked, store.root, user)
    try:
        making.make()
    except BaseException:
        making.give_up()
        raise
    if asked.pid_file:
        write_pid(asked.pid_file, container.pid)
    return container, making.master


def write_pid(path: str, pid: int) -> None:
    """Whole or not at all: an engine waits for the file and reads it at once."""
    with open(f"{path}.new", "w") as file:
        file.write(str(pid))
    os.rename(f"{path}.new", path)


def _check_terminal(spec: Configuration, asked: CreateOptions) -> None:
    wanted = spec.process.terminal
    if wanted and not asked.console_socket and not asked.relays:
        raise MobyError("cannot allocate tty if moby will detach without setting console socket: give --console-socket")
    if asked.console_socket and not wanted:
        raise MobyError("cannot use console socket if moby will not allocate tty: leave --console-socket out")


def _cgroup_path(spec: Configuration, ident: str) -> str:
    path = spec.linux.cgroups_path or ident
    if ":" in path and "/" not in path:
        raise MobyError(f"cgroupsPath {path!r} is systemd's: this runtime makes control groups itself, use the cgroupfs manager")
    return os.path.normpath("/" + path.lstrip("/"))


class _Making:
    def __init__(self, container: Container, spec: Configuration, asked: CreateOptions, store: str, user: int) -> None:
        self.container = container
        self.spec = spec
        self.asked = asked
        self.store = store
        self.cgroup = container.cgroup
        self.user = user
        self.listener = Listener.of(spec.linux)
        self.master = -1
        #: a process that is to make the one that stays, until it has
        self.first = 0
        self.hooked = False

    def make(self) -> None:
        self.cgroup.create(self.spec.linux.resources)
        wait, go = os.pipe2(os.O_CLOEXEC)
        inputs = self._open_inputs(wait)
        report = self._open_report()
        awaited = Awaited(report, self._check_moving)
        self._clone(inputs, go)
        if "pid" in inputs.joined:
            # it makes the one that stays as its last step
            self._run_hooks(inputs.before_root, awaited)
            self._await_birth(awaited)
        elif joining.forks(self.spec):
            self._await_birth(awaited)
        self._let_go(go)
        self._run_hooks(inputs.before_root, awaited)
        assert inputs.process.before_program is not None
        if self.listener is not None:
            self.listener.send(awaited, self.container.pid, self.container.state("creating"))
        if not awaited.at(inputs.process.before_program):
            raise StartFailure.of_report(awaited.failure(), self.spec.process.args[0])
        os.close(report)
        container = self.container
        container.values["status"] = "created"
        container.save()

    def _open_inputs(self, go: int) -> ContainerInputs:
        """What is opened on the host before the clone; ``go`` is the pipe where the process waits. Raises as ``create`` does."""
        spec = self.spec
        root = self._open_root()
        joined = self._open_joined()
        binds = open_binds(spec, trees.make(spec, root), self.user)
        filter_program = seccomp.program(self.store, spec.linux.seccomp)
        entrances = open_entrances(self.cgroup)
        procfs_trees = procfs.mount_all(spec, joined["pid"], self.cgroup, entrances) if "pid" in joined else {}
        devpts = -1
        if spec.process.terminal or joining.has_user_namespace(spec):
            # in a user namespace the kernel takes no group for it that is the host's
            devpts = terminal.mount_devpts(*joining.id_maps(spec))
        streams = Streams()
        if spec.process.terminal:
            streams = Streams(self._open_terminal(devpts))
        else:
            give_streams(host_user(spec))
        os.mkfifo(self.container.go, 0o600)
        return ContainerInputs(
            ProcessInputs(
                streams,
                seccomp=filter_program,
                listener=self.listener.give if self.listener is not None else -1,
                go=go,
                before_program=Gate(os.open(self.container.go, os.O_RDWR | os.O_CLOEXEC)),
                monitored=False,
                preserved=self.asked.preserved,
            ),
            MountInputs(
                root=root,
                binds=binds,
                devpts=devpts,
                procfs=procfs_trees,
                cgroups=self.cgroup.mounts(),
                points=self._mount_points(),
            ),
            joined=joined,
            entrances=entrances,
            before_root=Gate() if any(spec.hooks.of(stage) for stage in _BEFORE_ROOT) else None,
            no_pivot=self.asked.no_pivot,
        )

    def _open_joined(self) -> dict[str, int]:
        """The descriptors of the user and the pid namespace that the process enters, if they are not the caller's."""
        namespaces = {"user": self.user, "pid": open_pid(self.spec.linux)}
        return {kind: descriptor for kind, descriptor in namespaces.items() if descriptor >= 0}

    def _mount_points(self) -> tuple[str, str]:
        """The folders of the host to attach the root and the masks to, in the container's own mount namespace only."""
        masks = f"{self.container.folder}/mask"
        os.mkdir(masks)
        # in a user namespace ours may be closed to its root
        return joining.mount_points(self.spec, self.container.folder) if self.user >= 0 else (self.spec.root.path, masks)

    def _open_root(self) -> int:
        """The bundle's root with all that is mounted in it, as a detached copy: on the host nothing changes."""
        flags = mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC | mounts.AT_RECURSIVE
        tree = mounts.open_tree(mounts.AT_FDCWD, self.spec.root.path, flags)
        kind = self.spec.linux.propagation or "rprivate"
        propagation = MountOptions([kind]).propagation
        if not propagation or propagation == mounts.MS_UNBINDABLE:
            raise MobyError(f"rootfsPropagation {kind!r} is not supported; it can be private, slave or shared")
        mounts.mount_setattr(tree, "", mounts.AT_EMPTY_PATH | mounts.AT_RECURSIVE, propagation=propagation)
        return tree

    def _open_terminal(self, devpts: int) -> int:
        """Opens the terminal, and sends its master to the console socket if there is one; returns the process's end."""
        self.master, peer = terminal.open_terminal(devpts)
        os.fchown(peer, host_user(self.spec), -1)
        size = self.spec.process.console_size
        if size is not None and size.height and size.width:
            terminal.resize(self.master, size.height, size.width)
        if self.asked.console_socket:
            console.send(self.asked.console_socket, self.master)
        return peer

    def _open_report(self) -> int:
        os.mkfifo(self.container.report, 0o600)
        return os.open(self.container.report, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def _check_moving(self) -> None:
        check_moving(self.cgroup.path, self.container.pid or self.first)

    def _clone(self, inputs: ContainerInputs, go: int) -> None:
        """Makes the process, or the one that makes it. It must not keep ``go``, the descriptor that lets it go."""
        spec, container = self.spec, self.container
        child_report = os.open(container.report, os.O_WRONLY | os.O_CLOEXEC)
        program = compile_container(spec, inputs)
        clone = processes.Clone(joining.clone_flags(spec), self.cgroup.descriptor())
        with Joined(spec.linux):
            pid = clone()
            if pid == 0:
                os.close(go)
                program.run(child_report)
        if pid < 0:
            raise OSError(-pid, "cannot make the namespaces")
        process = inputs.process
        for fd in (process.go, child_report, *inputs.entrances, *inputs.joined.values(), *inputs.mounts.procfs.values()):
            os.close(fd)
        for gate in (inputs.before_root, process.before_program):
            if gate is not None:
                gate.child_is_made()
        if self.listener is not None:
            self.listener.child_is_made()
        self._record(pid)

    def _record(self, pid: int) -> None:
        self.container.values |= {"pid": pid, "pid_started": processes.start_time(pid) if pid else 0}

    def _await_birth(self, awaited: Awaited) -> None:
        """Waits for the process that stays: one more is needed on the way into a pid namespace, if it is joined or a user namespace's."""
        self.first = self.container.pid
        pid = awaited.pid()
        os.waitpid(self.first, 0)
        self.first = 0
        self._record(pid)
        if not pid:
            raise StartFailure.of_report(awaited.failure(), self.spec.process.args[0])

    def _let_go(self, go: int) -> None:
        self.container.save()
        _set_oom_score(self.container.pid, self.spec.process.oom_score_adj)
        try:
            os.write(go, b"g")
        except BrokenPipeError:
            # it has failed before: its report says why
            pass
        finally:
            os.close(go)

    def _run_hooks(self, gate: Gate | None, awaited: Awaited) -> None:
        """Runs them when all mounts are made and the root is not changed yet, so that a hook can still mount what it brings.

        Does nothing if they have run, or if the process does not get to the ``gate``.
        """
        if gate is None or self.hooked or not awaited.at(gate):
            return
        self.hooked = True
        state = self.container.state("creating")
        for stage in ("prestart", "createRuntime"):
            hooks.run(self.spec.hooks.of(stage), stage, state)
        pidfd = os.pidfd_open(self.container.pid)
        hooks.run(self.spec.hooks.create_container, "createContainer", state, inside=pidfd)
        os.close(pidfd)
        gate.let_go()
        gate.close()

    def give_up(self) -> None:
        if self.first:
            kill(self.first)
            self._record(0)
        if self.container.pid:
            removal.kill(self.container)
            os.waitpid(self.container.pid, 0)
        removal.remove(self.container, self.spec.hooks if self.hooked else Hooks())


def open_user_namespace(linux: Linux) -> int:
    """That of the path, or a new one; ``linux`` has its maps afterwards, and a path for what is there now. Raises ``MobyError``."""
    namespace = next(namespace for namespace in linux.namespaces if namespace.type == "user")
    path = namespace.path
    try:
        if not path:
            namespace.path = "/proc/self/fd/user"
            return user_namespace.make(linux.uid_mappings, linux.gid_mappings)
        joined = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        linux.uid_mappings, linux.gid_mappings = user_namespace.maps_of(joined)
        return joined
    except OSError as error:
        what = f"join user namespace {path}" if path else "make a user namespace with these maps"
        raise MobyError(f"cannot {what}: {(error.strerror or str(error)).lower()}") from error


def host_user(spec: Configuration, process: Process | None = None) -> int:
    """The host's id of the user that the process will be. Raises ``MobyError`` if that is not mapped."""
    uid = (process or spec.process).user.uid
    try:
        return ids.to_host(joining.id_maps(spec)[0], uid)
    except ValueError:
        raise MobyError(f"user {uid} is not mapped in the user namespace: add it to linux.uidMappings") from None


def give_streams(uid: int) -> None:
    """Lets a process of that user of the host open its own /dev/stdout again; the null device is not ours to give."""
    for fd in (0, 1, 2):
        try:
            status = os.fstat(fd)
            if status.st_uid != uid and not (stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(1, 3)):
                os.fchown(fd, uid, -1)
        except OSError:
            # closed, or on a file system that does not let itself be changed: as it was
            continue


def _set_oom_score(pid: int, score: int | None) -> None:
    if score is not None:
        with open(f"/proc/{pid}/oom_score_adj", "r+") as file:
            if int(file.read()) != score:
                file.seek(0)
                file.write(str(score))
