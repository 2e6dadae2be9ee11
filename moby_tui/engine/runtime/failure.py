"""A start that failed, in words (light imports: it runs in every monitor)."""

from __future__ import annotations

import errno
import os

from moby_tui.engine.runtime.plan.program import Program

_MISSING = (errno.ENOENT, errno.ENOTDIR)


class StartFailure(Exception):
    """A process did not start. ``kind``: ``not_found`` (exit code 127), ``not_invocable`` (126) or ``failed``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message

    @classmethod
    def of_program(cls, program: Program, report: bytes, command: str) -> StartFailure:
        """From what a child reported. The words for a missing command are those that Docker's clients look for."""
        name, error = program.explain(report)
        reason = os.strerror(error).lower()
        if name == "execute":
            if error not in _MISSING:
                return cls("not_invocable", f'exec: "{command}": {reason}')
            lost = "no such file or directory" if "/" in command else "executable file not found in $PATH"
            return cls("not_found", f'exec: "{command}": {lost}')
        return cls("not_invocable" if "working directory" in name else "failed", f"{name}: {reason}")


def say(error: Exception) -> str:
    """An error on one line, with what it was about."""
    if not isinstance(error, OSError) or not error.errno:
        return str(error)
    reason = os.strerror(error.errno).lower()
    text = str(error.args[1]) if len(error.args) > 1 else ""
    if error.filename:
        return f"{error.filename}: {reason}"
    return text if reason in text.lower() else f"{text}: {reason}" if text else reason
