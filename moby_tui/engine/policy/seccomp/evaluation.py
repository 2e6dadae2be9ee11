"""What a compiled filter answers to one system call: the instructions that libseccomp writes, executed as the kernel does (seccomp(2))."""

from __future__ import annotations

import struct

#: ``SECCOMP_RET_ALLOW`` and ``SECCOMP_RET_LOG``: the call is made.
ALLOWING = (0x7FFF0000, 0x7FFC0000)
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_JUMP, _EQUAL, _GREATER, _GREATER_EQUAL, _ANY_BIT = 0x05, 0x15, 0x25, 0x35, 0x45
#: ``struct seccomp_data``: number, architecture, instruction pointer, six arguments.
_DATA = struct.Struct("=IIQ6Q")


def answer(instructions: bytes, architecture: int, number: int, arguments: tuple[int, ...]) -> int:
    """The 32-bit ``SECCOMP_RET_...`` value; at most six ``arguments``, others are 0.

    Raises ``ValueError`` for an instruction that is none of libseccomp's.
    """
    data = _DATA.pack(number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("=HBBI", instructions, at * 8)
        at += 1
        if code == _LOAD:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif code == _AND:
            accumulator &= value
        elif code == _JUMP:
            at += value
        elif code == _RETURN:
            return int(value)
        else:
            at += if_true if _holds(code, accumulator, value) else if_false


def _holds(code: int, accumulator: int, value: int) -> bool:
    if code == _EQUAL:
        return accumulator == value
    if code == _GREATER:
        return accumulator > value
    if code == _GREATER_EQUAL:
        return accumulator >= value
    if code == _ANY_BIT:
        return bool(accumulator & value)
    raise ValueError(f"unknown instruction {code:#x}")
