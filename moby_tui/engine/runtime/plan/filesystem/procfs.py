"""A process that opens the procfs of a pid namespace which others are in already.

A procfs shows the pid namespace of the process that opens it (fsopen(2)). Those that are in the namespace see that process, and may trace
it: so it has nothing of the host. Its root is empty, it has one socket, one capability, and a filter that leaves it little but fsopen.
"""

from __future__ import annotations

import signal
import struct

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.protocol.configuration import Capabilities, User
from moby_tui.engine.protocol.filter import header
from moby_tui.engine.runtime.plan.filesystem import cgroups
from moby_tui.engine.runtime.plan.filesystem.root import FileSystemPlan
from moby_tui.engine.runtime.plan.mount_options import MountOptions
from moby_tui.engine.runtime.plan.process import identity, joining
from moby_tui.engine.runtime.plan.process.handover import Handover
from moby_tui.engine.runtime.plan.program import Program

_CAPABILITY = ["CAP_SYS_ADMIN"]
_FSOPEN = 430
#: For each machine: its number in seccomp(2), clone, and the other calls: write, close, mprotect, munmap, mmap, brk, madvise, sendmsg,
#: exit_group (``unistd.h``). The interpreter takes and returns memory in between.
_MACHINES = {
    "x86_64": (0xC000003E, 56, (1, 3, 10, 11, 9, 12, 28, 46, 231)),
    "aarch64": (0xC00000B7, 220, (64, 57, 226, 215, 222, 214, 233, 211, 94)),
}
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001


def compile_opener(namespace: int, give: int, entrances: list[int]) -> Program:
    """Lays out a process that makes another one in the pid namespace ``namespace``, and reports its pid; that one sends the opened
    file system, not configured yet (fsconfig(2)), to the socket ``give``, and ends."""
    program = Program()
    cgroups.enter(program, entrances)
    identity.protect(program)
    program.add("join pid namespace", calls.setns, namespace, processes.CLONE_NEWPID)
    _leave_host(program)
    identity.close_descriptors(program, 0, [give])
    identity.become_user(program, User(), Capabilities(bounding=_CAPABILITY, effective=_CAPABILITY, permitted=_CAPABILITY))
    identity.forbid_new_privileges(program)
    identity.load_seccomp(program, header(0, 0) + _filter())
    joining.fork(program)
    handover = Handover(program, give, "the proc file system")
    program.add("open the proc file system", calls.fsopen, b"proc", mounts.FSOPEN_CLOEXEC, out=handover.slot)
    handover.add_to(program)
    program.add("end", calls.exit_group, 0)
    return program


def _leave_host(program: Program) -> None:
    program.add("new mount namespace", calls.unshare, processes.CLONE_NEWNS)
    tree = program.open_slot()
    files = FileSystemPlan(program, tree)
    files.make_private(mounts.MS_PRIVATE)
    empty = files.new_mount("/", "tmpfs", MountOptions(["ro", "nosuid", "nodev", "noexec", "size=4k", "nr_inodes=1"]))
    files.leave_host(empty, "empty root")


def _filter() -> bytes:
    """The instructions: all other calls answer EPERM, as does a clone that is not ``joining.fork``'s."""
    architecture, clone, numbers = _MACHINES[calls.MACHINE]
    load, equal, give_back = 0x20, 0x15, 0x06
    code = [(load, 0, 0, 4), (equal, 1, 0, architecture), (give_back, 0, 0, _REFUSE), (load, 0, 0, 0)]
    for number in (*numbers, _FSOPEN):
        code += [(equal, 0, 1, number), (give_back, 0, 0, _ALLOW)]
    # the lower half of the first argument
    code += [(equal, 0, 3, clone), (load, 0, 0, 16), (equal, 0, 1, processes.CLONE_PARENT | signal.SIGCHLD)]
    code += [(give_back, 0, 0, _ALLOW), (give_back, 0, 0, _REFUSE)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
