"""The meaning of exit codes: those that docker, the shell and signals give (docker-run(1), bash(1), signal(7))."""

from __future__ import annotations

import signal

#: A code above this is that of a signal.
_SIGNALS = 128
#: Codes of containers that somebody, or a stop, ended by a signal.
ENDED_BY_SIGNAL = frozenset({128 + signal.SIGINT, 128 + signal.SIGKILL, 128 + signal.SIGTERM})

_MEANINGS = {
    0: ("ended in order", ""),
    1: ("the program failed", "its last lines may say why"),
    2: ("wrong use of a command or option, or the program failed", "look at the command and its arguments"),
    125: ("the engine could not run it", "the engine's message says why"),
    126: ("its program cannot be executed", "it is a folder, not executable, for another CPU, or its interpreter is missing"),
    127: ("its program was not found", "look at the command and at PATH, and whether the image has the program"),
    134: ("it aborted itself (SIGABRT)", "an assertion or a fault of memory; its last lines may say which"),
    137: ("it was killed (SIGKILL)", "by a person, by a stop that it did not heed in time, or for lack of memory"),
    139: ("it broke memory protection (SIGSEGV)", "a fault of the program, or an image for another CPU or C library"),
    143: ("it was asked to end (SIGTERM)", "a stop; nothing is wrong if somebody wanted that"),
    255: ("the program failed with -1", "its last lines may say why"),
}


def meaning(code: int) -> tuple[str, str]:
    """What an exit code says, and what to look for."""
    if code in _MEANINGS:
        return _MEANINGS[code]
    if _SIGNALS < code < _SIGNALS + signal.NSIG:
        try:
            name = signal.Signals(code - _SIGNALS).name
        except ValueError:
            name = f"signal {code - _SIGNALS}"
        return f"it was ended by {name}", "somebody or the program itself sent the signal"
    return "the program failed", "the code is the program's own; its documentation or last lines may say what it means"
