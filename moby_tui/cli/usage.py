"""Errors of usage in one line. Under the name docker they have docker's words (``docker.misuse``)."""

from __future__ import annotations

from typing import Any

from moby_tui.cli import session


def line(error: Any) -> str:
    """What is wrong with a command line. ``error`` is a ``typer.TyperException``."""
    message = error.format_message()
    return f"{session.program()}: {message[:1].lower()}{message[1:].rstrip('.')}"
