"""A compiled seccomp filter, as the engine keeps it in a file and the process that loads it reads it.

Two words of four bytes in the machine's order, then the instructions, eight bytes each, which check the architecture themselves. The words
are the flags for seccomp(2), and what a process that has loaded the filter can still do: see ``admits``.
"""

from __future__ import annotations

import sys

HEADER = 8
#: It can make a process (clone(2)), which begins a session, takes a terminal, and waits at a pipe.
MAKES_PROCESSES = 1
#: It can lower its limits (prlimit(2)).
SETS_LIMITS = 2


def header(flags: int, admitted: int) -> bytes:
    return flags.to_bytes(4, sys.byteorder) + admitted.to_bytes(4, sys.byteorder)


def flags_of(loadable: bytes) -> int:
    return int.from_bytes(loadable[:4], sys.byteorder)


def admits(loadable: bytes, what: int) -> bool:
    """Whether the filter lets a process do this, ``MAKES_PROCESSES`` or ``SETS_LIMITS``, with an ordinary answer of the kernel's."""
    return bool(int.from_bytes(loadable[4:HEADER], sys.byteorder) & what)
