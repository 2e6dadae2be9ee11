"""From the OCI ``linux.seccomp`` to the program the kernel runs (classic BPF, seccomp(2))."""

from __future__ import annotations

import errno
import os
import resource
import signal
import struct
import termios
from collections import Counter
from typing import Any

from moby_tui.engine.kernel.process import CLONE_PARENT
from moby_tui.engine.policy.seccomp import library
from moby_tui.engine.policy.seccomp.evaluation import ALLOWING, answer
from moby_tui.engine.protocol.filter import MAKES_PROCESSES, SETS_LIMITS, header
from moby_tui.errors import InvalidArgument

#: The calls, with their arguments, by which a process does what a filter may admit; a pointer stands for any.
_POINTER = 0x7F0000000000
_NEEDED: dict[int, dict[str, tuple[int, ...]]] = {
    MAKES_PROCESSES: {
        "clone": (CLONE_PARENT | signal.SIGCHLD,),
        "setsid": (),
        "ioctl": (0, termios.TIOCSCTTY),
        "read": (3, _POINTER, 1),
        "write": (3, _POINTER, 4),
    },
    SETS_LIMITS: {"prlimit64": (0, resource.RLIMIT_NPROC, _POINTER)},
}
_X32_BIT = 0x40000000
_OPTIMIZE_BINARY_TREE = 2
_MAX_INSTRUCTIONS = 4096
_RET_ERRNO_ENOSYS = 0x00050000 | errno.ENOSYS
_LOAD, _EQUAL, _GREATER, _GREATER_EQUAL, _JUMP, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x05, 0x06
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE = 0, 4
_PERMISSIVE = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG")
#: Flags of seccomp(2). A profile that names none gets the last, as with runc: no speculation mitigations, which slow programs down.
_FLAGS = {"SECCOMP_FILTER_FLAG_TSYNC": 1, "SECCOMP_FILTER_FLAG_LOG": 2, "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4}


def compile_loadable(seccomp: dict[str, Any]) -> bytes:
    """The form that the plan loads (``protocol/filter.py``). Raises ``InvalidArgument`` as ``compile_filter`` does."""
    flags, instructions = _flags(seccomp.get("flags")), compile_filter(seccomp)
    return header(flags, _admitted(instructions)) + instructions


def _admitted(instructions: bytes) -> int:
    return sum(
        what
        for what, needed in _NEEDED.items()
        if all(_allows(instructions, name, arguments) for name, arguments in needed.items())
    )


def _allows(instructions: bytes, name: str, arguments: tuple[int, ...]) -> bool:
    number = _number(0, name)
    assert number is not None
    return answer(instructions, int(library.load().system_arch()), number, arguments) in ALLOWING


def compile_filter(seccomp: dict[str, Any]) -> bytes:
    """The instructions, eight bytes each. Calls that libseccomp does not know are left out, as runc does.

    Raises ``InvalidArgument`` for an action, comparison, flag or architecture that is none.
    """
    scmp = library.load()
    default = _action(str(seccomp["defaultAction"]), seccomp.get("defaultErrnoRet"))
    try:
        compiled = scmp.SyscallFilter(default)
        compiled.set_attr(scmp.Attr.CTL_OPTIMIZE, _OPTIMIZE_BINARY_TREE)
        architectures = _architectures(seccomp)
        for architecture in architectures:
            if not compiled.exist_arch(architecture):
                compiled.add_arch(architecture)
        for rule in seccomp.get("syscalls") or []:
            _add(compiled, rule, default)
        program = _export(compiled)
    except OSError as error:
        raise InvalidArgument(f"seccomp profile cannot be compiled: {error.strerror}; check its rules") from error
    program = _unknown_calls(seccomp, architectures) + program
    if len(program) // 8 > _MAX_INSTRUCTIONS:
        raise InvalidArgument(
            f"seccomp profile is too large: {len(program) // 8} instructions, the kernel takes {_MAX_INSTRUCTIONS}"
        )
    return program


def _flags(names: list[str] | None) -> int:
    if names is None:
        return _FLAGS["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]
    unknown = [name for name in names if name not in _FLAGS]
    if unknown:
        raise InvalidArgument(f"seccomp profile: unknown flag {unknown[0]!r}; known are {', '.join(_FLAGS)}")
    return sum({_FLAGS[name] for name in names})


def _export(compiled: Any) -> bytes:
    with open(os.memfd_create("seccomp"), "w+b") as file:
        compiled.export_bpf(file)
        file.seek(0)
        return file.read()


def _add(compiled: Any, rule: dict[str, Any], default: int) -> None:
    action = _action(str(rule["action"]), rule.get("errnoRet"))
    if action == default:
        return  # libseccomp refuses a rule with the default action
    for name in rule["names"]:
        number = _number(0, name)
        if number is not None:
            for conditions in _alternatives(rule.get("args") or []):
                compiled.add_rule(action, number, *conditions)


def _alternatives(arguments: list[dict[str, Any]]) -> list[list[Any]]:
    """The conditions of one rule must all hold; two on the same argument are two rules, as in libseccomp nothing else can be said."""
    conditions = [_condition(argument) for argument in arguments]
    if any(count > 1 for count in Counter(argument["index"] for argument in arguments).values()):
        return [[condition] for condition in conditions]
    return [conditions]


def _condition(argument: dict[str, Any]) -> Any:
    scmp = library.load()
    name, index = str(argument["op"]).removeprefix("SCMP_CMP_"), int(argument["index"])
    values = [int(argument["value"]), int(argument.get("valueTwo") or 0)]
    if name not in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"):
        raise InvalidArgument(f"seccomp profile: unknown comparison {argument['op']!r}")
    if not 0 <= index <= 5 or not all(0 <= value < 1 << 64 for value in values):
        raise InvalidArgument(f"seccomp profile: bad argument condition {argument!r}")
    return scmp.Arg(index, getattr(scmp, name), *values)


def _action(name: str, errno_ret: int | None) -> int:
    scmp = library.load()
    match name.removeprefix("SCMP_ACT_"):
        case "ERRNO":
            return int(scmp.ERRNO(errno.EPERM if errno_ret is None else errno_ret))
        case "TRACE":
            return int(scmp.TRACE(errno.EPERM if errno_ret is None else errno_ret))
        case "ALLOW" | "KILL" | "KILL_THREAD" | "KILL_PROCESS" | "LOG" | "NOTIFY" | "TRAP" as known:
            return int(getattr(scmp, known))
    raise InvalidArgument(f"seccomp profile: unknown action {name!r}")


def _architectures(seccomp: dict[str, Any]) -> list[int]:
    """The machine's own architecture is always among them."""
    scmp = library.load()
    numbers = {int(scmp.system_arch())}
    for name in seccomp.get("architectures") or []:
        number = getattr(scmp.Arch, str(name).removeprefix("SCMP_ARCH_"), None)
        if not isinstance(number, int):
            raise InvalidArgument(f"seccomp profile: unknown architecture {name!r}")
        numbers.add(number)
    return sorted(numbers)


def _number(architecture: int, name: str) -> int | None:
    """A call's number (negative: known, but not on this architecture); None if libseccomp does not know the call."""
    number = int(library.load().resolve_syscall(architecture, name))
    return None if number == -1 else number


def _unknown_calls(seccomp: dict[str, Any], architectures: list[int]) -> bytes:
    """A prologue that answers ENOSYS to calls newer than the newest one the profile names.

    The author of the profile did not know these calls, rather than refuse them, and a C library falls back to the older call on
    ENOSYS only: EPERM from clone3 or faccessat2 breaks programs. (runc: libcontainer/seccomp/patchbpf has the same rule.)
    """
    if seccomp["defaultAction"] in _PERMISSIVE or seccomp.get("defaultErrnoRet") == errno.ENOSYS:
        return b""
    arch = library.load().Arch
    names = {name for rule in seccomp.get("syscalls") or [] for name in rule["names"]}
    newest = {number: max((_number(number, name) or -1 for name in names), default=-1) for number in architectures}
    blocks: list[list[bytes]] = []
    for number in architectures:
        if number == arch.X32 or newest[number] < 0:
            continue
        body = _cut_off(newest[number])
        if number == arch.X86_64:
            # x86-64 and x32 have the same architecture number; a high bit marks the calls of x32
            x32 = _cut_off(newest[arch.X32]) if newest.get(arch.X32, -1) >= 0 else [_instruction(_JUMP)]
            body = [_instruction(_GREATER_EQUAL, _X32_BIT, if_true=len(body)), *body, *x32]
        body = [_instruction(_LOAD, _OFFSET_NUMBER), *body]
        blocks.append([_instruction(_EQUAL, number, if_false=len(body)), *body])
    return _concatenated([[_instruction(_LOAD, _OFFSET_ARCHITECTURE)], *blocks])


def _cut_off(newest: int) -> list[bytes]:
    return [_instruction(_GREATER, newest, if_false=1), _instruction(_RETURN, _RET_ERRNO_ENOSYS), _instruction(_JUMP)]


def _concatenated(blocks: list[list[bytes]]) -> bytes:
    """One program of these blocks. Every jump (``_JUMP``) leads to the first instruction after them, where libseccomp's program begins."""
    code = [instruction for block in blocks for instruction in block]
    jump = _instruction(_JUMP)
    return b"".join(
        _instruction(_JUMP, len(code) - at - 1) if instruction == jump else instruction for at, instruction in enumerate(code)
    )


def _instruction(code: int, value: int = 0, *, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
