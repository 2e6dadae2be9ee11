"""A filter under test: interpreted, and installed in a child of our own."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable

SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}[os.uname().machine]
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0
AUDIT_X86_64, AUDIT_I386, AUDIT_AARCH64, AUDIT_ARM = 0xC000003E, 0x40000003, 0xC00000B7, 0x40000028

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def interpret(program: bytes, number: int, arch: int, *arguments: int) -> int:
    """What the filter answers: classic BPF as seccomp has it (bpf(4) in the BSDs; linux/filter.h)."""
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, arch, 0, *(value & (1 << 64) - 1 for value in padded))
    accumulator = at = 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("<HBBI", program, at * 8)
        at += 1
        match code:
            case 0x20:
                accumulator = struct.unpack_from("<I", data, value)[0]
            case 0x15:
                at += if_true if accumulator == value else if_false
            case 0x25:
                at += if_true if accumulator > value else if_false
            case 0x35:
                at += if_true if accumulator >= value else if_false
            case 0x54:
                accumulator &= value
            case 0x05:
                at += value
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"instruction {code:#x}")


def run_filtered(program: bytes, action: Callable[[], int]) -> int:
    """The child's answer (0 to 255), or the negative number of the signal that ended it."""
    code = ctypes.create_string_buffer(program, len(program))
    described = _Program(len(program) // 8, ctypes.addressof(code))
    pid = os.fork()
    if pid == 0:
        try:
            if _libc.prctl(38, 1, 0, 0, 0) or _libc.syscall(SYS_SECCOMP, 1, 0, ctypes.byref(described)):
                os._exit(250)
            os._exit(action() & 0xFF)
        finally:
            os._exit(251)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def errno_of(number: int, *arguments: int) -> int:
    """Calls the kernel; 0 or the errno."""
    ctypes.set_errno(0)
    result = _libc.syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments))
    return ctypes.get_errno() if result < 0 else 0
