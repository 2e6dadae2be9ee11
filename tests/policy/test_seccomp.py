"""Filters, compiled by libseccomp and tried on this kernel."""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import signal
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moby_tui.engine.policy.capabilities import DEFAULT
from moby_tui.engine.policy.seccomp import library, profile
from moby_tui.engine.policy.seccomp.cache import cached_program
from moby_tui.engine.policy.seccomp.program import compile_filter, compile_loadable
from moby_tui.engine.protocol.filter import MAKES_PROCESSES, SETS_LIMITS, admits
from moby_tui.engine.store.paths import Paths
from moby_tui.errors import InvalidArgument

from .filter import ALLOW, AUDIT_AARCH64, AUDIT_I386, AUDIT_X86_64, ERRNO, KILL, errno_of, interpret, run_filtered

X86 = os.uname().machine == "x86_64"
NATIVE = AUDIT_X86_64 if X86 else AUDIT_AARCH64
X32 = 0x40000000
CLONE_NEWUSER, CLONE_NEWCGROUP = 0x10000000, 0x02000000
DENIED = ERRNO | errno.EPERM
UNKNOWN = ERRNO | errno.ENOSYS


def number(name: str, arch: int = 0) -> int:
    return int(library.load().resolve_syscall(arch, name))


@pytest.fixture(scope="module")
def default() -> bytes:
    return compile_filter(profile.to_oci(profile.default(), sorted(DEFAULT)))


def only(*rules: dict[str, Any], action: str = "SCMP_ACT_ERRNO", **more: Any) -> bytes:
    return compile_filter({"defaultAction": action, "syscalls": list(rules), **more})


def allow(*names: str, **more: Any) -> dict[str, Any]:
    return {"names": list(names), "action": "SCMP_ACT_ALLOW", **more}


@pytest.mark.parametrize("name", ["openat", "execve", "read", "futex", "ptrace", "setresuid", "mmap", "openat2", "prctl"])
def test_the_default_allows_what_programs_need(default: bytes, name: str) -> None:
    assert interpret(default, number(name), NATIVE) == ALLOW


DANGEROUS = """
mount umount2 pivot_root setns unshare bpf perf_event_open init_module finit_module kexec_load reboot swapon add_key keyctl
request_key userfaultfd io_uring_setup open_by_handle_at syslog settimeofday iopl quotactl process_madvise fsopen move_mount
open_tree nfsservctl vhangup acct mbind
"""


@pytest.mark.parametrize("name", DANGEROUS.split())
def test_the_default_denies_what_endangers_the_host(default: bytes, name: str) -> None:
    if number(name) >= 0:
        assert interpret(default, number(name), NATIVE) == DENIED


def test_new_threads_but_no_new_namespaces(default: bytes) -> None:
    clone = number("clone")
    assert interpret(default, clone, NATIVE, signal.SIGCHLD) == ALLOW
    for flag in (0x20000, CLONE_NEWCGROUP, 0x04000000, 0x08000000, CLONE_NEWUSER, 0x20000000, 0x40000000):
        assert interpret(default, clone, NATIVE, flag | signal.SIGCHLD) == DENIED


@pytest.mark.parametrize(("value", "good"), [(0, 1), (8, 1), (0x20000, 1), (0x20008, 1), (0xFFFFFFFF, 1), (0x40000, 0), (9, 0)])
def test_personalities(default: bytes, value: int, good: int) -> None:
    assert (interpret(default, number("personality"), NATIVE, value) == ALLOW) is bool(good)


@pytest.mark.parametrize(
    ("family", "good"), [(1, 1), (2, 1), (10, 1), (16, 1), (17, 1), (29, 1), (44, 1), (38, 0), (40, 0), (12, 0), (46, 0)]
)
def test_socket_families(default: bytes, family: int, good: int) -> None:
    assert (interpret(default, number("socket"), NATIVE, family) == ALLOW) is bool(good)


