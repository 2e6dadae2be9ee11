"""What of ``moby oci`` makes processes that enter a container is begun anew, as ``engine/runtime/birth/host_program.py`` has it."""

from __future__ import annotations

import os
import sys

#: ``start`` is one of them only where the container has startContainer hooks, and then begins anew itself.
_ENTERING = frozenset({"create", "exec", "run"})
#: As ``launcher._LIBRARIES``, and those of the seccomp filter and of the terminal.
_LIBRARIES = (
    *("_ctypes", "_json", "_socket", "_struct", "_typing", "array", "fcntl", "math", "resource", "select", "termios"),
    *("_blake2", "_hashlib", "libseccomp.so.2"),
)


def is_needed(arguments: list[str]) -> bool:
    """Whether a command line may enter a container: found without a parser, so that little is imported twice."""
    return not _ENTERING.isdisjoint(arguments) and os.geteuid() == 0


def begin_anew(arguments: list[str]) -> None:
    """Executes ``moby oci`` with these arguments as a protected process; does nothing in one. Exits where it cannot be."""
    from moby_tui.engine.runtime.birth import host_program

    if host_program.is_protected():
        return
    try:
        host_program.execute("moby_tui.oci.command_line", _LIBRARIES, arguments)
    except OSError as error:
        sys.exit(f"moby oci: its own program cannot be protected from the container: {error.strerror}")
