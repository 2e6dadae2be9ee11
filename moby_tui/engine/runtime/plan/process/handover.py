"""The step that sends a descriptor to a socket that was opened before the clone: a seccomp filter's listener (seccomp_unotify(2)), say.

The message is laid out ahead; the kernel's answer to the call that makes the descriptor, its number, goes straight into it (cmsg(3)).
"""

from __future__ import annotations

import ctypes
import socket

from moby_tui.engine.kernel import calls
from moby_tui.engine.runtime.plan.program import Program, Slot


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Rights(ctypes.Structure):
    """``struct cmsghdr`` with one descriptor; ``length`` is without the padding."""

    _fields_ = (
        ("length", ctypes.c_size_t),
        ("level", ctypes.c_int),
        ("type", ctypes.c_int),
        ("descriptor", ctypes.c_int),
        ("padding", ctypes.c_int),
    )


class Handover:
    """``slot`` takes the descriptor; ``add_to`` is the step that sends it. ``what`` names it in an error."""

    def __init__(self, program: Program, to: int, what: str) -> None:
        self._to, self._name = to, f"hand over {what}"
        byte = ctypes.create_string_buffer(b"f", 1)
        vector = _Vector(program.keep(byte), 1)
        rights = _Rights(ctypes.sizeof(_Rights) - 4, socket.SOL_SOCKET, socket.SCM_RIGHTS, -1, 0)
        self._header = program.keep(_Header(None, 0, program.keep(vector), 1, program.keep(rights), ctypes.sizeof(_Rights), 0))
        self.slot = Slot.from_buffer(rights, _Rights.descriptor.offset)

    def add_to(self, program: Program) -> None:
        program.add(self._name, calls.sendmsg, self._to, self._header, 0)
        program.add("close", calls.close, self._to)