def test_capabilities_open_what_they_are_for() -> None:
    with_admin = compile_filter(profile.to_oci(profile.default(), ["CAP_SYS_ADMIN"]))
    for name in ("mount", "clone3", "setns", "bpf"):
        assert interpret(with_admin, number(name), NATIVE) == ALLOW
    assert interpret(with_admin, number("clone"), NATIVE, CLONE_NEWUSER) == ALLOW
    assert interpret(with_admin, number("reboot"), NATIVE) == DENIED


def test_on_the_kernel(default: bytes) -> None:
    """The same again, where it counts."""
    assert run_filtered(default, lambda: errno_of(number("getpid"))) == 0
    assert run_filtered(default, lambda: errno_of(number("unshare"), 0)) == errno.EPERM
    assert run_filtered(default, lambda: errno_of(number("clone3"), 0, 0)) == errno.ENOSYS
    assert run_filtered(default, lambda: errno_of(number("personality"), 0x40000)) == errno.EPERM
    assert run_filtered(default, lambda: errno_of(number("socket"), 38, 5, 0)) == errno.EPERM
    assert run_filtered(default, lambda: errno_of(number("socket"), 1, 1, 0)) == 0
    assert run_filtered(default, lambda: errno_of(number("io_uring_setup"), 1, 0)) == errno.EPERM
    assert run_filtered(default, lambda: errno_of(number("keyctl"), 0, 0)) == errno.EPERM
    assert run_filtered(default, lambda: errno_of(1000)) == errno.ENOSYS


def test_a_thread_and_a_program_start_under_the_filter(default: bytes) -> None:
    def action() -> int:
        return os.waitstatus_to_exitcode(os.system("/bin/sh -c 'exit $(expr 3 + 4)'"))

    assert run_filtered(default, action) == 7


@pytest.mark.skipif(not X86, reason="int 0x80, which makes a call of another architecture, is an instruction of x86")
def test_calls_of_the_32_bit_architecture_are_filtered_too(default: bytes) -> None:
    """int 0x80 from 64-bit code: the kernel sees a call of i386 with its numbers."""
    assert run_filtered(default, lambda: -call_i386(number("getpid", library.load().Arch.X86)) & 0x7F) != errno.EPERM
    assert run_filtered(default, lambda: -call_i386(number("unshare", library.load().Arch.X86))) == errno.EPERM
    assert run_filtered(default, lambda: -call_i386(1000)) == errno.ENOSYS
    native_only = only(allow("exit_group", "exit"), allow("mmap", "munmap", "rt_sigreturn"))
    assert run_filtered(native_only, lambda: call_i386(20)) == -signal.SIGSYS


def call_i386(number: int) -> int:
    """``mov eax, NUMBER; xor ebx, ebx; int 0x80; ret``."""
    code = CODE
    code[1:5] = struct.pack("<I", number)
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())


CODE = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
# rbx belongs to the caller, so it is saved around the call
CODE[:12] = b"\xb8\0\0\0\0" + b"\x53\x31\xdb\xcd\x80\x5b\xc3"


def test_newer_calls_are_unknown_and_older_ones_denied() -> None:
    program = only(allow("openat2", "read"))
    newest = number("openat2")
    assert interpret(program, newest, NATIVE) == ALLOW
    assert interpret(program, newest - 1, NATIVE) == DENIED
    assert interpret(program, newest + 1, NATIVE) == UNKNOWN
    if X86:
        assert interpret(program, X32 + 1, NATIVE) == KILL


