"""Makes a container's first process ahead, before its container is known (light imports: it runs in every monitor).

Cloning it, entering control groups and mounting what every container has alike are most of a start. So they are done before the order
comes: the process waits in its new namespaces, on the stage of ``plan/filesystem/stage.py``. It is then told the configuration, lays out
the rest of the plan while its monitor opens log and socket, and runs it. A container that wants other namespaces is cloned when it is known.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import struct
from contextlib import suppress

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.capability import NUMBERS
from moby_tui.engine.kernel.cgroup import Layout, freezer, open_cgroup
from moby_tui.engine.kernel.cgroup.group import Cgroup
from moby_tui.engine.kernel.cgroup.layout import CGROUP_PARENT, CGROUP_PREFIX
from moby_tui.engine.protocol.configuration import (
    Capabilities,
    Configuration,
    Linux,
    Mount,
    Namespace,
    Process,
    Resources,
    read,
    read_descriptor,
)
from moby_tui.engine.protocol.defaults import DEVICE_RULES, MASKED_PATHS, NAMESPACES, READONLY_PATHS, STAGED, SYS
from moby_tui.engine.protocol.descriptors import Descriptors
from moby_tui.engine.protocol.filter import HEADER
from moby_tui.engine.protocol.message import Json, MalformedMessage
from moby_tui.engine.protocol.report import Failed
from moby_tui.engine.protocol.standby import (
    BIND,
    DEVPTS,
    LENGTH,
    NETWORK,
    ROOT,
    STREAM,
    TERMINAL,
    BindKind,
    Preparation,
    Ready,
    frame,
    read_length,
)
from moby_tui.engine.runtime.birth.failure import say
from moby_tui.engine.runtime.birth.terminal import mount_devpts
from moby_tui.engine.runtime.plan.becoming import ProcessInputs, Streams
from moby_tui.engine.runtime.plan.container import ContainerInputs, compile_container, settle_ahead
from moby_tui.engine.runtime.plan.filesystem.cgroups import is_legacy
from moby_tui.engine.runtime.plan.filesystem.mounting import MountInputs
from moby_tui.engine.runtime.plan.filesystem.source import Bind
from moby_tui.engine.runtime.plan.filesystem.stage import Stage, compile_stage
from moby_tui.engine.runtime.plan.process import joining
from moby_tui.engine.runtime.plan.program import Program, Slot

_MOST_DESCRIPTORS = 250
#: A struct timeval: ten seconds.
_PATIENCE = struct.pack("ll", 10, 0)
_THAW_SECONDS = 1.0
_SPECIAL = 5  # root, network, three streams
_NULL = "/dev/null"
#: As many as a container usually has.
_CAPABILITIES = [*NUMBERS][:14]
#: A typical configuration, for rehearsals.
SAMPLE = Configuration(
    process=Process(
        args=["true"],
        env=["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=sample", "HOME=/root"],
        cwd="/srv",
        capabilities=Capabilities(bounding=_CAPABILITIES, effective=_CAPABILITIES, permitted=_CAPABILITIES),
    ),
    hostname="sample",
    mounts=[SYS, *STAGED, Mount(destination=_NULL, type="bind", source=_NULL, options=["rbind", "rprivate"])],
    linux=Linux(
        namespaces=[Namespace(type=kind) for kind in NAMESPACES],
        masked_paths=[*MASKED_PATHS],
        readonly_paths=[*READONLY_PATHS],
        sysctl={"net.ipv4.ping_group_range": "0 0"},
        resources=Resources(devices=DEVICE_RULES).values(),
    ),
)
_CLONE_FLAGS = joining.clone_flags(SAMPLE)
#: as ``Resources.values`` has them
_USUAL_DEVICES = [rule.values() for rule in DEVICE_RULES]


class Standby:
    """The process made ahead, as the process that forked it (the monitor, later) sees it."""

    def __init__(self, pid: int, channel: socket.socket, report: int, cgroup: Cgroup, devpts: int) -> None:
        self.pid = pid
        self.cgroup = cgroup
        self.devpts = devpts
        #: see ``plan/program.py``
        self.report = report
        #: its mount namespace, held open: so the kernel takes it down when the monitor closes this, not while the last process ends
        self.mounts = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        #: takes the configuration, then one byte, at which the process goes on; closing it ends the process
        self.channel = channel
        # a stopped process reads nothing: sending to it must time out
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _PATIENCE)

    def fits(self, spec: Configuration, cgroup: str) -> bool:
        """True if the container wants exactly the namespaces and the parent control group that this process has."""
        made = {namespace.type for namespace in spec.linux.namespaces if not namespace.path}
        joined = {namespace.type for namespace in spec.linux.namespaces if namespace.path}
        binds = sum(mount.type == "bind" for mount in spec.mounts)
        # it can go back to the host's cgroup namespace
        without = {"cgroup"} if is_legacy(self.cgroup.mounts()) else set()
        return (
            made | without == NAMESPACES
            and joined <= {"network"}
            and not spec.linux.uid_mappings
            and not spec.hooks.any()
            and os.path.dirname(cgroup) == CGROUP_PARENT
            and binds < _MOST_DESCRIPTORS - _SPECIAL
        )

    def name_cgroup(self, path: str, resources: Json) -> None:
        """Renames the control group to the container's, and sets its limits. Raises as ``Cgroup.update`` does."""
        self.cgroup.rename(path)
        limits = dict(resources)
        if limits.get("devices") == _USUAL_DEVICES:
            del limits["devices"]
        if limits:
            self.cgroup.update(limits)

    def give_configuration(self, file: int) -> None:
        """Sends the file that holds the configuration, which the process reads at once. Raises ``OSError``."""
        socket.send_fds(self.channel, [b"c"], [file])

    def prepare(self, root: int, network: int, streams: Streams, binds: list[Bind], seccomp: bytes) -> None:
        """Sends what the container's plan needs beside the configuration; the process then compiles it. Raises ``OSError``.

        ``root`` is the descriptor of its root mount, ``network`` of its network namespace, or -1; ``seccomp`` is the compiled filter.
        """
        given = Descriptors()
        given.add(ROOT, root)
        if network >= 0:
            given.add(NETWORK, network)
        if streams.terminal >= 0:
            given.add(TERMINAL, streams.terminal)
        else:
            given.add_all(STREAM, streams.standard)
        given.add_all(BIND, [bind.tree for bind in binds])
        preparation = Preparation(
            descriptors=given.names,
            binds=[BindKind(directory=bind.directory, over_proc=bind.over_proc) for bind in binds],
            seccomp=len(seccomp),
        )
        data = frame(preparation)
        socket.send_fds(self.channel, [data[:LENGTH]], given.numbers)
        self.channel.sendall(data[LENGTH:] + seccomp)

    def take_devpts(self) -> int:
        """The descriptor of its devpts file system, which the caller closes from now on."""
        devpts, self.devpts = self.devpts, -1
        return devpts

    def hand_over(self) -> tuple[int, int]:
        """The descriptors of its channel and its report, which the caller closes from now on."""
        report, self.report = self.report, -1
        return self.channel.detach(), report

    def dismiss(self) -> None:
        """Kills the process, and removes its control group and descriptors. Raises ``OSError``."""
        os.kill(self.pid, signal.SIGKILL)
        # first: the wait takes one, which a process that has reached its limit gets of these
        self.channel.close()
        for fd in (self.report, self.mounts, self.devpts):
            if fd >= 0:
                os.close(fd)
        self.report = self.mounts = self.devpts = -1
        if not processes.has_ended(self.pid, _THAW_SECONDS):
            freezer.let_killed_die(self.pid)
        os.waitpid(self.pid, 0)
        self.cgroup.remove()


