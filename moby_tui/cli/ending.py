"""Exit codes of the command line itself, and an exception that ends it with one."""

from __future__ import annotations

#: An error of usage: a wrong option, or a request of `run` and `create` that cannot be met.
USAGE = 125
INTERRUPTED = 130
#: 128 and SIGPIPE, as a shell reports a program whose reader has gone.
BROKEN_PIPE = 141


class Leave(Exception):
    """Ends the command line with this exit code, without a word."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