@pytest.mark.skipif(not X86, reason="x32 and i386 are second architectures of x86-64's kernels alone")
def test_x32_and_i386_have_limits_of_their_own() -> None:
    program = only(allow("openat2", "read"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"])
    newest = number("openat2")
    assert interpret(program, X32 + newest, NATIVE) == ALLOW
    assert interpret(program, X32 + newest - 1, NATIVE) == DENIED and interpret(program, X32 + newest + 1, NATIVE) == UNKNOWN
    assert interpret(program, newest, AUDIT_I386) == ALLOW and interpret(program, newest + 1, AUDIT_I386) == UNKNOWN


@pytest.mark.parametrize("action", ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG"])
def test_a_permissive_default_stays_permissive(action: str) -> None:
    program = only({"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99}, action=action)
    assert interpret(program, number("mount"), NATIVE) == ERRNO | 99
    assert interpret(program, 1000, NATIVE) == {"SCMP_ACT_ALLOW": ALLOW, "SCMP_ACT_LOG": 0x7FFC0000}[action]


def test_two_conditions_on_one_argument_are_alternatives_and_on_two_must_both_hold() -> None:
    def argument(index: int, value: int) -> dict[str, Any]:
        return {"index": index, "op": "SCMP_CMP_EQ", "value": value}

    program = only(allow("dup", args=[argument(0, 1), argument(0, 2)]), allow("kill", args=[argument(0, 1), argument(1, 9)]))
    dup, kill = number("dup"), number("kill")
    if dup >= 0:
        assert [interpret(program, dup, NATIVE, value) for value in (1, 2, 3)] == [ALLOW, ALLOW, DENIED]
    assert interpret(program, kill, NATIVE, 1, 9) == ALLOW
    assert interpret(program, kill, NATIVE, 1, 8) == DENIED and interpret(program, kill, NATIVE, 2, 9) == DENIED


OPERATIONS = {
    "NE": lambda a, b, c: a != b,
    "LT": lambda a, b, c: a < b,
    "LE": lambda a, b, c: a <= b,
    "EQ": lambda a, b, c: a == b,
    "GE": lambda a, b, c: a >= b,
    "GT": lambda a, b, c: a > b,
    "MASKED_EQ": lambda a, b, c: a & b == c,
}
values = st.one_of(st.integers(0, 8), st.integers(0, (1 << 64) - 1), st.sampled_from([1 << 32, (1 << 32) - 1, (1 << 64) - 1]))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(OPERATIONS)), values, values, values, st.integers(0, 5))
def test_comparisons_are_of_64_bits(name: str, given_value: int, value: int, two: int, index: int) -> None:
    two &= value
    condition = {"index": index, "op": f"SCMP_CMP_{name}", "value": value, "valueTwo": two}
    program = only(allow("fcntl", args=[condition]))
    arguments = [0] * 6
    arguments[index] = given_value
    met = OPERATIONS[name](given_value, value, two)
    assert interpret(program, number("fcntl"), NATIVE, *arguments) == (ALLOW if met else DENIED)


def test_names_nobody_knows_are_left_out() -> None:
    assert interpret(only(allow("read", "no_such_call")), number("read"), NATIVE) == ALLOW


@pytest.mark.parametrize(
    "wrong",
    [
        {"defaultAction": "SCMP_ACT_PERHAPS"},
        {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_PDP11"]},
        {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [allow("read", args=[{"index": 6, "op": "SCMP_CMP_EQ", "value": 1}])]},
        {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [allow("read", args=[{"index": 0, "op": "SCMP_CMP_IS", "value": 1}])]},
        {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [allow("read", args=[{"index": 0, "op": "SCMP_CMP_EQ", "value": -1}])]},
    ],
)
def test_a_wrong_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="seccomp profile"):
        compile_filter(wrong)


@pytest.mark.parametrize(
    ("flags", "bits"), [(None, 4), ([], 0), (["SECCOMP_FILTER_FLAG_LOG"], 2), (["SECCOMP_FILTER_FLAG_LOG"] * 2, 2)]
)
def test_flags_go_before_the_filter(flags: list[str] | None, bits: int) -> None:
    rules = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []} | ({} if flags is None else {"flags": flags})
    made = compile_loadable(profile.to_oci(profile.parse(json.dumps(rules)), []))
    assert struct.unpack_from("=II", made) == (bits, MAKES_PROCESSES | SETS_LIMITS)


@pytest.mark.parametrize(
    ("rule", "admitted"),
    [
        ({"names": ["mkdir"]}, MAKES_PROCESSES | SETS_LIMITS),
        ({"names": ["clone3", "fork", "vfork"]}, MAKES_PROCESSES | SETS_LIMITS),
        ({"names": ["clone"]}, SETS_LIMITS),
        ({"names": ["setsid"], "action": "SCMP_ACT_KILL_PROCESS"}, SETS_LIMITS),
        ({"names": ["ioctl"], "args": [{"index": 1, "value": 0x540E, "op": "SCMP_CMP_EQ"}]}, SETS_LIMITS),
        ({"names": ["ioctl"], "args": [{"index": 1, "value": 0x5412, "op": "SCMP_CMP_EQ"}]}, MAKES_PROCESSES | SETS_LIMITS),
        # the default profile's: new user namespaces
        (
            {"names": ["clone"], "args": [{"index": 0, "value": 0x10000000, "valueTwo": 0x10000000, "op": "SCMP_CMP_MASKED_EQ"}]},
            MAKES_PROCESSES | SETS_LIMITS,
        ),
        ({"names": ["prlimit64"], "action": "SCMP_ACT_TRAP"}, MAKES_PROCESSES),
        ({"names": ["prlimit64", "write"], "action": "SCMP_ACT_LOG"}, MAKES_PROCESSES | SETS_LIMITS),
    ],
)
def test_what_a_filter_admits_is_written_before_it(rule: dict[str, Any], admitted: int) -> None:
    made = compile_loadable({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_ERRNO"} | rule]})
    assert [what for what in (MAKES_PROCESSES, SETS_LIMITS) if admits(made, what)] == [what for what in (1, 2) if admitted & what]


@pytest.mark.parametrize("flag", ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "SECCOMP_FILTER_FLAG_NEW_LISTENER", "x"])
def test_a_flag_that_cannot_be_met(flag: str) -> None:
    with pytest.raises(InvalidArgument, match="unknown flag"):
        compile_loadable({"defaultAction": "SCMP_ACT_ALLOW", "flags": [flag]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"defaultAction": 3}',
        '{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["X"], "archMap": [{"architecture": "X"}]}',
        '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"action": "SCMP_ACT_ALLOW"}]}',
        '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"action": "SCMP_ACT_ALLOW", "name": "a", "names": ["b"]}]}',
    ],
)
def test_a_profile_that_is_none(text: str) -> None:
    with pytest.raises(InvalidArgument, match="seccomp profile"):
        profile.parse(text)


def test_conditions_of_rules() -> None:
    rules = [
        {"names": ["a"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.1"}},
        {"names": ["b"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
        {"names": ["c"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_A", "CAP_B"]}},
        {"names": ["d"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_A", "CAP_C"]}},
        {"name": "e", "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "5.10"}},
    ]
    parsed = profile.parse(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules}))

    def names(capabilities: list[str], machine: str, kernel: str) -> str:
        found = profile.to_oci(parsed, capabilities, machine=machine, kernel=kernel)["syscalls"]
        return "".join(rule["names"][0] for rule in found)

    assert names([], "x86_64", "6.1.0-56-amd64") == "ad"
    assert names(["CAP_A", "CAP_B"], "aarch64", "5.9") == "bce"
    assert names(["CAP_A"], "x86_64", "6.0") == ""


def test_listeners_are_refused() -> None:
    parsed = profile.parse('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "mount", "action": "SCMP_ACT_NOTIFY"}]}')
    with pytest.raises(InvalidArgument, match="NOTIFY"):
        profile.to_oci(parsed, [])


def test_a_program_is_compiled_once(roots: tuple[Path, Path]) -> None:
    paths = Paths(*roots)
    paths.make()
    first = cached_program(paths, {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [allow("read")]})
    stamp = first.stat().st_mtime_ns
    again = cached_program(paths, {"syscalls": [allow("read")], "defaultAction": "SCMP_ACT_ERRNO"})
    other = cached_program(paths, {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [allow("write")]})
    assert again == first and first.stat().st_mtime_ns == stamp and other != first
    assert first.read_bytes() == struct.pack("=II", 4, 0) + only(allow("read"))
    assert sorted(first.parent.iterdir()) == sorted([first, other]) and first.stat().st_mode & 0o777 == 0o600
