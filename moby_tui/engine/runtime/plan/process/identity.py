"""The steps that make the process what it is: names, sysctls, limits, user, capabilities, seccomp, and the program it becomes."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
from collections.abc import Callable, Sequence
from functools import cache

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.capability import NUMBERS as CAPABILITIES
from moby_tui.engine.protocol.configuration import Capabilities, Rlimit, User
from moby_tui.engine.protocol.filter import HEADER, flags_of
from moby_tui.engine.runtime.plan.program import Label, Program

_TIOCSCTTY = 0x540E
_TIOCSWINSZ = 0x5414
_CAPABILITY_VERSION_3 = 0x20080522
_SECCOMP_TSYNC, _SECCOMP_NEW_LISTENER = 0x01, 0x08
_SECCOMP_SET_MODE_FILTER = 1
_KEYCTL_JOIN_SESSION_KEYRING = 1
_CLOSE_RANGE_CLOEXEC = 4
_SIG_SETMASK = 2
_KERNEL_SIGSET_BYTES = 8
_LAST_SIGNAL = 64
_UMASK = 0o022


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


class _Rlimit(ctypes.Structure):
    _fields_ = (("soft", ctypes.c_uint64), ("hard", ctypes.c_uint64))


class _SockFprog(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def set_hostname(program: Program, hostname: str, domainname: str) -> None:
    if hostname:
        name = hostname.encode()
        program.add("set hostname", calls.sethostname, name, len(name))
    if domainname:
        name = domainname.encode()
        program.add("set domain name", calls.setdomainname, name, len(name))


def set_sysctls(program: Program, proc: int | ctypes.c_int, prefix: bytes, sysctls: dict[str, str]) -> None:
    """Written through a procfs of our own, never through the container's /proc (CVE-2025-52881).

    ``prefix`` leads from ``proc`` to its ``sys``.
    """
    for key, value in sysctls.items():
        slot = program.open_slot()
        path = prefix + key.replace(".", "/").encode()
        name = f"set sysctl {key}"
        program.add(name, calls.openat, proc, path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0, out=slot)
        text = ctypes.create_string_buffer(value.encode())
        program.add(name, calls.write, slot, program.keep(text), len(value.encode()))
        program.add("close", calls.close, slot)


def set_apparmor(program: Program, proc: int | ctypes.c_int, profile: str) -> None:
    """The profile that is entered with execve (apparmor's ``attr/exec`` interface)."""
    slot = program.open_slot()
    name = f"enter AppArmor profile {profile}"
    text = f"exec {profile}".encode()
    path = b"thread-self/attr/apparmor/exec"
    older: dict[int, Label | None] = {errno.ENOENT: None}
    opened = Label()
    program.add(name, calls.openat, proc, path, os.O_WRONLY | os.O_CLOEXEC, 0, out=slot, on=older, then=opened)
    program.add(name, calls.openat, proc, b"thread-self/attr/exec", os.O_WRONLY | os.O_CLOEXEC, 0, out=slot)
    program.place(opened)
    program.add(name, calls.write, slot, program.keep(ctypes.create_string_buffer(text)), len(text))
    program.add("close", calls.close, slot)


def enter_profile(program: Program, profile: str) -> None:
    """Sets the AppArmor profile for execve, as ``set_apparmor`` does, through the host's /proc while that is in reach.

    Children of the process inherit the setting.
    """
    if profile:
        proc = program.open_slot()
        program.add("open /proc", calls.openat, mounts.AT_FDCWD, b"/proc", os.O_PATH | os.O_CLOEXEC, 0, out=proc)
        set_apparmor(program, proc, profile)
        program.add("close", calls.close, proc)


def join_keyring(program: Program, name: str) -> None:
    """A session keyring of its own, so that the host's cannot be read; none for an empty name. Without keyrings nothing is hidden."""
    if not name:
        return
    on: dict[int, Label | None] = {errno.ENOSYS: None, errno.EPERM: None, errno.EDQUOT: None}
    program.add("join keyring", calls.keyctl_join, _KEYCTL_JOIN_SESSION_KEYRING, name.encode(), on=on)


def take_terminal(program: Program, terminal: int) -> None:
    """The terminal becomes the session's controlling one and the standard streams."""
    control_terminal(program, terminal)
    set_streams(program, (terminal, terminal, terminal))


def control_terminal(program: Program, terminal: int) -> None:
    """Adds the step that makes a terminal the controlling one of the process's session (tty_ioctl(4), TIOCSCTTY)."""
    program.add("take terminal", calls.ioctl, terminal, _TIOCSCTTY, None)


def set_streams(program: Program, streams: tuple[int, int, int]) -> None:
    """Adds the steps that make the given descriptors standard input, output and error. None of them may be 0, 1 or 2 itself."""
    for number, fd in enumerate(streams):
        program.add("set standard streams", calls.dup3, fd, number, 0)


def protect(program: Program) -> None:
    """Adds the step that makes the process undumpable: while it holds descriptors of the host, no process of the namespaces that it enters
    may trace it (CVE-2016-9962)."""
    program.add("protect", calls.prctl, processes.PR_SET_DUMPABLE, 0, 0, 0, 0)


def raise_limits(program: Program, limits: list[Rlimit]) -> None:
    """Adds the steps that raise hard limits above those of this process.

    They stand before the first process enters its user namespace, in which no process may raise one (setrlimit(2)).
    """
    for limit in limits if may_raise_limits() else []:
        number = _limit_number(limit.type)
        soft, ceiling = resource.getrlimit(number)
        hard = limit.hard
        if ceiling != resource.RLIM_INFINITY and not 0 <= hard <= ceiling:
            value = _Rlimit(soft & 0xFFFFFFFFFFFFFFFF, hard & 0xFFFFFFFFFFFFFFFF)
            program.add(f"raise {limit.type}", calls.setrlimit, number, program.keep(value))


def set_limits(program: Program, limits: list[Rlimit]) -> None:
    """Raises ``ValueError`` on a limit that no kernel knows. Without CAP_SYS_RESOURCE a hard limit stays at what we have."""
    for limit in limits:
        name = limit.type
        number = _limit_number(name)
        _, ceiling = resource.getrlimit(number)
        hard, soft = limit.hard, limit.soft
        if ceiling != resource.RLIM_INFINITY and not may_raise_limits():
            hard = min(hard, ceiling) if hard >= 0 else ceiling
            soft = min(soft, hard) if soft >= 0 else hard
        value = _Rlimit(soft & 0xFFFFFFFFFFFFFFFF, hard & 0xFFFFFFFFFFFFFFFF)
        program.add(f"set {name}", calls.setrlimit, number, program.keep(value))


def is_unprivileged(limit: Rlimit) -> bool:
    """Whether ``set_limits`` needs no privilege for it: the hard limit is not raised."""
    _, ceiling = resource.getrlimit(_limit_number(limit.type))
    return ceiling == resource.RLIM_INFINITY or 0 <= limit.hard <= ceiling or not may_raise_limits()


def _limit_number(name: str) -> int:
    number: int | None = getattr(resource, name, None) if name.startswith("RLIMIT_") else None
    if number is None:
        raise ValueError(f"unknown resource limit {name}")
    return number


def may_raise_limits() -> bool:
    """Whether this process has CAP_SYS_RESOURCE."""
    return bool(int(_status_field("CapEff"), 16) >> CAPABILITIES["CAP_SYS_RESOURCE"] & 1)


@cache
def _last_capability() -> int:
    with open("/proc/sys/kernel/cap_last_cap") as file:
        return int(file.read())


@cache
def _ignored_signals() -> int:
    """The same for all that the launcher forks: nothing of ours changes it."""
    return int(_status_field("SigIgn"), 16)


def _status_field(name: str) -> str:
    """A line of /proc/self/status (proc(5))."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(f"{name}:"):
                return line.split()[1]
    raise ValueError(f"/proc/self/status has no {name}")


def load_seccomp(program: Program, seccomp: bytes, listener: int = -1) -> None:
    """Installs a filter (``protocol/filter.py``).

    Whoever has the other end of the socket ``listener`` is sent what the filter asks through.
    """
    flags, bpf = flags_of(seccomp), seccomp[HEADER:]
    buffer = ctypes.create_string_buffer(bpf, len(bpf))
    fprog = _SockFprog(len(bpf) // 8, program.keep(buffer))
    address = program.keep(fprog)
    if listener < 0:
        program.add("load seccomp filter", calls.seccomp, _SECCOMP_SET_MODE_FILTER, flags, address)
        return
    # few containers come here
    from moby_tui.engine.runtime.plan.process.handover import Handover

    handover = Handover(program, listener, "the seccomp listener")
    # all threads cannot be told of a listener, and there is one thread only
    flags = flags & ~_SECCOMP_TSYNC | _SECCOMP_NEW_LISTENER
    program.add("load seccomp filter", calls.seccomp, _SECCOMP_SET_MODE_FILTER, flags, address, out=handover.slot)
    handover.add_to(program)


def become_user(program: Program, user: User, capabilities: Capabilities, *, may_set_groups: bool = True) -> None:
    """Drops to the user and capabilities asked for, in the order that leaves no moment with more than both.

    ``capabilities``: the five sets of the OCI specification; one that is not named is empty, as the inheritable set of all our
    own containers is (CVE-2022-24769). The supplementary groups are always set (CVE-2022-36109), except where the
    user namespace forbids it: they were left before it was joined. Raises ``ValueError``.
    """
    _drop_others(program, _capability_set(capabilities.bounding))
    uid, gid, groups = user.uid, user.gid, user.groups
    array = (ctypes.c_uint32 * max(len(groups), 1))(*groups)
    program.add("keep capabilities", calls.prctl, processes.PR_SET_KEEPCAPS, 1, 0, 0, 0)
    if may_set_groups:
        program.add("set groups", calls.setgroups, len(groups), program.keep(array))
    program.add(f"set group {gid}", calls.setresgid, gid, gid, gid)
    program.add(f"set user {uid}", calls.setresuid, uid, uid, uid)
    program.add("keep capabilities", calls.prctl, processes.PR_SET_KEEPCAPS, 0, 0, 0, 0)
    _set_capabilities(program, capabilities)
    clear = (processes.PR_CAP_AMBIENT, processes.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    program.add("clear ambient capabilities", calls.prctl, *clear, on={errno.EINVAL: None})
    for number in sorted(_capability_set(capabilities.ambient)):
        raise_one = (processes.PR_CAP_AMBIENT, processes.PR_CAP_AMBIENT_RAISE, number, 0, 0)
        # as the other runtimes: the kernel refuses one that is not both permitted and inheritable
        program.add("raise ambient capability", calls.prctl, *raise_one, on={errno.EPERM: None})
    program.add("set umask", calls.umask, _UMASK if user.umask is None else user.umask)


def _drop_others(program: Program, kept: set[int]) -> None:
    """Takes all other capabilities out of the bounding set, in one step: they are many."""
    dropped = [number for number in range(_last_capability() + 1) if number not in kept]

    def drop() -> int:
        for number in dropped:
            if calls.prctl(processes.PR_CAPBSET_DROP, number, 0, 0, 0) < 0 and calls.errno_now() != errno.EINVAL:
                return -1
        return 0

    program.add("drop capability", drop)


def _set_capabilities(program: Program, capabilities: Capabilities) -> None:
    header = program.keep(_CapabilityHeader(_CAPABILITY_VERSION_3, 0))
    data = (_CapabilityData * 2)()
    for name in ("effective", "permitted", "inheritable"):
        for number in _capability_set(getattr(capabilities, name)):
            setattr(data[number // 32], name, getattr(data[number // 32], name) | 1 << (number % 32))
    program.add("set capabilities", calls.capset, header, program.keep(data))


def _capability_set(names: list[str]) -> set[int]:
    unknown = [text for text in names if text not in CAPABILITIES]
    if unknown:
        raise ValueError(f"unknown capability {unknown[0]!r}; see capabilities(7) for their names")
    return {CAPABILITIES[text] for text in names}


def forbid_new_privileges(program: Program) -> None:
    program.add("forbid new privileges", calls.prctl, processes.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def reset_signals(program: Program) -> None:
    """Every signal at its default and none blocked: what a program may expect at its start.

    Handlers end with execve by themselves; what is ignored stays so (CPython ignores two, and whoever started us may have more).
    """
    action = program.keep(ctypes.create_string_buffer(32))
    ignored = _ignored_signals()
    for number in range(1, _LAST_SIGNAL + 1):
        if ignored >> (number - 1) & 1:
            program.add("reset signals", calls.rt_sigaction, number, action, None, _KERNEL_SIGSET_BYTES)
    empty = program.keep(ctypes.create_string_buffer(128))
    program.add("unblock signals", calls.sigprocmask, _SIG_SETMASK, empty, None)


def close_descriptors(program: Program, first: int = 3, needed: Sequence[int] = ()) -> None:
    """Closes whatever of the host is still open, from ``first`` on, but the pipe on which failures are told, and what is still ``needed``.

    Close-on-exec would be too late: the command itself may be a path through /proc/self/fd (CVE-2024-21626).
    """

    def close() -> int:
        begin = first
        for fd in sorted({program.report.value, *needed}):
            if fd > begin:
                calls.close_range(begin, fd - 1, 0)
            calls.close_range(fd, fd, _CLOSE_RANGE_CLOEXEC)
            begin = max(begin, fd + 1)
        return calls.close_range(begin, 0xFFFFFFFF, 0)

    program.add("close descriptors", close)


def check_working_directory(program: Program, directory: str) -> None:
    """Enters the working directory; one outside the root would show as "(unreachable)" (CVE-2024-21626)."""
    buffer = ctypes.create_string_buffer(4096)
    address = program.keep(buffer)
    program.add(f"enter working directory {directory}", calls.chdir, os.fsencode(directory))

    def verify() -> int:
        if calls.getcwd(address, 4096) > 0 and buffer[0] == b"/":
            return 0
        ctypes.set_errno(errno.ENOENT)
        return -1

    program.add(f"check working directory {directory}", verify)


def execute(program: Program, arguments: list[str], environment: list[str], path: str, executable: str = "") -> None:
    """execve(2), along PATH where the command has no slash; the last step of every program.

    As a shell does: a place where there is nothing is passed over, one that may not be executed is remembered.
    ``executable`` is the file if it is not what the first argument says.
    """
    argv = _string_array(program, arguments)
    envp = _string_array(program, environment)
    _try_each(program, executable or arguments[0], path, calls.execve, (argv, envp), None)


def check_executable(program: Program, command: str, path: str) -> None:
    """Fails as ``execute`` would if there is no such program, or the user may not execute it."""
    executable = Label()
    _try_each(program, command, path, calls.access, (os.X_OK,), executable)
    program.place(executable)


def _try_each(
    program: Program, command: str, path: str, call: Callable[..., int], arguments: tuple[object, ...], found: Label | None
) -> None:
    """Makes the call for each file that the command may stand for, until it succeeds; else fails with what was remembered."""
    # nothing is called "": each folder itself would be tried
    folders = path.split(":") if command else []
    candidates = [command] if "/" in command else [f"{folder or '.'}/{command}" for folder in folders]
    forbidden = ctypes.c_int(errno.ENOENT)

    def refuse() -> int:
        ctypes.set_errno(forbidden.value)
        return -1

    def remember() -> int:
        forbidden.value = errno.EACCES
        return 0

    for candidate in candidates:
        denied, following = Label(), Label()
        on: dict[int, Label | None] = {errno.ENOENT: following, errno.ENOTDIR: following, errno.EACCES: denied}
        program.add("execute", call, os.fsencode(candidate), *arguments, on=on, then=found)
        program.place(denied)
        program.add("execute", remember)
        program.place(following)
    program.add("execute", refuse)


def _string_array(program: Program, strings: list[str]) -> int:
    values = [os.fsencode(text) for text in strings]
    array = (ctypes.c_char_p * (len(values) + 1))(*values, None)
    return program.keep(array)
