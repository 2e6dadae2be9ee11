"""How a command line ends: exit codes of its own, and the way to one from anywhere."""

from __future__ import annotations

from moby_tui.errors import MobyError

#: Neither the engine nor the container: the command line was wrong.
USAGE = 125
INTERRUPTED = 130
#: 128 and SIGPIPE, as the shell has it for a program that writes to nobody.
BROKEN_PIPE = 141


#: What the interpreter says where the system gives it no thread (pthread_create(3)).
_NO_THREAD = "can't start new thread"


def refused(error: OSError | RuntimeError) -> MobyError | None:
    """What the system refused, as an error for a person; None for what is a defect of ours."""
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        return MobyError(f"{(error.strerror or str(error)).lower()}{place}")
    if _NO_THREAD in str(error):
        return MobyError(
            "cannot start a thread: no more processes are allowed here; raise ulimit -u, or the control group's pids limit"
        )
    return None


class Leave(Exception):
    """Ends the command line with this exit code, without a word."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
