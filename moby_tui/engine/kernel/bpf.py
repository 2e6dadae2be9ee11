"""The device filter of a version 2 control group: a small eBPF program (bpf(2); linux/bpf.h, BPF_PROG_TYPE_CGROUP_DEVICE).

The kernel runs it for each open and mknod of a device in the group, with the kind of access, the major and the minor number;
it answers 1 for yes. All programs along the path must agree (BPF_F_ALLOW_MULTI).
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
from ctypes import c_int, c_long, c_uint, c_void_p

from moby_tui.engine.kernel.calls import MACHINE

_NUMBER = {"x86_64": 321, "aarch64": 280}[MACHINE]
_PROG_LOAD, _PROG_ATTACH, _PROG_DETACH, _PROG_GET_FD_BY_ID, _PROG_QUERY = 5, 8, 9, 13, 16
_TYPE_CGROUP_DEVICE, _ATTACH_CGROUP_DEVICE, _ALLOW_MULTI = 15, 6, 2
_KIND = {"b": 1, "c": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}
_ALL = 7

# registers: 1 the context, 2 type, 3 access, 4 major, 5 minor, 0 the answer, 6 for reckoning
_LOAD, _MOVE, _MOVE_REGISTER, _AND, _SHIFT = 0x61, 0xB4, 0xBC, 0x54, 0x74
_SKIP_UNLESS_EQUAL, _SKIP_IF_EQUAL, _EXIT = 0x55, 0x15, 0x95

_bpf = ctypes.CFUNCTYPE(c_long, c_long, c_int, c_void_p, c_uint, use_errno=True)(("syscall", ctypes.CDLL(None, use_errno=True)))


def compile_rules(rules: list[dict[str, object]]) -> bytes:
    """The program for the device rules of the OCI runtime specification (config-linux.md, "Allowed Device list").

    The last matching rule decides, so the program tests it first; without a match access is denied. An allowing rule must allow all of the
    access that is asked at once; a denying one denies when it names any part of it.
    """
    program = [
        _instruction(_LOAD, 2, 1, 0),
        _instruction(_MOVE_REGISTER, 3, 2),
        _instruction(_AND, 2, value=0xFFFF),
        _instruction(_SHIFT, 3, value=16),
        _instruction(_LOAD, 4, 1, 4),
        _instruction(_LOAD, 5, 1, 8),
    ]
    for rule in reversed(rules):
        program += _rule(rule)
        if _fits_all(rule):
            # the kernel refuses a program with instructions that are never reached
            return b"".join(program)
    return b"".join([*program, *_answer(0)])


def _fits_all(rule: dict[str, object]) -> bool:
    return str(rule.get("type") or "a") == "a"


def _rule(rule: dict[str, object]) -> list[bytes]:
    kind, allow = str(rule.get("type") or "a"), bool(rule.get("allow"))
    if kind not in ("a", "b", "c"):
        raise ValueError(f"device rule: type {kind!r} is not a, b or c")
    access = 0
    for letter in str(rule.get("access") or "rwm"):
        if letter not in _ACCESS:
            raise ValueError(f"device rule: access {letter!r} is not r, w or m")
        access |= _ACCESS[letter]
    if kind == "a":
        return _answer(int(allow))
    wanted = [(2, _KIND[kind]), *_numbers(rule)]
    code = [_instruction(_SKIP_UNLESS_EQUAL, register, value=value) for register, value in wanted]
    if access != _ALL:
        code += [
            _instruction(_MOVE_REGISTER, 6, 3),
            _instruction(_AND, 6, value=~access & _ALL if allow else access),
            _instruction(_SKIP_UNLESS_EQUAL if allow else _SKIP_IF_EQUAL, 6, value=0),
        ]
    code += _answer(int(allow))
    return [_with_target(instruction, len(code) - index - 1) for index, instruction in enumerate(code)]


def _numbers(rule: dict[str, object]) -> list[tuple[int, int]]:
    """The registers that a rule compares with a number; an absent or negative number in the rule matches all."""
    numbers = ((register, rule.get(key)) for register, key in ((4, "major"), (5, "minor")))
    return [(register, value) for register, value in numbers if isinstance(value, int) and value >= 0]


def _instruction(code: int, target: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("<BBhI", code, source << 4 | target, offset, value & 0xFFFFFFFF)


def _with_target(instruction: bytes, to_end: int) -> bytes:
    """Sets the target of a test's jump: the first instruction after the rule."""
    if instruction[0] not in (_SKIP_UNLESS_EQUAL, _SKIP_IF_EQUAL):
        return instruction
    return instruction[:2] + struct.pack("<h", to_end) + instruction[4:]