class PreparedStage:
    """The steps by which a process made ahead takes its control groups and the stage: laid out once, by the launcher, for all of them."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._devices = _devices_of(layout)
        cgroup = open_cgroup(CGROUP_PARENT, layout)
        self._entrances = [Slot(-1) for _ in cgroup.entrances()]
        self._devpts = Slot(-1)
        self._program = Program()
        hierarchies = cgroup.mounts()
        self._stage = Stage(hierarchies, settle_ahead(self._program, self._entrances, hierarchies))
        compile_stage(self._program, self._devpts, self._stage)

    def check(self) -> None:
        """Raises ``OSError`` if the control groups are no longer where they were."""
        if _devices_of(self.layout) != self._devices:
            raise OSError(errno.ESTALE, "the control groups are no longer where they were")

    def take(self, entrances: list[int], devpts: int, report: int) -> Stage:
        """Performs the steps, in the process itself. ``devpts`` is closed."""
        for slot, entrance in zip(self._entrances, entrances, strict=True):
            slot.value = entrance
        self._devpts.value = devpts
        self._program.perform(report)
        return self._stage


def _devices_of(layout: Layout) -> list[int]:
    return [os.stat(tree.mountpoint).st_dev for tree in layout.trees]


def prepare_stage(layout: Layout | None) -> PreparedStage | None:
    """What ``stand_by`` needs. None if no process can be made ahead: control groups there cannot be renamed, or there are none."""
    if layout is None or not open_cgroup(CGROUP_PARENT, layout).renames:
        return None
    return PreparedStage(layout)


def stand_by(prepared: PreparedStage | None, foreign: list[int], *, is_awaited: bool) -> Standby | None:
    """Makes one. ``foreign`` are descriptors of the launcher's that it must not keep. ``is_awaited``: an order waits for it, so that it does
    not rehearse.

    None if it cannot be made ahead; if something is broken, the start will say so. All the work is the new process's: whatever this one
    writes to, of its interpreter too, it pays for as long as it lives.
    """
    if prepared is None:
        return None
    cgroup = open_cgroup(f"{CGROUP_PARENT}/{CGROUP_PREFIX}{os.getpid()}", prepared.layout)
    ours, theirs = socket.socketpair()
    report, child_report = os.pipe2(os.O_CLOEXEC)
    try:
        pid = processes.Clone(_CLONE_FLAGS, cgroup.make_birthplace())()
    except OSError:
        pid = -1
    if pid == 0:
        _become(theirs, child_report, cgroup, prepared, [*foreign, ours.fileno(), report], is_awaited=is_awaited)
    os.close(child_report)
    theirs.close()
    if pid > 0:
        with suppress(MalformedMessage, OSError):
            return Standby(pid, ours, report, cgroup, _await_ready(ours))
        # it says so as it ends, or was killed
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    ours.close()
    os.close(report)
    with suppress(OSError):
        cgroup.remove()
    return None


def _await_ready(channel: socket.socket) -> int:
    """The descriptor of its devpts. Raises ``MalformedMessage``, also if it has ended before, and ``OSError``."""
    header, numbers, _, _ = socket.recv_fds(channel, LENGTH, 1)
    ready = Ready.decode(_receive(channel, read_length(header)), "message from the process made ahead")
    return Descriptors.received(ready.descriptors, numbers).take(DEVPTS)


def _become(
    channel: socket.socket, report: int, cgroup: Cgroup, prepared: PreparedStage, foreign: list[int], *, is_awaited: bool
) -> None:
    """In the process itself: makes what can be made ahead, waits for the configuration, lays out the plan and runs it. Never returns."""
    try:
        for fd in foreign:
            os.close(fd)
        stage = _take_stage(channel, report, cgroup, prepared)
        if not is_awaited:
            # writes to the memory pages that the real plan will need, so that the kernel copies them now
            rehearse_plan(stage)
        program = _lay_out(channel, stage)
    except (OSError, ValueError) as error:
        os.write(report, Failed(0, say(error)).encode())
        calls.exit_group(127)
    except BaseException:
        calls.exit_group(127)
    program.run(report)


def rehearse_plan(stage: Stage | None) -> None:
    """Lays out the plan of a typical container, and frees it: its steps refer to each other, so that another plan would take new memory."""
    process = ProcessInputs(Streams(standard=(0, 1, 2)), seccomp=bytes(HEADER))
    mounts = MountInputs(root=-1, binds=[Bind(-1, directory=False, over_proc=False)], stage=stage)
    compile_container(read(SAMPLE.encode()), ContainerInputs(process, mounts, joined={}))
    gc.collect(0)


def _take_stage(channel: socket.socket, report: int, cgroup: Cgroup, prepared: PreparedStage) -> Stage:
    """Enters control groups of its own, leaves the host's tree for the stage, and reports that. Raises ``OSError``, ``ValueError``."""
    prepared.check()
    cgroup.create({"devices": _USUAL_DEVICES})
    # attaching the stage closes the other descriptor
    devpts = mount_devpts()
    entrances = [os.open(path, os.O_WRONLY | os.O_CLOEXEC) for path in cgroup.entrances()]
    stage = prepared.take(entrances, os.dup(devpts), report)
    socket.send_fds(channel, [frame(Ready(descriptors=[DEVPTS]))], [devpts])
    for fd in (devpts, *entrances):
        os.close(fd)
    return stage


