"""How a command line ends: exit codes of its own, and the way to one from anywhere."""

from __future__ import annotations

#: Neither the engine nor the container: an option was wrong, or what `run` and `create` were asked for cannot be.
USAGE = 125
INTERRUPTED = 130
#: 128 and SIGPIPE, as the shell has it for a program that writes to nobody.
BROKEN_PIPE = 141


class Leave(Exception):
    """Ends the command line with this exit code, without a word."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