def _answer(value: int) -> list[bytes]:
    return [_instruction(_MOVE, 0, value=value), _instruction(_EXIT)]


def filter_devices(cgroup: int, rules: list[dict[str, object]]) -> None:
    """Replaces the rules of a control group (given as a descriptor), without a moment in which none is in force.

    Raises ``OSError`` if the kernel does not let us (CAP_SYS_ADMIN or CAP_BPF is missing), ``ValueError`` for a bad rule.
    """
    old = _attached(cgroup)
    program = _load(compile_rules(rules))
    try:
        _call(
            _PROG_ATTACH, struct.pack("=IIII", cgroup, program, _ATTACH_CGROUP_DEVICE, _ALLOW_MULTI), "attach the device filter"
        )
        for identity in old:
            _detach(cgroup, identity)
    finally:
        os.close(program)


def _load(program: bytes) -> int:
    code = ctypes.create_string_buffer(program, len(program))
    license_name = ctypes.create_string_buffer(b"Apache-2.0")
    request = struct.pack(
        "=IIQQIIQII",
        _TYPE_CGROUP_DEVICE,
        len(program) // 8,
        ctypes.addressof(code),
        ctypes.addressof(license_name),
        0,
        0,
        0,
        0,
        0,
    ) + b"moby_device".ljust(16, b"\0")
    try:
        return _call(_PROG_LOAD, request, "load the device filter")
    except PermissionError:
        # before Linux 5.11 a program counted against RLIMIT_MEMLOCK of the process that loads it
        limits = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except (ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (limits[1], limits[1]))
        try:
            return _call(_PROG_LOAD, request, "load the device filter")
        finally:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (limits[0], limits[1]))


def _attached(cgroup: int) -> list[int]:
    """The ids of the device programs that are on this very group."""
    ids = (ctypes.c_uint32 * 64)()
    request = ctypes.create_string_buffer(
        struct.pack("=IIIIQI", cgroup, _ATTACH_CGROUP_DEVICE, 0, 0, ctypes.addressof(ids), len(ids)), 32
    )
    _check(_bpf(_NUMBER, _PROG_QUERY, ctypes.addressof(request), len(request)), "ask for the device filter")
    count = struct.unpack_from("=I", request.raw, 24)[0]
    return list(ids[:count])


def _detach(cgroup: int, identity: int) -> None:
    try:
        program = _call(_PROG_GET_FD_BY_ID, struct.pack("=III", identity, 0, 0), "open the old device filter")
    except FileNotFoundError:
        return
    try:
        _call(_PROG_DETACH, struct.pack("=III", cgroup, program, _ATTACH_CGROUP_DEVICE), "detach the old device filter")
    except FileNotFoundError:
        return
    finally:
        os.close(program)


def _call(command: int, request: bytes, what: str) -> int:
    buffer = ctypes.create_string_buffer(request, len(request))
    return _check(_bpf(_NUMBER, command, ctypes.addressof(buffer), len(request)), what)


def _check(result: int, what: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        if error in (errno.ENOSYS, errno.EINVAL) and what.startswith("load"):
            raise OSError(error, f"cannot {what}: {os.strerror(error)}; the kernel needs CONFIG_CGROUP_BPF")
        raise OSError(error, f"cannot {what}: {os.strerror(error)}")
    return result