def _lay_out(channel: socket.socket, stage: Stage) -> Program:
    """Receives the configuration and the descriptors, and compiles the rest of the plan.

    Raises ``MalformedMessage``, and ``ValueError`` for a container that cannot be.
    """
    _, files = _receive_descriptors(channel, 1)
    # its limits are the monitor's to set
    configuration = read_descriptor(files[0], without="resources")
    os.close(files[0])
    header, numbers = _receive_descriptors(channel, LENGTH)
    preparation = Preparation.decode(_receive(channel, read_length(header)), "message to the process made ahead")
    given = Descriptors.received(preparation.descriptors, numbers)
    root, network, terminal = given.take(ROOT), given.take_any(NETWORK), given.take_any(TERMINAL)
    standard = (-1, -1, -1) if terminal >= 0 else (given.take(STREAM), given.take(STREAM), given.take(STREAM))
    trees = given.take_all(BIND)
    binds = [Bind(tree, kind.directory, kind.over_proc) for tree, kind in zip(trees, preparation.binds, strict=True)]
    process = ProcessInputs(Streams(terminal, standard), seccomp=_receive(channel, preparation.seccomp), go=channel.fileno())
    mounts = MountInputs(root=root, binds=binds, cgroups=stage.hierarchies, stage=stage)
    joined = {"network": network} if network >= 0 else {}
    return compile_container(configuration, ContainerInputs(process, mounts, joined=joined))


def _receive_descriptors(channel: socket.socket, size: int) -> tuple[bytes, list[int]]:
    """The first bytes of a message, and what came beside them. Ends this process if the monitor has ended, or does not use it."""
    data, descriptors, _, _ = socket.recv_fds(channel, size, _MOST_DESCRIPTORS)
    if not data:
        calls.exit_group(0)
    return data, descriptors


def _receive(channel: socket.socket, size: int) -> bytes:
    """Raises ``MalformedMessage`` if less comes."""
    data = bytearray()
    while len(data) < size:
        piece = channel.recv(size - len(data))
        if not piece:
            raise MalformedMessage("message to the process made ahead: it ends in the middle")
        data += piece
    return bytes(data)
