"""The error of a failed start, and its text (light imports: it runs in every monitor)."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from moby_tui.engine.protocol.report import Failed
from moby_tui.engine.store.state import now

_MISSING = (errno.ENOENT, errno.ENOTDIR)


class StartFailure(Exception):
    """A process did not start. ``kind``: ``not_found`` (exit code 127), ``not_invocable`` (126), ``missing`` or ``invalid``
    for a source of a mount, or ``failed``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message

    @classmethod
    def of_report(cls, failed: Failed | None, command: str) -> StartFailure:
        """From a child's report, None if it holds nothing. The text for a missing command is the one that Docker's clients look for."""
        if failed is None:
            return cls("failed", "the process ended before it began")
        error, name = failed.error, failed.step
        if not error:
            return cls("failed", name)
        reason = os.strerror(error).lower()
        if name == "execute":
            if error not in _MISSING:
                return cls("not_invocable", f'exec: "{command}": {reason}')
            lost = "no such file or directory" if "/" in command else "executable file not found in $PATH"
            return cls("not_found", f'exec: "{command}": {lost}')
        if "working directory" in name:
            return cls("not_found" if error in _MISSING else "not_invocable", f"{name}: {reason}")
        return cls("failed", f"{name}: {reason}")


def kind_of(error: Exception) -> str:
    """The kind of the failure of a start that an error has ended: its own if it has one (``plan/filesystem/own_source.py``)."""
    kind: str = getattr(error, "kind", "failed")
    return kind


def say(error: Exception) -> str:
    """An error as one line, with its file or step."""
    if not isinstance(error, OSError) or not error.errno:
        return str(error)
    reason = os.strerror(error.errno).lower()
    text = str(error.args[1]) if len(error.args) > 1 else ""
    if error.filename:
        return f"{error.filename}: {reason}"
    return text if reason in text.lower() else f"{text}: {reason}" if text else reason


def write_down(folder: str, error: Exception) -> None:
    """Appends an error to a file in the container's folder, when no engine waits for an answer."""
    with suppress(OSError), open(f"{folder}/monitor.err", "a") as file:
        file.write(f"{now()} {say(error)}\n")
