"""Processes: clone3(2), pidfd_open(2), prctl(2), and what /proc says of them."""

from __future__ import annotations

import ctypes
import functools
import os
from ctypes import c_char_p, c_int, c_long, c_size_t, c_uint64, c_ulong, c_void_p

CLONE_PARENT = 0x00008000
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_NEWTIME = 0x00000080
CLONE_INTO_CGROUP = 0x200000000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

_SIGCHLD = 17
_DEAD = (b"Z", b"X")
_STOPPED = (b"T", b"t")
#: Flags in /proc/PID/stat (the kernel's include/linux/sched.h): the process is ending; it has executed no program since its clone.
_PF_EXITING, _PF_FORKNOEXEC = 0x04, 0x40
_SYS_CLONE3 = 435
_SYS_CLONE = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine, -1)


class _CloneArgs(ctypes.Structure):
    _fields_ = tuple(
        (name, c_uint64)
        for name in (
            "flags",
            "pidfd",
            "child_tid",
            "parent_tid",
            "exit_signal",
            "stack",
            "stack_size",
            "tls",
            "set_tid",
            "set_tid_size",
            "cgroup",
        )
    )


# PyDLL holds the interpreter's lock during the call, so that no other thread's state is copied halfway.
_libc_locked = ctypes.PyDLL(None, use_errno=True)
_clone3 = ctypes.PYFUNCTYPE(c_long, c_long, c_void_p, c_size_t)(("syscall", _libc_locked))
_clone = ctypes.PYFUNCTYPE(c_long, c_long, c_ulong, c_void_p, c_void_p, c_void_p, c_void_p)(("syscall", _libc_locked))
_libc = ctypes.CDLL(None, use_errno=True)
_prctl, _prctl_text = _libc["prctl"], _libc["prctl"]
_prctl.argtypes = c_int, c_ulong, c_ulong, c_ulong, c_ulong
_prctl_text.argtypes = c_int, c_char_p, c_ulong, c_ulong, c_ulong
_errno_location = ctypes.PYFUNCTYPE(ctypes.POINTER(c_int))(("__errno_location", _libc_locked))


class Clone:
    """A clone3(2) laid out ahead, so that calling it builds no object: it can be made after entering a container's root."""

    def __init__(self, flags: int = 0, cgroup: int | None = None) -> None:
        if cgroup is not None:
            flags |= CLONE_INTO_CGROUP
        exit_signal = 0 if flags & CLONE_PARENT else _SIGCHLD
        self._args = _CloneArgs(flags=flags, exit_signal=exit_signal, cgroup=cgroup or 0)
        self._pointer = ctypes.addressof(self._args)
        self._size = ctypes.sizeof(self._args)

    def __call__(self) -> int:
        """The child's pid in the parent, 0 in the child, -errno on failure.

        Only for a single-threaded process: handlers of pthread_atfork do not run.
        """
        pid: int = _clone3(_SYS_CLONE3, self._pointer, self._size)
        return pid if pid >= 0 else -int(_errno_location()[0])


def clone_sibling() -> int:
    """Makes a process with the same parent as the caller (clone(2) with CLONE_PARENT). Returns as ``Clone`` does, under the same conditions.

    The older call: a seccomp filter that cannot look into the arguments of clone3 refuses it.
    """
    pid: int = _clone(_SYS_CLONE, CLONE_PARENT | _SIGCHLD, None, None, None, None)
    return pid if pid >= 0 else -int(_errno_location()[0])


def pid_of(pidfd: int) -> int:
    """The pid of the process that a pidfd stands for; -1 after its end (pidfd_open(2), ``/proc/PID/fdinfo``). Raises ``OSError``."""
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="utf-8") as file:
        return next(int(line[4:]) for line in file if line.startswith("Pid:"))


def prctl(option: int, argument: int = 0) -> None:
    """prctl(2); raises ``OSError``."""
    if _prctl(option, argument, 0, 0, 0) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl {option}: {os.strerror(error)}")


def trim_heap() -> None:
    """Gives the kernel back the memory that the allocator keeps for later (malloc_trim(3)); does nothing if the C library has none."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(c_size_t(0))


def set_name(name: str) -> None:
    """What ps shows as the command's name: at most 15 bytes (PR_SET_NAME)."""
    _prctl_text(PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def set_oom_score(score: int, pid: int | str = "self") -> bool:
    """Sets ``oom_score_adj``, -1000 to 1000 (proc_pid_oom_score_adj(5)); False if the kernel refuses.

    A lower score than the process began with needs CAP_SYS_RESOURCE. A process with that capability also sets the lowest score that it may
    go back to without it.
    """
    try:
        with open(f"/proc/{pid}/oom_score_adj", "w") as file:
            file.write(str(score))
    except PermissionError:
        return False
    return True


def lower_oom_score(score: int) -> bool:
    """Makes the OOM killer less likely to choose this process and those that it forks; False if the kernel refuses."""
    with open("/proc/self/oom_score_adj") as file:
        return int(file.read()) <= score or set_oom_score(score)


def start_time(pid: int) -> int:
    """When the process started, in clock ticks since boot: with the pid it names a process for good. 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def is_running(pid: int, started: int) -> bool:
    """True if the process with this pid and start time runs; False for a zombie."""
    fields = _status(pid)
    return bool(fields) and int(fields[19]) == started and fields[0] not in _DEAD


def is_stopped(pid: int) -> bool:
    """Whether the process is stopped by a signal or a tracer (proc_pid_stat(5))."""
    fields = _status(pid)
    return bool(fields) and fields[0] in _STOPPED


def has_ended(pid: int, seconds: float) -> bool:
    """Waits until this process has ended, at most so many seconds; True if it has. It is not reaped."""
    from moby_tui.engine.kernel.readiness import wait_readable

    pidfd = os.pidfd_open(pid)
    try:
        return bool(wait_readable(pidfd, seconds=seconds))
    finally:
        os.close(pidfd)


def was_killed_unexecuted(pid: int) -> bool:
    """True if a signal has ended this child, or is ending it, before it executed a program. It is not reaped."""
    fields = _status(pid)
    flags = int(fields[6]) if fields else 0
    if not (flags & _PF_EXITING and flags & _PF_FORKNOEXEC):
        return False
    # it will end; its descriptors are closed a moment before waitpid sees the end
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return ended is not None and ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED)


def is_alive(pid: int) -> bool:
    """True if a process with this pid runs; False for a zombie."""
    fields = _status(pid)
    return bool(fields) and fields[0] not in _DEAD


def _status(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the state on (proc_pid_stat(5)); none where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def children() -> set[int]:
    """The children of this process, which has one thread; those that have ended and are not reaped are among them (proc(5))."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return {int(word) for word in file.read().split()}
    except FileNotFoundError:
        # a kernel without CONFIG_PROC_CHILDREN
        return {int(name) for name in os.listdir("/proc") if name.isdecimal() and _parent(int(name)) == os.getpid()}


def _parent(pid: int) -> int:
    fields = _status(pid)
    return int(fields[1]) if fields else 0


@functools.cache
def boot_id() -> str:
    """Changes with every boot (random(4))."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()
