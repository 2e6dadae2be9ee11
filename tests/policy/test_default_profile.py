"""The default profile beside moby's (moby/profiles, seccomp/default.json at 02e898b), call by call on x86-64; what each action does."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from moby_tui.engine.policy.capabilities import DEFAULT
from moby_tui.engine.policy.seccomp import library, profile
from moby_tui.engine.policy.seccomp.program import compile_filter

from .filter import ALLOW, AUDIT_X86_64, ERRNO, errno_of, interpret, run_filtered

#: What moby denies to a container with the default capabilities; all other calls it allows, some for some arguments only.
DENIED = """
_sysctl acct add_key afs_syscall bpf clock_settime clone3 create_module delete_module fanotify_init finit_module fsconfig fsmount fsopen
fspick get_kernel_syms get_mempolicy getpmsg init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load
kexec_load keyctl lookup_dcookie mbind migrate_pages mount mount_setattr move_mount move_pages nfsservctl open_by_handle_at open_tree
perf_event_open pidfd_getfd pivot_root process_madvise putpmsg query_module quotactl quotactl_fd reboot request_key security set_mempolicy
set_mempolicy_home_node setdomainname sethostname setns settimeofday swapoff swapon sysfs syslog tuxcall umount2 unshare uselib userfaultfd
ustat vhangup vserver
"""
#: What each capability opens; of those that the default set has, what their absence closes.
OPENED = {
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYS_ADMIN": "bpf clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree"
    " perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount2 unshare",
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module finit_module init_module",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise",
    "CAP_SYS_RAWIO": "ioperm iopl",
    "CAP_SYS_TIME": "clock_settime settimeofday",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYSLOG": "syslog",
    "CAP_BPF": "bpf",
    "CAP_PERFMON": "perf_event_open",
    "CAP_NET_ADMIN": "",
    "CAP_MKNOD": "",
}
_HIGHEST = 600


def calls() -> dict[str, int]:
    """Every call of x86-64 that the library knows."""
    scmp = library.load()
    names = {}
    for number in range(_HIGHEST):
        try:
            name = scmp.resolve_syscall(scmp.Arch.X86_64, number)
        except ValueError:
            continue
        names[name.decode() if isinstance(name, bytes) else str(name)] = number
    return names


def denied(capabilities: set[str]) -> set[str]:
    program = compile_filter(profile.to_oci(profile.default(), sorted(capabilities), machine="x86_64"))
    return {name for name, number in calls().items() if interpret(program, number, AUDIT_X86_64) != ALLOW}


pytestmark = pytest.mark.skipif(
    os.uname().machine != "x86_64",
    reason="the table lists the calls of x86-64; on other machines tests/policy/test_seccomp.py tries the profile",
)


def test_each_call() -> None:
    assert len(calls()) > 350
    assert denied(set(DEFAULT)) == set(DENIED.split())


@pytest.mark.parametrize("capability", sorted(OPENED))
def test_each_capability(capability: str) -> None:
    without = set(DEFAULT) - {capability}
    assert denied(without) - denied(without | {capability}) == set(OPENED[capability].split())


def test_what_is_allowed_for_some_arguments() -> None:
    program = compile_filter(profile.to_oci(profile.default(), sorted(DEFAULT), machine="x86_64"))

    def allowed(name: str, values: range) -> set[int]:
        return {value for value in values if interpret(program, calls()[name], AUDIT_X86_64, value) == ALLOW}

    assert set(range(64)) - allowed("socket", range(64)) == {12, 19, 20, 23, 25, 34, 37, 38, 40, *range(46, 64)}
    assert allowed("personality", range(16)) == {0, 8}
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert interpret(program, calls()["clone"], AUDIT_X86_64, flag) == ERRNO | errno.EPERM
    assert interpret(program, calls()["clone3"], AUDIT_X86_64) == ERRNO | errno.ENOSYS


@pytest.mark.parametrize(
    ("action", "extra", "ending"),
    [
        ("SCMP_ACT_ERRNO", {"errnoRet": 99}, 99),
        ("SCMP_ACT_ERRNO", {}, errno.EPERM),
        ("SCMP_ACT_TRAP", {}, -signal.SIGSYS),
        ("SCMP_ACT_KILL", {}, -signal.SIGSYS),
        ("SCMP_ACT_KILL_THREAD", {}, -signal.SIGSYS),
        ("SCMP_ACT_KILL_PROCESS", {}, -signal.SIGSYS),
        ("SCMP_ACT_LOG", {}, 0),
        # nobody traces it
        ("SCMP_ACT_TRACE", {}, errno.ENOSYS),
    ],
)
def test_what_each_action_does(action: str, extra: dict[str, int], ending: int) -> None:
    """``ending``: the errno of the call, or less than zero the signal."""
    rule = {"names": ["getpriority"], "action": action, **extra}
    program = compile_filter({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]})
    number = calls()["getpriority"]
    assert run_filtered(program, lambda: errno_of(number, 0, 0)) == ending
